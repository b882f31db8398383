"""Reads a deployment at rest into files."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from confluent_kafka import ConsumerGroupState, IsolationLevel
from confluent_kafka.admin import AdminClient, OffsetSpec

from agents.audit.kafka_log import KafkaLog
from agents.audit.log import Log
from agents.backup.files import FORMAT, BackupError, Manifest, Part, SavedTopic, Sink, Stored
from agents.kafka_admin import connected
from agents.positions import Place, committed, offsets, onlooker

ANSWER_S: Final = 30.0
OPEN_FILES: Final = 400
"""Partitions whose files are open together."""
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
    LogError, KafkaException.
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
    log, parts = KafkaLog(kafka, {}), dict[str, list[Part]]()
    together = max(1, OPEN_FILES // max(len(cluster.topics[name].partitions) for name in names))
    for first in range(0, len(names), together):
        some = names[first : first + together]
        parts |= _save(log, some, {place: end for place, end in ends.items() if place[0] in some}, folder)
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
    ends = offsets(admin, places, OffsetSpec.latest(), ANSWER_S)
    stable = offsets(admin, places, OffsetSpec.latest(), ANSWER_S, IsolationLevel.READ_COMMITTED)
    if unsettled := [place for place in places if stable[place] != ends[place]]:
        topic, partition = unsettled[0]
        raise BackupError(f"a transaction is open in {topic}-{partition}: Kafka ends it soon; try again in two minutes")
    return ends


def _save(log: Log, topics: Sequence[str], ends: Mapping[Place, int], folder: Path) -> dict[str, list[Part]]:
    files = {(topic, partition): f"{topic}/{partition:04}.ndjson.zst" for topic, partition in ends}
    sinks = {place: Sink(folder / file) for place, file in files.items()}
    for place, stored in read(log, topics, ends):
        sinks[place].add(stored)
    found: dict[str, list[Part]] = {topic: [] for topic in topics}
    for place, sink in sinks.items():
        sha256, content = sink.close()
        topic, partition, end = *place, ends[place]
        found[topic].append(Part(partition, sink.first(end), end, sink.records, files[place], sha256, content))
    return found


def read(log: Log, topics: Iterable[str], ends: Mapping[Place, int]) -> Iterator[tuple[Place, Stored]]:
    """Yield what is committed in these topics, each partition up to its end; raises LogError."""
    for entry in log.read(*topics):
        place = (entry.topic, entry.partition)
        if entry.offset < ends[place]:
            yield place, Stored(entry.offset, entry.at, entry.key, entry.value, tuple(entry.headers))


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
