"""The logs of a running system on Kafka, as an audit reads them."""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from agents.audit.log import Entry, LogError
from agents.kafka_admin import ClusterError, knock
from agents.positions import committed, onlooker
from schemas.base import Wake
from schemas.codec import decoder
from schemas.topics import CLOCK
from streams.topology import STAGES

ANSWER_S: Final = 20.0
MOST: Final = 10_000
WAIT_S: Final = 0.05
"""For that many records to come together: at the end of a topic nothing more does."""
WALL_GRACE_MS: Final = 60_000
"""With wall time something is always just falling due: what is younger than this need not have happened yet."""
_decode_wake: Final[Callable[[bytes], Wake]] = decoder(Wake)


class KafkaLog:
    """Reads committed records only. It can be sent to another process."""

    def __init__(self, kafka: str, groups: Mapping[str, str]) -> None:
        """`groups`: stage -> the consumer group of the workers that run it."""
        self._kafka, self._groups = kafka, dict(groups)
        _partitions.cache_clear()  # it may be another cluster at the same address

    def topics(self) -> frozenset[str]:
        return frozenset(_partitions(self._kafka))

    def read(self, *topics: str) -> Iterator[Entry]:
        """Raise LogError when Kafka does not answer."""
        there = _partitions(self._kafka)
        places = {(topic, partition) for topic in topics for partition in range(there.get(topic, 0))}
        if not places:
            return
        consumer = _consumer(self._kafka)
        try:
            consumer.assign([TopicPartition(*place, 0) for place in sorted(places)])
            while places:
                for message in consumer.consume(MOST, WAIT_S):
                    fault = message.error()
                    if fault is None:
                        yield _entry(message)
                    elif fault.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name for it
                        places.discard((message.topic() or "", message.partition() or 0))
                    else:
                        raise LogError(f"{message.topic()}: {fault.str()}")
        finally:
            consumer.close()

    def done(self, stage: str) -> Mapping[int, int]:
        reads = next(each.reads for each in STAGES if each.name == stage)
        return _committed(self._kafka, self._groups[stage], reads)

    def states(self, stage: str) -> Iterator[tuple[bytes, bytes | None]]:
        for entry in self.read(f"{self._groups[stage]}-{stage}-changelog"):
            if entry.key is not None:
                yield entry.key, entry.value

    def now(self) -> int:
        """The simulated instant, where there is one; else the machine's, less a minute."""
        instants = [_decode_wake(entry.value).now_at for entry in self.read(CLOCK) if entry.value is not None]
        return max(instants) if instants else time.time_ns() // 1_000_000 - WALL_GRACE_MS


def _entry(message: Message) -> Entry:
    return Entry(
        message.topic() or "",
        message.partition() or 0,
        message.offset() or 0,
        message.timestamp()[1],
        message.key(),
        message.value(),
        message.headers,
    )


@cache
def _partitions(kafka: str) -> dict[str, int]:
    try:
        knock(kafka)
        found = AdminClient({"bootstrap.servers": kafka, "log_level": 2}).list_topics(timeout=ANSWER_S).topics
    except ClusterError as error:
        raise LogError(str(error)) from error
    except KafkaException as error:
        raise LogError(f"Kafka at {kafka}: {error.args[0].str()}. Is it up, is NIVARAN_KAFKA right?") from error
    return {name: len(topic.partitions) for name, topic in found.items()}


def _consumer(kafka: str) -> Consumer:
    return Consumer({
        "bootstrap.servers": kafka,
        "group.id": "nivaran-audit",  # the client demands one; nothing is committed and nothing joined
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 50,
        "queued.max.messages.kbytes": 32_768,
        "log_level": 2,
    })  # fmt: skip


def _committed(kafka: str, group: str, topic: str) -> dict[int, int]:
    asking = onlooker({"bootstrap.servers": kafka, "log_level": 2}, group)
    try:
        return committed(asking, topic, range(_partitions(kafka).get(topic, 0)), ANSWER_S)
    except KafkaException as error:
        raise LogError(f"group {group}: {error.args[0].str()}") from error
    finally:
        asking.close()
