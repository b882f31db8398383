"""Transactional producers: what the lanes of a stage fold in turn, their states and positions, durable at once."""

import asyncio
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from confluent_kafka import KafkaError, Message, Producer, TopicPartition

from agents.runtime.fold import Batch
from agents.runtime.producers import producer_config
from agents.settings import Settings

BEYOND_S = 5.0
"""The client's own limit was seen not to hold for a commit whose coordinator had died: after this we do not wait on.

The call itself goes on in its thread; only the end of the process ends it.
"""
HANGING_S = 10.0
"""By so much a transaction may outlive our own limit before Kafka aborts it."""


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
        self._timeout_ms = int((settings.transaction_timeout + HANGING_S) * 1000)
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
    """The transactions of one stage in one generation of the group, one after the other.

    `producers`: one for the id of each partition taken over. All are fenced, the first then writes for all partitions:
    a transaction costs the same for one of them as for many.
    """

    def __init__(self, producers: Sequence[Producer], metadata: bytes, timeout: float) -> None:
        self._fencing, self._producer = list(producers), producers[0]
        self._metadata, self._timeout = metadata, timeout
        # the client's calls block; one thread, so that they stay in order
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="transaction")
        self._last: dict[int, int] = {}

    async def fence(self) -> None:
        """Abort or await whatever an earlier owner has open under the id of any partition, and lock it out.

        Raises KafkaException, or TimeoutError when it is not answered.
        """
        aside = ThreadPoolExecutor(len(self._fencing), thread_name_prefix="fence")
        await asyncio.gather(*(
            self._call(aside, producer.init_transactions, self._timeout) for producer in self._fencing
        ))  # fmt: skip
        # those that will write nothing end there as well: it takes some milliseconds each
        await self._call(aside, self._fencing.clear)
        aside.shutdown(wait=False)

    def begin(self, changelog: str, batches: Iterable[tuple[int, Batch]]) -> None:
        """Open a transaction and give it all records of these partitions' batches; does not wait."""
        producer = self._producer
        producer.begin_transaction()
        produce = producer.produce
        self._last = {}
        for partition, batch in batches:
            for each in batch.outputs:
                produce(each.topic, each.value, each.key, headers=each.headers, timestamp=each.at)
            if changes := batch.changes:
                for key, state in changes[:-1]:
                    produce(changelog, state, key, partition)
                key, state = changes[-1]
                produce(changelog, state, key, partition, on_delivery=self._delivered)

    async def commit(self, topic: str, positions: Mapping[int, int]) -> Mapping[int, int]:
        """Commit with the next offset to read of each partition; answer where in the changelog its last change is.

        A partition without changes has none. Raises KafkaException (fenced, not answered) or TimeoutError: then nobody
        knows, and the process must end.
        """
        offsets = [TopicPartition(topic, partition, offset) for partition, offset in positions.items()]
        await self._call(self._thread, self._end, offsets)
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
            self._last[message.partition()] = message.offset()

    async def _call(self, thread: ThreadPoolExecutor, function: Callable[..., Any], *args: Any) -> None:
        answer = asyncio.get_running_loop().run_in_executor(thread, function, *args)
        await asyncio.wait_for(answer, self._timeout + BEYOND_S)
