"""What an audit reads: committed records, positions, changelogs and the clock of a system, on Kafka or in memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

Headers = Sequence[tuple[str, bytes]]


class Entry(NamedTuple):
    """A committed record; `at` is its timestamp, UTC ms."""

    topic: str
    partition: int
    offset: int
    at: int
    key: bytes | None
    value: bytes | None
    told: Callable[[], Headers | None]
    """Answers the headers: few checks look at them, and to read them costs as much as the rest of a record."""

    @property
    def headers(self) -> Headers:
        return self.told() or ()

    @property
    def place(self) -> str:
        """`topic/partition/offset`, as facts name their cause."""
        return f"{self.topic}/{self.partition}/{self.offset}"


def header(entry: Entry, name: str) -> str:
    """The value of a header; empty when there is none."""
    return next((value.decode(errors="replace") for key, value in entry.headers if key == name), "")


class LogError(RuntimeError):
    """The system's logs cannot be read; the message says why."""


class Log(Protocol):
    """The logs of one system. Within a partition records come in order; partitions and topics may be mixed."""

    def read(self, *topics: str) -> Iterator[Entry]:
        """Every committed record of these topics; none of a topic that does not exist."""
        ...

    def topics(self) -> frozenset[str]: ...

    def done(self, stage: str) -> Mapping[int, int] | None:
        """Per partition the next offset the stage has not folded; None: everything is folded."""
        ...

    def states(self, stage: str) -> Iterator[tuple[bytes, bytes | None]]:
        """The stage's changelog: encoded states by key, the last one counts; None where a key is forgotten."""
        ...

    def now(self) -> int:
        """The instant up to which everything due must have happened, UTC ms."""
        ...
