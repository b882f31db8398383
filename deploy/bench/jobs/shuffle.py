"""ShuffleBench's job: records are matched to consumers, and each consumer keeps count of its own.

After github.com/dynatrace-research/ShuffleBench: a fifth of the records match one of the consumers, all as likely; the
whole record goes to its consumer through a topic; a consumer keeps count, sum, first and last instant (32 bytes), and
at every tenth record emits them and begins anew. There a record has its data as bytes, here as text in JSON; size and
traffic are the same.
"""

from functools import partial
from typing import Any, Final, NamedTuple
from zlib import crc32

from msgspec import Struct

from schemas.base import Record
from streams.stage import Origin, Output, Stage, Step

SELECTIVITY: Final = 0.2
OUTPUT_RATE: Final = 10
RECORD_BYTES: Final = 1024
PARTITIONS: Final = 8
CONSUMERS: Final = (1_000, 1_000_000)
HASHES: Final = 1 << 32
NUMBER: Final = 16
"""Hexadecimal digits at the beginning of the data: the number that is added up."""


class Message(Record, frozen=True, tag="bench.message.v1"):
    at: int
    data: str


class Emitted(Record, frozen=True, tag="bench.emitted.v1"):
    count: int
    sum: int
    first_at: int
    last_at: int


class Tally(Struct, frozen=True, array_like=True):
    """What a consumer keeps."""

    count: int = 0
    sum: int = 0
    first_at: int = 0
    last_at: int = 0


class Topics(NamedTuple):
    reads: str
    matched: str
    emitted: str

    @classmethod
    def named(cls, reads: str, prefix: str) -> "Topics":
        return cls(reads, f"{prefix}.matched", f"{prefix}.emitted")


def consumer_of(data: str, consumers: int) -> int | None:
    """The consumer that a record's data match, if any."""
    place = crc32(data.encode()) / HASHES
    return int(place / SELECTIVITY * consumers) if place < SELECTIVITY else None


def stages(topics: Topics, consumers: int) -> tuple[Stage[Any], ...]:
    """The matcher, which keeps nothing, and the consumers."""
    return (
        Stage("matcher", topics.reads, (topics.matched,), Message, Tally, partial(_match, topics.matched, consumers)),
        Stage(
            "consumer", topics.matched, (topics.emitted,), Message, Tally, partial(_consume, topics.emitted, consumers)
        ),
    )


def _match(to: str, consumers: int, _: Tally | None, message: Message, origin: Origin) -> Step[Tally]:
    found = consumer_of(message.data, consumers)
    return Step(None, [] if found is None else [Output(to, str(found), message, origin.at)])


def _consume(to: str, consumers: int, tally: Tally | None, message: Message, origin: Origin) -> Step[Tally]:
    before = tally or Tally()
    count, at = before.count + 1, message.at
    total = (before.sum + int(message.data[:NUMBER], 16)) % (1 << 63)
    first_at = before.first_at if before.count else at
    if count < OUTPUT_RATE:
        return Step(Tally(count, total, first_at, at), [])
    key = str(consumer_of(message.data, consumers))  # a stage is not told the key of its record
    return Step(Tally(), [Output(to, key, Emitted(count, total, first_at, at), origin.at)])
