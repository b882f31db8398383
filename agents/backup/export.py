"""Reads a deployment at rest into files."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from confluent_kafka import (
    Consumer,
    ConsumerGroupState,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)  # fmt: skip
from confluent_kafka.admin import AdminClient, OffsetSpec

from agents.backup.files import FORMAT, BackupError, Manifest, Part, SavedTopic, Sink, Stored
from agents.kafka_admin import connected
from agents.positions import Place, committed, onlooker

ANSWER_S: Final = 30.0
MOST: Final = 10_000
WAIT_S: Final = 0.1
OPEN_FILES: Final = 400
SET_BY_US: Final = (
    "cleanup.policy", "retention.ms", "retention.bytes", "min.insync.replicas", "max.message.bytes",
    "message.timestamp.after.max.ms", "message.timestamp.before.max.ms", "min.compaction.lag.ms", "segment.bytes",
    "segment.ms", "delete.retention.ms", "min.cleanable.dirty.ratio",
)  # fmt: skip
"""Settings of a topic that are part of what it is; the others are the cluster's."""
IDLE: Final = frozenset({ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD})
Tell = Callable[[str, int], None]
"""Hears of a topic that is done, and how many records it has."""


def export(kafka: str, prefix: str, topics: Iterable[str], folder: Path, *, now: int, tell: Tell) -> Manifest:
    """Write what the deployment has into `folder`; it must be at rest: no worker runs, no transaction is open.

    `topics` are those of the registry; the changelogs of `prefix` come along. Raises BackupError, ClusterError,
    KafkaException.
    """
    config = {"bootstrap.servers": kafka, "log_level": 2}
    admin = AdminClient(config)
    cluster = admin.list_topics(timeout=ANSWER_S)
    changelog = re.compile(rf"{re.escape(prefix)}-.+-changelog")
    names = sorted(set(topics) & cluster.topics.keys() | {name for name in cluster.topics if changelog.fullmatch(name)})
    if not names:
        raise BackupError(f"Kafka at {kafka} has no topic of a deployment with the prefix {prefix}")
    groups = _at_rest(admin, prefix)
    places = [(name, partition) for name in names for partition in sorted(cluster.topics[name].partitions)]
    ends = _ends(admin, places)
    with connected(kafka) as kafka_admin:
        specs = kafka_admin.found(names)
    parts: dict[str, list[Part]] = {name: [] for name in names}
    for some in batched(places):
        for place, part in _save(config, some, ends, folder).items():
            parts[place[0]].append(part)
    saved = []
    for name in names:
        kept = {key: value for key, value in specs[name].config.items() if key in SET_BY_US}
        saved.append(SavedTopic(name, kept, tuple(parts[name])))
        tell(name, sum(part.records for part in parts[name]))
    positions = {group: _positions(config, group, places) for group in groups}
    return Manifest(FORMAT, str(cluster.cluster_id), now, prefix, tuple(saved), positions)


def _at_rest(admin: AdminClient, prefix: str) -> list[str]:
    """The groups of the deployment; raises BackupError where one has members."""
    found = admin.list_consumer_groups(request_timeout=ANSWER_S).result(ANSWER_S)
    mine = {each.group_id: each.state for each in found.valid if each.group_id.startswith(f"{prefix}-")}
    busy = sorted(group for group, state in mine.items() if state not in IDLE)
    if busy:
        raise BackupError(f"workers are running ({', '.join(busy)}): stop them first, so that all is of one moment")
    return sorted(mine)


def _ends(admin: AdminClient, places: list[Place]) -> dict[Place, int]:
    """Next offset of every partition; raises BackupError while a transaction is open."""

    def ask(level: IsolationLevel) -> dict[Place, int]:
        asked = {TopicPartition(*place): OffsetSpec.latest() for place in places}
        answered = admin.list_offsets(asked, isolation_level=level, request_timeout=ANSWER_S)
        return {(tp.topic, tp.partition): future.result(ANSWER_S).offset for tp, future in answered.items()}

    ends = ask(IsolationLevel.READ_UNCOMMITTED)
    stable = ask(IsolationLevel.READ_COMMITTED)
    if unsettled := [place for place in places if stable[place] != ends[place]]:
        topic, partition = unsettled[0]
        raise BackupError(f"a transaction is open in {topic}-{partition}: Kafka ends it soon; try again in two minutes")
    return ends


def batched(places: Sequence[Place]) -> Iterator[Sequence[Place]]:
    """Yield the partitions, as many at a time as have their files open together."""
    for first in range(0, len(places), OPEN_FILES):
        yield places[first : first + OPEN_FILES]


def _save(config: dict[str, Any], places: Sequence[Place], ends: dict[Place, int], folder: Path) -> dict[Place, Part]:
    files = {(topic, partition): f"{topic}/{partition:04}.ndjson.zst" for topic, partition in places}
    sinks = {place: Sink(folder / file) for place, file in files.items()}
    for place, stored in read(config, places, ends):
        sinks[place].add(stored)
    found = {}
    for place, sink in sinks.items():
        sha256, content = sink.close()
        end = ends[place]
        found[place] = Part(place[1], sink.first(end), end, sink.records, files[place], sha256, content)
    return found


def read(config: dict[str, Any], places: Sequence[Place], ends: dict[Place, int]) -> Iterator[tuple[Place, Stored]]:
    """Yield what is committed in these partitions, each up to its end; raises KafkaException."""
    consumer = Consumer({
        **config,
        "group.id": "nivaran-backup",  # the client demands one; nothing is committed and nothing joined
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
    })  # fmt: skip
    waiting = set(places)
    try:
        consumer.assign([TopicPartition(*place, 0) for place in places])
        while waiting:
            for message in consumer.consume(MOST, WAIT_S):
                fault, place = message.error(), (message.topic() or "", message.partition() or 0)
                if fault is None:
                    if (message.offset() or 0) < ends[place]:
                        yield place, _stored(message)
                elif fault.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name for it
                    waiting.discard(place)
                else:
                    raise KafkaException(fault)
    finally:
        consumer.close()


def _stored(message: Message) -> Stored:
    return Stored(
        message.offset() or 0,
        message.timestamp()[1],
        message.key(),
        message.value(),
        tuple(message.headers() or ()),
    )


def _positions(config: dict[str, Any], group: str, places: list[Place]) -> dict[str, dict[str, int]]:
    asking = onlooker(config, group)
    found: dict[str, dict[str, int]] = {}
    try:
        for topic in sorted({topic for topic, _ in places}):
            mine = committed(asking, topic, [partition for name, partition in places if name == topic], ANSWER_S)
            if mine:
                found[topic] = {str(partition): offset for partition, offset in sorted(mine.items())}
    finally:
        asking.close()
    return found
