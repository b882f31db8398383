"""librdkafka producers: what all of them are told, and idempotent ones for wakes and outcomes."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from msgspec import Struct

from agents.settings import Settings
from schemas.codec import Headers

ROOM_S = 0.05
"""How long a full queue is served before it is tried again."""
SERVED_S = 0.1
"""How long a thread that serves delivery reports waits for the next before it looks whether it is to end."""


class Written(Struct, frozen=True, gc=False):
    """A record ready for the producer; `at` is its timestamp, UTC ms. Its partition follows from its key."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    at: int


def client_config(settings: Settings) -> dict[str, Any]:
    """Return what every librdkafka client of a worker is told."""
    return {
        "bootstrap.servers": settings.kafka,
        # below this the client writes a line per attempt while a broker is away; what matters it raises
        "log_level": 2,
        "socket.nagle.disable": True,
        "reconnect.backoff.max.ms": 1000,
    }


def producer_config(settings: Settings) -> dict[str, Any]:
    """Return what every producer is told; murmur2 as in the Java client, so that a key has one partition for all."""
    return {
        **client_config(settings),
        "partitioner": "murmur2_random",
        "acks": "all",
        # fewer, fuller requests: a tenth less CPU of broker and readers, for at most 5 ms of a transaction's 10 to 20
        "linger.ms": 5,
        "compression.type": "lz4",
        "batch.num.messages": 10_000,
        "batch.size": 1 << 20,
        "queue.buffering.max.messages": 1_000_000,
        # CONCURRENT_TRANSACTIONS is the normal answer to back-to-back transactions; 100 ms, the default, would be the
        # latency of each
        "retry.backoff.ms": 1,
        "retry.backoff.max.ms": 20,
    }


def idempotent(settings: Settings, on_error: "OnError") -> Producer:
    """Make a producer outside transactions; `on_error` hears of every record that will not be written."""
    return Producer({
        **producer_config(settings),
        "enable.idempotence": True,
        "delivery.report.only.error": True,
        "on_delivery": on_error,
    })  # fmt: skip


def give(producer: Producer, topic: str, value: bytes | None, key: bytes | str | None, **more: Any) -> None:
    """Hand a record to a producer; while its queue is full, wait until it has room. Raises KafkaException."""
    while True:
        try:
            producer.produce(topic, value, key, **more)
        except BufferError:
            producer.poll(ROOM_S)
        else:
            return


class OnError:
    """Keeps the first delivery error of a producer until somebody asks."""

    def __init__(self) -> None:
        self.first: KafkaError | None = None

    def __call__(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None and self.first is None:
            self.first = error


class Confirmed:
    """An idempotent producer that says of each lot of records when Kafka has them, whatever else it has in hand."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._name, self._timeout = name, settings.transaction_timeout
        self._producer = Producer({**producer_config(settings), "enable.idempotence": True})
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)

    async def write(self, records: Sequence[Written]) -> None:
        """Return when every in-sync replica has all of them. Raises KafkaException or TimeoutError."""
        if not self._thread.is_alive():
            self._thread.start()
        lot = Lot(len(records))
        for each in records:
            give(
                self._producer, each.topic, each.value, each.key,
                headers=each.headers, timestamp=each.at, on_delivery=lot.heard,
            )  # fmt: skip
        try:
            await asyncio.wait_for(lot.all_there, self._timeout)
        except TimeoutError:
            raise TimeoutError(f"{self._name} not written in {self._timeout} s") from None

    async def close(self) -> None:
        """Stop the thread; what nobody waits for any more is left."""
        self._ended.set()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)

    def _serve(self) -> None:
        while not self._ended.is_set():
            self._producer.poll(SERVED_S)


class Lot:
    """Records written together; `all_there` is done when Kafka has them, or fails with the first that was not taken."""

    def __init__(self, records: int) -> None:
        self._loop = asyncio.get_running_loop()
        self.all_there: asyncio.Future[None] = self._loop.create_future()
        self._left = records
        self._first: KafkaError | None = None
        if not records:
            self.all_there.set_result(None)

    def heard(self, error: KafkaError | None, _message: Message) -> None:
        """In the thread of the reports."""
        self._left -= 1
        self._first = self._first or error
        if not self._left and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        if self.all_there.done():  # nobody waits any more
            return
        if self._first is None:
            self.all_there.set_result(None)
        else:
            self.all_there.set_exception(KafkaException(self._first))
