"""What a run wrote, as a reader of committed records sees it: counts and checksums that no order can change."""

import time
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from msgspec import Struct

from agents.positions import Place, offsets

CHUNK: Final = 5000
WAIT_S: Final = 0.5
ASK_S: Final = 20.0
LEADERLESS: Final = frozenset({
    KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE, KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.FENCED_LEADER_EPOCH,
})  # fmt: skip
"""What a busy broker says of a partition that it has just been given."""
MODULUS: Final = 1 << 64


class Outputs(Struct, frozen=True):
    """Records of every output topic together: how many, and the sum of a hash of each.

    `content` is of topic, key and value alone: what another engine must have written as well.
    """

    count: int
    checksum: int
    content: int = 0


def outputs(kafka: str, admin: AdminClient, begin: Mapping[Place, int]) -> Outputs:
    """Everything from `begin` on: topic, key, value, headers and timestamp of each record."""
    count = checksum = content = 0
    for message in read(kafka, admin, begin):
        said = repr((message.topic(), message.key(), message.value()))
        count += 1
        content += fingerprint(said.encode())
        checksum += fingerprint(f"{said}{message.headers()}{message.timestamp()}".encode())
    return Outputs(count, checksum % MODULUS, content % MODULUS)


def states(kafka: str, admin: AdminClient, begin: Mapping[Place, int]) -> Outputs:
    """What a changelog amounts to: the last record of each key in its partition, where it is not a deletion."""
    latest: dict[tuple[int, bytes], int] = {}
    for message in read(kafka, admin, begin):
        place = (message.partition(), message.key())
        if message.value() is None:
            latest.pop(place, None)
        else:
            latest[place] = fingerprint(repr(place).encode() + message.value())
    return Outputs(len(latest), sum(latest.values()) % MODULUS)


def fingerprint(content: bytes) -> int:
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big")


def ends(admin: AdminClient, places: Iterable[Place]) -> dict[Place, int]:
    """The next offset to be written of each partition; asks again while a new topic finds its leader."""
    asked, deadline = list(places), time.monotonic() + ASK_S
    while True:
        try:
            return offsets(admin, asked, OffsetSpec.latest(), ASK_S)
        except KafkaException as fault:
            if fault.args[0].code() not in LEADERLESS or time.monotonic() > deadline:
                raise
        time.sleep(WAIT_S)


def reader(kafka: str, begin: Mapping[Place, int]) -> Consumer:
    """Reads committed records from these offsets on, and says where a partition ends; to be closed."""
    consumer = Consumer({
        "bootstrap.servers": kafka,
        "group.id": "nivaran-bench",  # the client demands one; nothing is committed
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "log_level": 2,
    })  # fmt: skip
    consumer.assign([TopicPartition(topic, partition, offset) for (topic, partition), offset in begin.items()])
    return consumer


def read(kafka: str, admin: AdminClient, begin: Mapping[Place, int]) -> Iterator[Any]:
    """Committed records from these offsets to the end of each partition; raises KafkaException.

    The end is what stands in the log now, a transaction whose end is not yet marked everywhere included: its last
    partition may become readable after its offsets do.
    """
    consumer = reader(kafka, begin)
    try:
        last = ends(admin, begin)
        left = set(begin)
        while left:
            for message in consumer.consume(CHUNK, WAIT_S):
                error = message.error()
                if error is None:
                    yield message
                elif error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's own name for it
                    raise KafkaException(error)
                elif message.offset() >= last[place := (message.topic(), message.partition())]:
                    left.discard(place)  # told again whenever more becomes readable
    finally:
        consumer.close()
