"""What is sent: complaints and what is done about them, each at its own instant whatever became of those before."""

import heapq
import random
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Final, NamedTuple

from confluent_kafka import Producer

from agents.gateway.log import durable_producer_config
from agents.gateway.records import Identity, complaint
from agents.runtime.producers import OnError, give
from agents.settings import Settings
from deploy.bench import mix
from schemas import commands as c
from schemas.base import Actor
from schemas.codec import encode
from schemas.topics import CASE_COMMANDS, INTAKE_SUBMITTED

ENOUGH: Final = 100_000_000
"""Complaints there are bodies for."""
FLUSH_S: Final = 300.0
OFFICER, CALL_CENTRE = Actor("officer"), Actor("call-centre")
Head = tuple[str, str, int]
LIFE: Final[tuple[tuple[float, Callable[[Head], Any]], ...]] = (
    (2, lambda head: c.View(*head, OFFICER)),
    (4, lambda head: c.AddNote(*head, OFFICER, "जाँच की गई।")),
    (7, lambda head: c.Dispose(*head, OFFICER, "ठीक कराया गया।")),
    (10, lambda head: c.ConfirmSatisfied(*head, CALL_CENTRE)),
)
"""Seconds after the complaint, and what is done then."""
LEFT_OPEN: Final = 0.2
"""Of the cases: nobody disposes of them."""
UNTIL_LEFT: Final = 2
"""Steps of such a life."""
RECORDS: Final = 1 + LEFT_OPEN * UNTIL_LEFT + (1 - LEFT_OPEN) * len(LIFE)
"""Of a case, on average."""


class Record(NamedTuple):
    """Something to send `after` seconds from the beginning."""

    after: float
    topic: str
    key: str
    make: Callable[[int], bytes]
    """From the instant it is sent at (UTC ms) to its value."""


def records(seed: int, rate: float, run: str, identity: Identity) -> Iterator[Record]:
    """In order of their instants, about `rate` a second; without an end, the same for the same seed but for sealing."""
    draw, tick, coming = random.Random(seed), count(), list[tuple[float, int, Record]]()
    for number, body in enumerate(mix.complaints(ENOUGH, seed)):
        after = number * RECORDS / rate
        while coming and coming[0][0] <= after:
            yield heapq.heappop(coming)[2]
        key = f"{run}-{number:08d}"
        opened, _ = complaint(body, key, time.time_ns() // 1_000_000, identity)
        assert opened is not None, "the bodies are those the gateway takes"
        yield Record(after, INTAKE_SUBMITTED, opened.citizen, lambda at, b=body, k=key: _submitted(b, k, at, identity))  # type: ignore[misc]
        steps = LIFE[:UNTIL_LEFT] if draw.random() < LEFT_OPEN else LIFE
        for step, (later, make) in enumerate(steps):
            head = (f"{key}-{step}", opened.case)
            told = Record(
                after + later, CASE_COMMANDS, opened.case,
                lambda at, h=head, m=make: encode(m((*h, at))),  # type: ignore[misc]
            )  # fmt: skip
            heapq.heappush(coming, (told.after, next(tick), told))


def _submitted(body: dict[str, Any], key: str, at: int, identity: Identity) -> bytes:
    submitted, _ = complaint(body, key, at, identity)
    return encode(submitted)


def own(topic: str, value: bytes, run: str) -> bool:
    """Whether a record is one of the load's: clocks write wakes beside it, intake registrations."""
    return not value.startswith(b'{"type":"wake.') if topic == INTAKE_SUBMITTED else f'"id":"{run}-'.encode() in value


class Load:
    """An open loop in a thread of its own; `end` waits until everything is durable."""

    def __init__(self, kafka: str, wanted: Iterator[Record]) -> None:
        settings = Settings(kafka=kafka)
        self._producer = Producer(durable_producer_config(settings, FLUSH_S, linger_ms=5))
        self._records, self._error = wanted, OnError()
        self._enough = threading.Event()
        self.sent: dict[str, int] = {INTAKE_SUBMITTED: 0, CASE_COMMANDS: 0}
        self.late_s = 0.0
        """How far behind its instant a record was sent at the most: the load itself could not keep up."""
        self._thread = threading.Thread(target=self._send, name="load", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def end(self) -> None:
        """Raises RuntimeError where something did not become durable."""
        self._enough.set()
        self._thread.join()
        left = self._producer.flush(FLUSH_S)
        if left or self._error.first is not None:
            raise RuntimeError(f"{left} records were not written: {self._error.first}")

    def _send(self) -> None:
        began = time.monotonic()
        for record in self._records:
            ahead = began + record.after - time.monotonic()
            while ahead > 0:
                if self._enough.is_set():
                    return
                self._producer.poll(min(ahead, 0.1))
                ahead = began + record.after - time.monotonic()
            if self._enough.is_set():
                return
            self.late_s = max(self.late_s, -ahead)
            now = time.time_ns() // 1_000_000
            give(self._producer, record.topic, record.make(now), record.key, timestamp=now, on_delivery=self._error)
            self.sent[record.topic] += 1
