"""librdkafka producers: a transactional one per lane, idempotent ones for wakes and outcomes."""

import asyncio
import struct
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition
from msgspec import Struct

from agents.settings import Settings
from schemas.codec import Headers

BEYOND_S = 5.0
"""The client's own limit was seen not to hold for a commit whose coordinator had died: after this we do not wait on.

The call itself goes on in its thread; only the end of the process ends it.
"""


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


def group_metadata(group: str, generation: int, member: str, instance: str = "") -> bytes:
    """Return a consumer's group membership as librdkafka serialises it.

    With it a transaction of librdkafka is fenced by the membership of another client (KIP-447). The format is
    librdkafka's own business, so it is compared with the client's own bytes at start (`checks.py`).
    """
    tail = b"\0" + instance.encode() + b"\0" if instance else b"\1"
    return b"CGMDv2:" + struct.pack("=i", generation) + group.encode() + b"\0" + member.encode() + b"\0" + tail


class Warm:
    """Producers made ahead for the ids this worker may be given: connected, but not initialised.

    Initialising would fence the present owner. A connected one is initialised in 10-50 ms, a new one in 500.
    """

    def __init__(self, settings: Settings) -> None:
        self._config = producer_config(settings)
        self._timeout_ms = int((settings.transaction_timeout + 10) * 1000)
        self._spare: dict[str, Producer] = {}

    def prepare(self, ids: Iterable[str]) -> None:
        for transactional_id in ids:
            if transactional_id not in self._spare:
                self._spare[transactional_id] = producer = self._make(transactional_id)
                producer.poll(0)

    def take(self, transactional_id: str) -> Producer:
        return self._spare.pop(transactional_id, None) or self._make(transactional_id)

    def _make(self, transactional_id: str) -> Producer:
        return Producer({
            **self._config,
            "transactional.id": transactional_id,
            "transaction.timeout.ms": self._timeout_ms,
        })  # fmt: skip


class Transactions:
    """The transactional producer of one lane in one generation of the group."""

    def __init__(self, producer: Producer, metadata: bytes, timeout: float) -> None:
        self._producer, self._metadata, self._timeout = producer, metadata, timeout
        # the client's calls block; one thread, so that they stay in order
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="transaction")
        self._last: int | None = None

    async def fence(self) -> None:
        """Abort or await whatever an earlier owner of the id has open, and lock it out.

        Raises KafkaException, or TimeoutError when it is not answered.
        """
        await self._call(self._producer.init_transactions, self._timeout)

    def begin(
        self, outputs: Iterable[Written], changelog: str, partition: int, changes: list[tuple[bytes, bytes | None]]
    ) -> None:
        """Open a transaction and give it all records; does not wait."""
        producer = self._producer
        producer.begin_transaction()
        produce = producer.produce
        for each in outputs:
            produce(each.topic, each.value, each.key, headers=each.headers, timestamp=each.at)
        self._last = None
        if changes:
            for key, state in changes[:-1]:
                produce(changelog, state, key, partition)
            key, state = changes[-1]
            produce(changelog, state, key, partition, on_delivery=self._delivered)

    async def commit(self, topic: str, partition: int, offset: int) -> int | None:
        """Commit with `offset` as the next to read; answer the offset of the last change in the changelog, if any.

        Raises KafkaException (fenced, not answered) or TimeoutError: then nobody knows, and the process must end.
        """
        await self._call(self._end, [TopicPartition(topic, partition, offset)])
        return self._last

    @property
    def awaiting(self) -> int:
        """Records handed over that Kafka has not acknowledged."""
        return len(self._producer)

    def close(self) -> None:
        self._thread.shutdown(wait=False)

    def _end(self, offsets: list[TopicPartition]) -> None:
        self._producer.send_offsets_to_transaction(offsets, self._metadata, self._timeout)
        self._producer.commit_transaction(self._timeout)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self._last = message.offset()

    async def _call(self, function: Any, *args: Any) -> None:
        answer = asyncio.get_running_loop().run_in_executor(self._thread, function, *args)
        await asyncio.wait_for(answer, self._timeout + BEYOND_S)
