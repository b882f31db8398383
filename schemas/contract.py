"""A contract to be compared: topics with their keys and records, and the schema of each record."""

import tomllib
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from schemas.asyncapi import OUTSIDE

READ_BY_OTHERS: Final = frozenset({OUTSIDE, "webhooks"})
"""Readers through whom records leave this application."""


class ContractError(ValueError):
    """What was given is no contract; the message says what is missing."""


class TopicContract(Struct, frozen=True):
    """What of a topic its readers and writers rest on."""

    key: str
    partitions: int
    kept_days: int | None
    """None: for ever, or the newest of each key."""
    cleanup: str
    records: frozenset[str]
    readers: frozenset[str]

    @property
    def leaves(self) -> bool:
        """Whether others read it."""
        return bool(self.readers & READ_BY_OTHERS)


class Contract(Struct, frozen=True):
    """Topics by name, and schemas by record type, with the parts they refer to."""

    topics: Mapping[str, TopicContract]
    schemas: Mapping[str, Any]
    parts: Mapping[str, Any]
    """Schemas by reference."""


def of_document(text: bytes) -> Contract:
    """Of an AsyncAPI document as `schemas.publish` writes it; raises ContractError."""
    try:
        raw = msgspec.json.decode(text)
        parts = raw["components"]["schemas"]
        topics = {each["address"]: _of_channel(each) for each in raw["channels"].values()}
        types = {name for topic in topics.values() for name in topic.records}
        schemas = {name: parts[name] for name in sorted(types)}
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ContractError(f"is no AsyncAPI document of ours ({type(error).__name__}: {error})") from None
    return Contract(topics, schemas, {f"#/components/schemas/{name}": part for name, part in parts.items()})


def _of_channel(channel: Mapping[str, Any]) -> TopicContract:
    kafka = channel["bindings"]["kafka"]
    config = kafka["topicConfiguration"]
    kept = config.get("retention.ms", -1)
    messages = channel["messages"]
    key = next((each["bindings"]["kafka"]["key"]["description"] for each in messages.values()), "")
    return TopicContract(
        key=key,
        partitions=kafka["partitions"],
        kept_days=None if kept < 0 else kept // 86_400_000,
        cleanup=config["cleanup.policy"][0],
        records=frozenset(messages),
        readers=frozenset(channel["x-readers"]),
    )


def of_folder(registry: str, wire: Mapping[str, bytes]) -> Contract:
    """Of a `schemas` folder: the text of `topics.toml`, and `wire/*.json` by record type; raises ContractError."""
    try:
        raw = tomllib.loads(registry)
        shared = raw.pop("defaults")
        topics = {name: _of_entry(entry, shared) for name, entry in raw.items()}
        schemas = {name: msgspec.json.decode(text) for name, text in wire.items()}
    except (tomllib.TOMLDecodeError, msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise ContractError(f"is no folder of schemas ({type(error).__name__}: {error})") from None
    if missing := sorted({name for topic in topics.values() for name in topic.records} - schemas.keys()):
        raise ContractError(f"is no folder of schemas: wire/{missing[0]}.json is missing")
    parts = {f"#/$defs/{name}": part for schema in schemas.values() for name, part in schema.get("$defs", {}).items()}
    return Contract(topics, schemas, parts)


def _of_entry(entry: Mapping[str, Any], shared: Mapping[str, Any]) -> TopicContract:
    kept = entry["retention"]
    return TopicContract(
        key=entry["key"],
        partitions=entry.get("partitions", shared["partitions"]),
        kept_days=int(kept[:-1]) if kept not in ("keep", "compact") else None,
        cleanup="compact" if kept == "compact" else "delete",
        records=frozenset(entry["values"]),
        readers=frozenset(entry["readers"]),
    )
