"""The page `docs/contracts.md`: every topic with its records, their fields, meanings and examples, for people."""

from collections.abc import Iterator
from inspect import cleandoc
from typing import Any, Final

import msgspec

HEAD: Final = """# Contracts

Generated from the records and `schemas/topics.toml` by `python -m schemas.publish`; the same as one AsyncAPI 3.0
document: [`schemas/asyncapi.json`](../schemas/asyncapi.json). How records may change:
[`schemas/README.md`](../schemas/README.md); `nivaran contract diff OLD` names what has changed since.

An instant is an integer: milliseconds since the epoch, UTC. Objects are open: take fields you do not know, skip types
that you do not know. A field in **bold** is always there; others are left out where they have their default.
Every record has the headers of CloudEvents: `ce_id` (the same in every replay), `ce_source`, `ce_type`, `ce_time`,
`ce_subject` (the key), `ce_specversion`, `content-type`; and `traceparent` where a request began it.
"""
LAST_INSTANT: Final = 253_402_300_799_999
SHARED: Final = "## What records share"
LIMITS: Final = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {}",
    "maxItems": "at most {}",
    "pattern": "`{}`",
}
"""Keywords of JSON Schema in words."""


def contracts(document: dict[str, Any]) -> str:
    """The page of an AsyncAPI document of ours."""
    schemas = document["components"]["schemas"]
    first: dict[str, str] = {}
    """Where each record is explained: on the first topic that has it."""
    lines = [HEAD, "| topic | what is on it |", "|---|---|"]
    channels = list(document["channels"].values())
    lines += [f"| [`{each['address']}`](#{_anchor(each['address'])}) | {each['title']} |" for each in channels]
    for channel in channels:
        lines += ["", f"## {channel['address']}", "", *_about(channel)]
        for name, message in channel["messages"].items():
            lines += ["", f"### {_titled(name, channel, first)}", ""]
            if first.setdefault(name, channel["address"]) != channel["address"]:
                lines.append(f"As on [`{first[name]}`](#{_anchor(first[name])}).")
                continue
            lines += _record(schemas[name])
            lines += _example(message)
    lines += ["", SHARED]
    for name in sorted(schemas.keys() - first.keys()):
        lines += ["", f"### {name}", "", *_record(schemas[name])]
    return "\n".join(lines) + "\n"


def _titled(name: str, channel: dict[str, Any], first: dict[str, str]) -> str:
    """A heading that only one record has."""
    return name if first.get(name, channel["address"]) == channel["address"] else f"{name} on {channel['address']}"


def _about(channel: dict[str, Any]) -> Iterator[str]:
    kafka = channel["bindings"]["kafka"]
    yield f"{_sentence(channel['title'])} {channel['description']}"
    yield ""
    yield "| | |"
    yield "|---|---|"
    yield f"| written by | {', '.join(channel['x-writers'])} |"
    yield f"| read by | {', '.join(channel['x-readers'])} |"
    yield f"| partitions | {kafka['partitions']} |"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _record(schema: dict[str, Any]) -> Iterator[str]:
    if "description" in schema:
        yield cleandoc(schema["description"])
        yield ""
    yield "| field | type | meaning |"
    yield "|---|---|---|"
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        shown = f"**{name}**" if name in required else name
        yield f"| {shown} | {_cell(typed(field))} | {_cell(_meaning(field))} |"


def _meaning(field: dict[str, Any]) -> str:
    own = field.get("description") or next(
        (each["description"] for each in field.get("anyOf", ()) if "description" in each), ""
    )
    return f"{own}".replace("\n", " ")


def _example(message: dict[str, Any]) -> Iterator[str]:
    for each in message.get("examples", ())[:1]:
        yield ""
        yield "```json"
        yield msgspec.json.format(msgspec.json.encode(each["payload"]), indent=2).decode()
        yield "```"


def typed(field: dict[str, Any]) -> str:  # noqa: PLR0911 - a return per form a type has
    """A field's type in words."""
    match field:
        case {"$ref": str(ref)}:
            name = ref.rpartition("/")[2]
            return f"[{name}](#{_anchor(name)})"
        case {"anyOf": list(each)}:
            return " or ".join(map(typed, each))
        case {"enum": list(values)}:
            return ", ".join(f"`{value}`" for value in values)
        case {"type": "array", "items": dict(items)}:
            return f"list of {typed(items)}{_limits(field)}"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"map to {typed(values)}"
        case {"type": "integer", "maximum": maximum} if maximum == LAST_INSTANT:
            return "instant"
        case {"type": str(kind)}:
            return f"{kind}{_limits(field)}"
        case _:
            return "anything"


def _limits(field: dict[str, Any]) -> str:
    told = [words.format(field[keyword]) for keyword, words in LIMITS.items() if keyword in field]
    return f" ({', '.join(told)})" if told else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _anchor(heading: str) -> str:
    """As GitHub makes it of a heading: lower case, without punctuation but dashes."""
    return "".join(each for each in heading.lower() if each.isalnum() or each == "-")
