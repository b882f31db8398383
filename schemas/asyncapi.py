"""Topics and records as one AsyncAPI 3.0 document: channels, operations, messages, headers, Kafka bindings."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

from schemas.codec import TYPE_PREFIX
from schemas.registry import DEPARTMENT_FEED, Topic, dead_letters, declared, defaults

BINDING: Final = "0.5.0"
"""Version of AsyncAPI's Kafka bindings."""
CLOUDEVENT: Final = {"$ref": "#/components/messageTraits/cloudevent"}
OUTSIDE: Final = "downstream"
"""The reader that is not of this application: it has no operation here."""
HEADERS: Final[Mapping[str, str]] = {
    "ce_specversion": "1.0",
    "ce_id": "derived from the cause and the same in every replay: what a reader drops repeats by",
    "ce_source": "/nivaran/ and the writer",
    "ce_type": f"{TYPE_PREFIX} and the record's type",
    "ce_time": "when it happened, RFC 3339 in UTC",
    "ce_subject": "the key of the record",
    "content-type": "application/json",
    "traceparent": "W3C trace context of the request it follows from; missing where a deadline began it",
}
REQUIRED: Final = tuple(name for name in HEADERS if name != "traceparent")
Examples = Mapping[str, Mapping[str, Any]]
"""Golden examples: record type -> name -> content."""


def document(schemas: Mapping[str, dict[str, Any]], examples: Examples) -> dict[str, Any]:
    """The document of all declared topics; `schemas` are the published ones by record type."""
    topics = tuple(declared().values())
    return {
        "asyncapi": "3.0.0",
        "id": "urn:nivaran:topics",
        "info": {
            "title": "Nivaran: topics and records",
            "version": version("nivaran"),
            "description": "Grievance helplines as streams. Read committed; objects are open; see schemas/README.md.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {
                "host": "{bootstrap}",
                "protocol": "kafka",
                "description": "The operator's cluster.",
                "variables": {"bootstrap": {"default": "127.0.0.1:9092", "description": "host:port of a broker"}},
                "bindings": {"kafka": {"bindingVersion": BINDING}},
            }
        },
        "channels": {channel_id(topic.name): _channel(topic, examples) for topic in topics},
        "operations": dict(each for topic in topics for each in _operations(topic)),
        "components": {
            "messageTraits": {"cloudevent": {"headers": _headers()}},
            "schemas": _components(schemas),
        },
    }


def channel_id(topic: str) -> str:
    """A topic's name as the name of its channel: a pattern stands without its braces."""
    return topic.replace("{", "").replace("}", "")


def _channel(topic: Topic, examples: Examples) -> dict[str, Any]:
    shared = defaults()
    config = topic.config
    found = {
        "address": topic.name,
        "title": topic.about,
        "description": _description(topic),
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {value: _message(value, topic, examples.get(value, {})) for value in topic.values},
        "bindings": {
            "kafka": {
                "partitions": topic.partitions or shared.partitions,
                "topicConfiguration": {
                    "cleanup.policy": [config["cleanup.policy"]],
                    **({"retention.ms": int(config["retention.ms"])} if "retention.ms" in config else {}),
                    "max.message.bytes": shared.max_message_bytes,
                },
                "bindingVersion": BINDING,
            }
        },
        "x-readers": list(topic.readers),
        "x-writers": list(topic.writers),
    }
    if topic.name == DEPARTMENT_FEED:
        found["parameters"] = {
            "department": {"description": "a department of the profiles; each has a feed of its own"}
        }
    return found


def _description(topic: Topic) -> str:
    aside = f" What its reader cannot take is kept in {dead_letters(topic.name)}." if topic.dlq else ""
    return f"Key: {topic.key}. Kept: {topic.retention}.{aside}"


def _message(value: str, topic: Topic, examples: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": value,
        "payload": {"$ref": f"#/components/schemas/{value}"},
        "traits": [CLOUDEVENT],
        "bindings": {"kafka": {"key": {"type": "string", "description": topic.key}, "bindingVersion": BINDING}},
        **({"examples": [{"name": name, "payload": each} for name, each in examples.items()]} if examples else {}),
    }


def _operations(topic: Topic) -> Iterator[tuple[str, dict[str, Any]]]:
    """From the application's side, one per role: its writers send, its readers receive."""
    for action, verb, roles in (("send", "writes", topic.writers), ("receive", "reads", topic.readers)):
        for role in roles:
            if role != OUTSIDE:
                yield f"{role}.{verb}.{channel_id(topic.name)}", _operation(action, role, verb, topic)


def _operation(action: str, role: str, verb: str, topic: Topic) -> dict[str, Any]:
    channel = f"#/channels/{channel_id(topic.name)}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "summary": f"{role} {verb} {topic.about}",
        "messages": [{"$ref": f"{channel}/messages/{value}"} for value in topic.values],
    }


def _headers() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {"type": "string", "description": meaning} for name, meaning in HEADERS.items()},
        "required": list(REQUIRED),
    }


def _components(schemas: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Records by their types, and what they share by its name; raises ValueError where two mean different things."""
    found: dict[str, Any] = {}
    for name, schema in schemas.items():
        whole = {key: value for key, value in schema.items() if key not in ("$schema", "$id", "$defs")}
        for part, content in (*schema.get("$defs", {}).items(), (name, whole)):
            moved = rewritten(content, "$ref", _led)
            if found.setdefault(part, moved) != moved:
                raise ValueError(f"two records mean different things by {part}")
    return found


def rewritten(value: Any, name: str, change: Callable[[str], str]) -> Any:
    """A JSON value with every text under the key `name` changed."""
    match value:
        case dict():
            return {
                key: change(each) if key == name and isinstance(each, str) else rewritten(each, name, change)
                for key, each in value.items()
            }
        case list():
            return [rewritten(each, name, change) for each in value]
        case _:
            return value


def _led(reference: str) -> str:
    """To the document's own parts."""
    return reference.replace("#/$defs/", "#/components/schemas/")


def examples_of(named: Sequence[tuple[str, str, Any]]) -> Examples:
    """Golden examples (type, name, content) in order of their names."""
    found: dict[str, dict[str, Any]] = {}
    for kind, name, content in sorted(named, key=lambda each: each[:2]):
        found.setdefault(kind, {})[name] = content
    return found
