"""An independent reader of committed records, which notes when each became visible to it."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Self

from confluent_kafka import Consumer, TopicPartition

from agents.positions import Place
from deploy.bench.lab import BenchError
from schemas.clusters import ClusterSighting
from schemas.codec import decoder
from schemas.topics import ESCALATION_RAISED

CHUNK: Final = 1000
WAIT_S: Final = 0.02
LOOK_S: Final = 0.1
_sighting: Final[Callable[[bytes], ClusterSighting]] = decoder(ClusterSighting)


def reader(kafka: str, begin: Mapping[Place, int]) -> Consumer:
    """A reader of committed records from these offsets on, which has them soon after they are there."""
    consumer = Consumer({
        "bootstrap.servers": kafka,
        "group.id": "nivaran-bench",  # the client demands one; nothing is committed
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "fetch.wait.max.ms": 20,
        "fetch.queue.backoff.ms": 20,
        "log_level": 2,
    })  # fmt: skip
    consumer.assign([TopicPartition(*place, offset) for place, offset in begin.items()])
    return consumer


class Onlooker:
    """Reads escalations, and the sightings that are in the transactions of registrations and nobody else's.

    `escalated` and `registered`: case -> when it was first seen, seconds UTC. The time of a chunk is that at which the
    client hands it over.
    """

    def __init__(self, kafka: str, begin: Mapping[Place, int]) -> None:
        self.escalated: dict[str, float] = {}
        self.registered: dict[str, float] = {}
        self._fault: Exception | None = None
        self._ended = threading.Event()
        self._consumer = reader(kafka, begin)
        self._thread = threading.Thread(target=self._follow, name="onlooker", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._consumer.close()

    def wait_for(self, cases: Sequence[str], within: float) -> None:
        """Wait until all these registrations have been seen; raises BenchError when they are not in so many seconds."""
        deadline = time.monotonic() + within
        while missing := sum(case not in self.registered for case in cases):
            self.check()
            if time.monotonic() > deadline:
                raise BenchError(f"void: {missing} of {len(cases)} registrations are not visible")
            time.sleep(LOOK_S)

    def check(self) -> None:
        """Raises BenchError when it cannot read any more."""
        if self._fault is not None:
            raise BenchError(f"the reader of what is written ended: {self._fault}") from self._fault

    def _follow(self) -> None:
        try:
            while not self._ended.is_set():
                messages = self._consumer.consume(CHUNK, WAIT_S)
                now = time.time()
                for message in messages:
                    self._note(message, now)
        except Exception as error:  # noqa: BLE001 - told to who waits for what it sees
            self._fault = error

    def _note(self, message: Any, now: float) -> None:
        if (error := message.error()) is not None:
            raise BenchError(str(error))
        if message.topic() == ESCALATION_RAISED:
            self.escalated.setdefault(message.key().decode(), now)
        else:
            self.registered.setdefault(_sighting(message.value()).case, now)
