"""Writes records to Kafka and says when every in-sync replica has them; nothing else counts as accepted."""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

from confluent_kafka import KafkaError, KafkaException, Producer

from agents.runtime.envelope import Stamp
from agents.runtime.producers import producer_config
from agents.settings import Settings
from schemas.base import Record
from schemas.codec import encode

POLL_SECONDS: Final = 0.1
LINGER_MS: Final = 5
"""What is accepted within it goes to Kafka in one request; at 500 a second, half as many requests as with 1."""
CHECK_SECONDS: Final = 1.0
CHECK_TIMEOUT_SECONDS: Final = 3.0
QUEUED_MESSAGES: Final = 50_000
REACHED: Final = "reached"
KAFKA_AWAY: Final = "kafka-away"

logger = logging.getLogger(__name__)


class LogUnavailableError(RuntimeError):
    """The record is not known to be durable: Kafka is away, too few replicas are in sync, or too much is in hand."""


class Entry(NamedTuple):
    """A record to write; `at` is its event time and `written_at` its timestamp in the log, both UTC ms."""

    topic: str
    key: str
    id: str
    value: Record
    at: int
    written_at: int
    traceparent: str | None = None


class Log(Protocol):
    """Where accepted requests go."""

    async def append(self, entry: Entry) -> None:
        """Return when the record is durable; raises LogUnavailableError."""
        ...

    async def close(self) -> None: ...

    @property
    def available(self) -> bool: ...

    @property
    def fatal(self) -> str | None:
        """Why nothing can be written any more until the process starts anew."""
        ...


def durable_producer_config(settings: Settings, delivery_timeout: float, *, linger_ms: int) -> dict[str, Any]:
    """Idempotent, acknowledged by all in-sync replicas, given up after `delivery_timeout` seconds."""
    return {
        **producer_config(settings),
        "enable.idempotence": True,
        "linger.ms": linger_ms,
        "message.timeout.ms": int(delivery_timeout * 1000),
        "request.timeout.ms": max(1000, int(delivery_timeout * 1000) // 2),
        "retry.backoff.ms": 20,
        "retry.backoff.max.ms": 500,
        "queue.buffering.max.messages": QUEUED_MESSAGES,
    }


class KafkaLog:
    """One idempotent producer; a thread serves its delivery reports and hands them to the event loop in batches."""

    def __init__(self, settings: Settings, delivery_timeout: float, writer: str, topics: Sequence[str]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stamp = Stamp(writer)
        self._topics = topics
        self._delivery_timeout = delivery_timeout
        self._reports: deque[tuple[asyncio.Future[None], KafkaError | None]] = deque()
        self._woken = False
        self._fatal: str | None = None
        self._available = False
        self._delivered_at = 0.0
        self._stopping = threading.Event()
        config = durable_producer_config(settings, delivery_timeout, linger_ms=LINGER_MS)
        self._producer = Producer({**config, "error_cb": self._on_error})
        self._threads = [
            threading.Thread(target=self._serve_reports, name="delivery-reports", daemon=True),
            threading.Thread(target=self._watch_cluster, name="cluster-watch", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def available(self) -> bool:
        return self._available and self._fatal is None

    @property
    def fatal(self) -> str | None:
        return self._fatal

    async def append(self, entry: Entry) -> None:
        """Return when every in-sync replica has the record; raises LogUnavailableError, at last after the timeout."""
        if not self.available:
            raise LogUnavailableError(KAFKA_AWAY)
        future: asyncio.Future[None] = self._loop.create_future()
        trace = None if entry.traceparent is None else entry.traceparent.encode()
        key = entry.key.encode()
        try:
            self._producer.produce(
                entry.topic,
                encode(entry.value),
                key,
                headers=self._stamp(entry.value, entry.id.encode(), key, entry.at, trace),
                timestamp=entry.written_at,
                on_delivery=lambda error, _message: self._report(future, error),
            )
        except (BufferError, KafkaException) as error:
            raise LogUnavailableError(type(error).__name__) from None
        await future

    async def close(self) -> None:
        """Flush what is in hand, then stop the threads."""
        await asyncio.to_thread(self._producer.flush, self._delivery_timeout + 1)
        self._stopping.set()
        for thread in self._threads:
            await asyncio.to_thread(thread.join, CHECK_TIMEOUT_SECONDS + 1)
        self._deliver()

    def _report(self, future: asyncio.Future[None], error: KafkaError | None) -> None:
        """In the reports' thread: one wake-up of the event loop serves all reports of a batch."""
        self._reports.append((future, error))
        if not self._woken and not self._loop.is_closed():
            self._woken = True
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._woken = False  # before the last look, so that a report that comes now wakes again
        while self._reports:
            future, error = self._reports.popleft()
            if error is None:
                self._delivered_at = time.monotonic()
            if future.done():  # the caller has gone
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(LogUnavailableError(error.name()))

    def _serve_reports(self) -> None:
        while not self._stopping.is_set():
            self._producer.poll(POLL_SECONDS)

    def _watch_cluster(self) -> None:
        """Notices that Kafka is away, so that requests are refused at once and not after the delivery timeout each."""
        said = ""
        while not self._stopping.is_set():
            state = self._cluster_state()
            if state != said:
                logger.log(logging.INFO if state == REACHED else logging.WARNING, "Kafka: %s", state)
            said, self._available = state, state == REACHED
            self._stopping.wait(CHECK_SECONDS)

    def _cluster_state(self) -> str:
        try:
            found = self._producer.list_topics(timeout=CHECK_TIMEOUT_SECONDS).topics
        except KafkaException:
            return REACHED if time.monotonic() - self._delivered_at < CHECK_TIMEOUT_SECONDS else "away"
        missing = [topic for topic in self._topics if topic not in found]
        return f"no topic {', '.join(missing)}: run `nivaran topics apply`" if missing else REACHED

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._fatal = error.name()
            logger.critical("the producer cannot go on: %s", error.name())
