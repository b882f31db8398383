"""A stage: a keyed state machine over one topic, and all that the runtime and the in-memory driver know of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from msgspec import Struct

from schemas.base import Record

S = TypeVar("S")


class Origin(NamedTuple):
    """Where a record came from; the runtime or the driver fills it in."""

    topic: str
    partition: int
    offset: int
    at: int
    """Timestamp of the record, UTC ms: when the log received it."""

    @property
    def id(self) -> str:
        """The cause that facts name: `topic/partition/offset`."""
        return f"{self.topic}/{self.partition}/{self.offset}"


class Output(Struct, frozen=True, gc=False):
    """A record to write."""

    topic: str
    key: str
    value: Record
    at: int
    """Event time, UTC ms."""


class Refused(NamedTuple):
    """The record goes to the dead letters: `error` is a class to count by, `reason` has no personal data."""

    error: str
    reason: str


class Step(NamedTuple, Generic[S]):
    """What one record did: the state after it (None: forget the key), what to write, and whether it was refused."""

    state: S | None
    outputs: list[Output]
    refused: Refused | None = None


@dataclass(frozen=True, slots=True)
class Stage(Generic[S]):
    """`step` folds one record into the state of its key; `wake_at` says when that state next wants a `Wake` (UTC ms).

    The runtime (and the driver) write the `Wake` to `reads` when its time has come; a stale or repeated one must
    change nothing.
    """

    name: str
    reads: str
    writes: tuple[str, ...]
    records: Any
    """The union of record types that may arrive, `Wake` included where `wake_at` is ever not None."""
    state: type[S]
    step: Callable[[S | None, Any, Origin], Step[S]]
    wake_at: Callable[[S], int | None] = field(default=lambda _: None)
