"""What the runtime runs beside stages: sinks, which take slices, and senders, which make calls outside Kafka."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from prometheus_client.registry import Collector

from agents.clock import Clock
from agents.settings import Settings
from streams.stage import Origin, Output


class Received(Protocol):
    """A raw record as fetched; `timestamp` is UTC ms."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Stored(NamedTuple):
    """A record read outside a worker."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True, slots=True)
class Slice:
    """Consecutive records of one partition, at least one, in order of offset."""

    topic: str
    partition: int
    records: Sequence[Received]


class Sink(Protocol):
    """Takes slices out of Kafka, at least once: a slice whose `handle` has not returned is handed over again.

    Slices of one partition come one at a time and in order; those of different partitions at the same time.
    An exception out of `handle` ends the process. A slice in hand for too long when its partition is taken away is
    cancelled, and handed to the partition's next owner.
    """

    @property
    def name(self) -> str: ...

    @property
    def topics(self) -> tuple[str, ...]: ...

    @property
    def collectors(self) -> Sequence[Collector]:
        """Metrics of its own, shown among the worker's."""
        ...

    async def open(self) -> None:
        """Once, before the first slice."""
        ...

    async def handle(self, records: Slice) -> None:
        """Take one slice; it is acknowledged when this returns."""
        ...

    async def close(self) -> None:
        """Once, when no slice is in hand any more."""
        ...


class Sender(Protocol):
    """Carries out decided effects, at least once: each record leads to a call, and the call to an outcome record.

    Calls run together, of several slices of a partition too, at most `bound` at a time in the whole process: in no
    order. The outcome is in Kafka before the record is acknowledged, so a crash repeats the call: it must carry an
    idempotency key out of the record.
    A refusal is an outcome. An exception out of `send` ends the process.
    """

    @property
    def name(self) -> str: ...

    @property
    def reads(self) -> str: ...

    @property
    def writes(self) -> tuple[str, ...]: ...

    @property
    def records(self) -> Any:
        """The record type (or union) that may arrive; anything else goes to the dead letters of `reads`."""
        ...

    @property
    def bound(self) -> int: ...

    @property
    def collectors(self) -> Sequence[Collector]:
        """Metrics of its own, shown among the worker's."""
        ...

    async def open(self) -> None: ...

    async def send(self, key: str, record: Any, origin: Origin) -> Output:
        """Make the call; answer the outcome: its topic is one of `writes`, its `at` the instant of the answer."""
        ...

    async def close(self) -> None: ...


MakeSink = Callable[[Settings, Clock], Sink]
MakeSender = Callable[[Settings, Clock], Sender]
