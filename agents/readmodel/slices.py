"""What a fold of the read model is: what it must read first, the records of a slice, and the port."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from agents.readmodel.keys import Keys
from agents.readmodel.writes import Writes
from agents.runtime.ports import Received

R = TypeVar("R")
log = logging.getLogger("nivaran.board")


class Reads(NamedTuple):
    """What has to be read before a slice can be folded."""

    values: tuple[str, ...] = ()
    fields: Mapping[str, tuple[str, ...]] = {}
    """Hash -> fields."""
    ranges: tuple[str, ...] = ()
    """Sorted sets, whole."""


class Found(NamedTuple):
    """What was read; absent values are left out."""

    values: Mapping[str, bytes]
    fields: Mapping[tuple[str, str], bytes]
    ranges: Mapping[str, Sequence[bytes]]


class Parsed(NamedTuple):
    """A record and its bytes as they are in the log."""

    record: Any
    raw: bytes


class Fold(Protocol):
    """How one topic is shown."""

    def reads(self, slice_: Sequence[Parsed], keys: Keys) -> Reads: ...

    def writes(self, slice_: Sequence[Parsed], keys: Keys, found: Found, writes: Writes) -> None: ...


def parse(decode: Callable[[bytes], R], records: Iterable[Received]) -> tuple[list[Parsed], int]:
    """The records, and how many could not be read: those are logged by position and stay in the log."""
    parsed, unreadable = [], []
    for record in records:
        try:
            parsed.append(Parsed(decode(record.value or b""), record.value or b""))
        except msgspec.MsgspecError:
            unreadable.append(record)
    for record in unreadable:
        log.error("%s/%s/%s cannot be read and is not shown", record.topic, record.partition, record.offset)
    return parsed, len(unreadable)
