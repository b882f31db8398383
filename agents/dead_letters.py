"""Dead letters: reading them, and writing them back to where they came from, once each."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from msgspec import Struct

from agents.kafka_admin import ClusterError
from agents.runtime.envelope import ATTEMPTS, DEAD
from agents.runtime.producers import client_config, producer_config
from agents.settings import Settings
from schemas.codec import Headers
from schemas.registry import dead_letters

TIMEOUT_S: Final = 30.0
BATCH: Final = 200
"""Records of one transaction."""
TIMESTAMP_DIGITS: Final = 15
"""Of an instant until the year 33658; Python refuses to read a number of some thousand digits."""
REDRIVEN: Final = DEAD + "redriven"
"""Header of a record that was written back: `topic/partition/offset` of its dead letter."""


class DeadLetter(Struct, frozen=True):
    """A record that a reader could not take, with the headers that say why."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    def told(self, name: str) -> str:
        """What the header `x-dlq-<name>` says; empty when there is none."""
        return next((value.decode("utf-8", "replace") for header, value in self.headers if header == DEAD + name), "")

    @property
    def place(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def error(self) -> str:
        return self.told("error-class") or "unknown"

    @property
    def origin(self) -> str:
        """The topic it came from; raises ClusterError when that is not the one whose dead letters these are."""
        origin = self.told("original-topic")
        if dead_letters(origin) != self.topic:
            raise ClusterError(f"{self.place}: says it came from {origin!r}, whose dead letters these are not")
        return origin

    @property
    def timestamp(self) -> int:
        """The one it had, UTC ms; 0, for which Kafka's client puts the present, where the header is no such number."""
        at = self.told("original-timestamp")
        return int(at) if at.isascii() and at.isdecimal() and len(at) <= TIMESTAMP_DIGITS else 0

    def restored(self) -> Headers:
        """The headers it had, its number of attempts, and where it was kept meanwhile."""
        kept = [(name, value) for name, value in self.headers if not name.startswith(DEAD) or name == ATTEMPTS]
        return [*kept, (REDRIVEN, self.place.encode())]


def read(settings: Settings, dead_letter_topics: Iterable[str]) -> Iterator[DeadLetter]:
    """All committed records of these topics, from the oldest to those that were there at the call."""
    consumer = _consumer(settings, f"{settings.group_prefix}-dlq")
    try:
        yield from _until_end(consumer, _partitions(consumer, dead_letter_topics))
    except KafkaException as error:
        raise ClusterError(f"Kafka at {settings.kafka}: {error.args[0].str()}") from error
    finally:
        consumer.close()


class Ledger:
    """Which dead letters were written back already.

    There is a consumer group per class of error, so that writing back one class leaves the others waiting.
    """

    def __init__(self, settings: Settings, dead_letter_topics: Iterable[str]) -> None:
        self._settings, self._topics = settings, tuple(dead_letter_topics)
        self._consumers: dict[str, Consumer] = {}
        self._next: dict[tuple[str, str, int], int] = {}

    def done(self, letter: DeadLetter) -> bool:
        self._consumer(letter.error)
        return letter.offset < self._next.get((letter.error, letter.topic, letter.partition), 0)

    def note(self, letter: DeadLetter) -> None:
        self._next[letter.error, letter.topic, letter.partition] = letter.offset + 1

    def commit(self, producer: Producer, letters: Iterable[DeadLetter]) -> None:
        """Add the positions after `letters` to the producer's transaction."""
        for error in sorted({letter.error for letter in letters}):
            offsets = [
                TopicPartition(topic, partition, position)
                for (other, topic, partition), position in self._next.items()
                if other == error
            ]
            producer.send_offsets_to_transaction(offsets, self._consumer(error).consumer_group_metadata(), TIMEOUT_S)

    def close(self) -> None:
        for consumer in self._consumers.values():
            consumer.close()

    def _consumer(self, error: str) -> Consumer:
        found = self._consumers.get(error)
        if found is None:
            found = self._consumers[error] = _consumer(self._settings, f"{self._settings.group_prefix}-redrive-{error}")
            for each in found.committed(_partitions(found, self._topics), TIMEOUT_S):
                if each.offset > 0:
                    self._next[error, each.topic, each.partition] = each.offset
        return found


@contextmanager
def ledger(settings: Settings, dead_letter_topics: Iterable[str]) -> Iterator[Ledger]:
    """Open the ledger of these topics."""
    opened = Ledger(settings, dead_letter_topics)
    try:
        yield opened
    except KafkaException as error:
        raise ClusterError(f"Kafka at {settings.kafka}: {error.args[0].str()}") from error
    finally:
        opened.close()


def redrive(
    settings: Settings, letters: Iterable[DeadLetter], written: Ledger, rate: float | None = None
) -> Iterator[DeadLetter]:
    """Write letters back to where they came from, in transactions with the note that it was done; yield each.

    Key, value, headers and timestamp are as they were. `rate` is records a second. A second redrive that runs at the
    same time is fenced: Kafka ends the older one.
    """
    producer = Producer({**producer_config(settings), "transactional.id": f"{settings.group_prefix}-redrive"})
    producer.init_transactions(TIMEOUT_S)
    waiting = iter(letters)
    size = BATCH if rate is None else max(1, min(BATCH, int(rate)))
    while batch := list(islice(waiting, size)):
        begun = time.monotonic()
        _write_back(producer, batch, written)
        yield from batch
        if rate is not None:
            time.sleep(max(0.0, len(batch) / rate - (time.monotonic() - begun)))


def _write_back(producer: Producer, batch: list[DeadLetter], written: Ledger) -> None:
    producer.begin_transaction()
    for letter in batch:
        producer.produce(letter.origin, letter.value, letter.key, headers=letter.restored(), timestamp=letter.timestamp)
        written.note(letter)
    written.commit(producer, batch)
    producer.commit_transaction(TIMEOUT_S)


def _consumer(settings: Settings, group: str) -> Consumer:
    return Consumer({
        **client_config(settings),
        "group.id": group,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 50,
    })  # fmt: skip


def _partitions(consumer: Consumer, wanted: Iterable[str]) -> list[TopicPartition]:
    there = consumer.list_topics(timeout=TIMEOUT_S).topics
    missing = sorted(set(wanted) - set(there))
    if missing:
        raise ClusterError(f"no topic {missing[0]}: `nivaran topics apply` creates it")
    return [TopicPartition(topic, each, OFFSET_BEGINNING) for topic in wanted for each in there[topic].partitions]


def _until_end(consumer: Consumer, partitions: list[TopicPartition]) -> Iterator[DeadLetter]:
    consumer.assign(partitions)
    open_partitions = {(each.topic, each.partition) for each in partitions}
    while open_partitions:
        message = consumer.poll(TIMEOUT_S)
        if message is None:
            raise ClusterError(f"Kafka says nothing for {TIMEOUT_S:.0f} s")
        fault = message.error()
        if fault is None:
            yield _letter(message)
        elif fault.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name for it
            open_partitions.discard((message.topic(), message.partition()))
        else:
            raise KafkaException(fault)


def _letter(message: Any) -> DeadLetter:
    headers = [(name, value or b"") for name, value in message.headers() or []]
    return DeadLetter(message.topic(), message.partition(), message.offset(), message.key(), message.value(), headers)
