"""The topic registry: `topics.toml`, typed and checked; the one place where a topic is described."""

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

DEPARTMENT_FEED = "grievance.department.{department}.v1"
DAY_MS = 86_400_000


class Defaults(Struct, frozen=True, forbid_unknown_fields=True):
    """What a topic has unless it says otherwise."""

    partitions: Annotated[int, Meta(ge=1)]
    min_insync_replicas: Annotated[int, Meta(ge=1)]
    max_message_bytes: Annotated[int, Meta(ge=1024)]


class Topic(Struct, frozen=True, forbid_unknown_fields=True):
    """One topic: who writes and reads it, what keys and values are, how long they stay."""

    owner: str
    about: str
    key: str
    values: tuple[str, ...]
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    retention: Annotated[str, Meta(pattern=r"\A(keep|compact|[1-9][0-9]*d)\Z")]
    partitions: int | None = None
    dlq: bool = False
    name: str = ""

    @property
    def config(self) -> dict[str, str]:
        """Kafka's topic settings for this retention."""
        if self.retention == "compact":
            return {"cleanup.policy": "compact"}
        days = -1 if self.retention == "keep" else int(self.retention[:-1])
        return {"cleanup.policy": "delete", "retention.ms": str(days * DAY_MS if days > 0 else -1)}


def dead_letters(topic: str) -> str:
    """The topic that keeps what `topic`'s reader could not take."""
    return f"{topic}.dlq"


@cache
def _file() -> tuple[Defaults, dict[str, Topic]]:
    raw = tomllib.loads(files("schemas").joinpath("topics.toml").read_text("utf-8"))
    defaults = msgspec.convert(raw.pop("defaults"), Defaults)
    return defaults, {name: msgspec.convert({**entry, "name": name}, Topic) for name, entry in raw.items()}


def defaults() -> Defaults:
    """Settings shared by all topics."""
    return _file()[0]


def declared() -> dict[str, Topic]:
    """The registry as written, department feeds still one pattern."""
    return _file()[1]


def department_feed(department: str) -> str:
    """The feed topic of one department."""
    return DEPARTMENT_FEED.format(department=department)


def topics(departments: Iterable[str]) -> dict[str, Topic]:
    """Every topic that exists in a deployment with these departments, dead-letter topics included."""
    found: dict[str, Topic] = {}
    for name, topic in declared().items():
        names = (
            [department_feed(department) for department in sorted(departments)] if name == DEPARTMENT_FEED else [name]
        )
        found.update({each: replace(topic, name=each) for each in names})
    for topic in list(found.values()):
        if topic.dlq:
            name = dead_letters(topic.name)
            about = f"records of {topic.name} that could not be taken, with reason"
            found[name] = replace(
                topic,
                name=name,
                about=about,
                readers=("nivaran dlq",),
                writers=topic.readers,
                dlq=False,
                retention="keep",
            )
    return found
