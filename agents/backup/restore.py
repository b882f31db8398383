"""Writes a backup into a cluster that has none of its topics, and reads it again to see that it is the same."""

import hashlib
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from agents.audit.kafka_log import KafkaLog
from agents.backup.export import ANSWER_S, OPEN_FILES, Tell, read
from agents.backup.files import BackupError, Manifest, Part, Stored, line, lines
from agents.backup.steps import Aborted, Committed, Filler, Plain, Step, steps
from agents.kafka_admin import Spec, connected
from agents.positions import Place, offsets
from agents.runtime.producers import give, producer_config
from agents.settings import Settings

WRITERS: Final = 4
"""Partitions are shared out among so many; the time goes to waiting for transactions to end."""
FLUSH_S: Final = 60.0
LOOK_S: Final = 0.005


class Writer:
    """Writes partitions side by side: in each turn every partition takes one step, those of a kind together."""

    def __init__(self, config: dict[str, Any], name: str) -> None:
        self._fault: KafkaError | None = None
        self._admin = AdminClient(config)
        self._marked: set[Place] = set()
        """Partitions whose last step was a transaction: its end is answered before its marker is written."""
        common = {**producer_config(Settings(kafka=config["bootstrap.servers"])), "on_delivery": self._delivered}
        self._plain = Producer({**common, "enable.idempotence": True})
        self._transactional = Producer({**common, "transactional.id": name})
        self._transactional.init_transactions(ANSWER_S)

    def write(self, parts: dict[Place, Iterator[Step]]) -> None:
        """Take all steps of these partitions; raises KafkaException, BackupError."""
        while parts:
            turn = {place: step for place, left in parts.items() if (step := next(left, None)) is not None}
            parts = {place: left for place, left in parts.items() if place in turn}
            self._turn(turn)

    def _turn(self, turn: dict[Place, Step]) -> None:
        committed = [(place, step.records) for place, step in turn.items() if isinstance(step, Committed)]
        aborted = [(place, step.fillers) for place, step in turn.items() if isinstance(step, Aborted)]
        plain = {place: step.records[0].offset for place, step in turn.items() if isinstance(step, Plain)}
        self._await_markers({place: offset for place, offset in plain.items() if place in self._marked})
        self._marked = {place for place, _ in (*committed, *aborted)}
        for place, step in turn.items():
            match step:
                case Plain(records):
                    self._give(self._plain, place, records)
                case Filler():
                    self._give(self._plain, place, _fillers(1))
                case Committed() | Aborted():
                    pass
        self._flush(self._plain)
        if committed:
            self._transactional.begin_transaction()
            for place, records in committed:
                self._give(self._transactional, place, records)
            self._transactional.commit_transaction(FLUSH_S)
        if aborted:
            self._transactional.begin_transaction()
            for place, count in aborted:
                self._give(self._transactional, place, _fillers(count))
            self._flush(self._transactional)
            self._transactional.abort_transaction(FLUSH_S)
        if self._fault is not None:
            raise KafkaException(self._fault)

    def _await_markers(self, wanted: dict[Place, int]) -> None:
        """Wait until these partitions end at these offsets."""
        deadline = time.monotonic() + ANSWER_S
        while wanted and (found := offsets(self._admin, wanted, OffsetSpec.latest(), ANSWER_S)) != wanted:
            if time.monotonic() > deadline:
                wrong = next(place for place, offset in wanted.items() if found[place] != offset)
                raise BackupError(f"{wrong[0]}-{wrong[1]} ends at {found[wrong]} instead of {wanted[wrong]}")
            time.sleep(LOOK_S)

    def _give(self, producer: Producer, place: Place, records: Iterable[Stored]) -> None:
        topic, partition = place
        for each in records:
            at = {} if each.at < 0 else {"timestamp": each.at}
            give(producer, topic, each.value, each.key, partition=partition, headers=list(each.headers), **at)

    def _flush(self, producer: Producer) -> None:
        if left := producer.flush(FLUSH_S):
            raise BackupError(f"Kafka has not taken {left} records in {FLUSH_S:.0f} s")

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None and self._fault is None:
            self._fault = error


def _fillers(count: int) -> list[Stored]:
    return [Stored(0, -1, None, b"")] * count


def restore(kafka: str, manifest: Manifest, folder: Path, *, replication: int, tell: Tell) -> None:
    """Make the topics and write every record at its offset, then the groups' positions.

    Raises BackupError where a topic is there already, ClusterError, KafkaException.
    """
    config = {"bootstrap.servers": kafka, "log_level": 2}
    _make(kafka, manifest, replication)
    parts = {(topic.name, part.partition): part for topic in manifest.topics for part in topic.parts}
    with ThreadPoolExecutor(WRITERS) as pool:
        writers = list(pool.map(lambda number: Writer(config, f"nivaran-import-{number}"), range(WRITERS)))
        for first in range(0, len(parts), OPEN_FILES):
            some = list(parts)[first : first + OPEN_FILES]
            plans = [
                {place: steps(parts[place].end, lines(folder / parts[place].file)) for place in some[number::WRITERS]}
                for number in range(WRITERS)
            ]
            list(pool.map(Writer.write, writers, plans))
    _delete(config, parts)
    for topic in manifest.topics:
        tell(topic.name, sum(part.records for part in topic.parts))
    for group, positions in manifest.groups.items():
        _commit(config, group, positions)


def _make(kafka: str, manifest: Manifest, replication: int) -> None:
    wanted = {topic.name: Spec(topic.name, len(topic.parts), replication, topic.config) for topic in manifest.topics}
    with connected(kafka) as admin:
        if there := sorted(admin.found(wanted)):
            raise BackupError(
                f"the cluster has {there[0]} already: a backup is restored into one that has none of its topics"
            )
        admin.apply(wanted)


def _delete(config: dict[str, Any], parts: dict[Place, Part]) -> None:
    """Let partitions begin where they began."""
    begins = [TopicPartition(*place, part.begin) for place, part in parts.items() if part.begin]
    if begins:
        for future in AdminClient(config).delete_records(begins, request_timeout=ANSWER_S).values():
            future.result(ANSWER_S)


def _commit(config: dict[str, Any], group: str, positions: dict[str, dict[str, int]]) -> None:
    offsets = [
        TopicPartition(topic, int(partition), offset)
        for topic, parts in positions.items()
        for partition, offset in parts.items()
    ]
    if not offsets:
        return
    consumer = Consumer({**config, "group.id": group, "enable.auto.commit": False})
    try:
        consumer.commit(offsets=offsets, asynchronous=False)
    finally:
        consumer.close()


def differing(kafka: str, manifest: Manifest) -> list[str]:
    """Read the cluster again; answer the partitions whose content or end is not the backup's.

    Raises LogError, KafkaException.
    """
    config = {"bootstrap.servers": kafka, "log_level": 2}
    parts = {(topic.name, part.partition): part for topic in manifest.topics for part in topic.parts}
    ends = offsets(AdminClient(config), parts, OffsetSpec.latest(), ANSWER_S)
    digests = {place: hashlib.sha256() for place in parts}
    for place, stored in read(KafkaLog(kafka, {}), [topic.name for topic in manifest.topics], ends):
        digests[place].update(line(stored))
    return [
        f"{topic}-{partition}"
        for (topic, partition), part in parts.items()
        if (ends[topic, partition], digests[topic, partition].hexdigest()) != (part.end, part.content)
    ]
