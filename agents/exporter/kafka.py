"""How far each consumer group is behind, in records and seconds; asked of the brokers, so that no worker need run."""

import time
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as At
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.protocol.consumer.offsets import IsolationLevel

from agents.clock import PASSING
from agents.runtime.producers import client_config
from agents.settings import Settings
from agents.telemetry import catalogue as c
from agents.telemetry.families import Rows, Snapshot
from schemas.registry import dead_letters

PEEK_S: Final = 5.0
"""How long the first records of lagging partitions are waited for; the rest comes with the next look."""
PEEK_BYTES: Final = 65_536
STALE_S: Final = 5.0
"""Objective: what follows from a record is there within 5 s of its arrival."""
NEVER_FORWARD: Final = ("-redrive-", "-dlq")
"""Groups that remember which dead letters were written back: their distance to the end says nothing."""
METRICS: Final = (
    c.BROKERS, c.TOPIC_PARTITIONS, c.NEWEST, c.OLDEST, c.LEADER, c.REPLICAS, c.IN_SYNC, c.UNDER_REPLICATED,
    c.GROUP_OFFSET, c.GROUP_LAG, c.GROUP_MEMBERS, c.LAG_SECONDS, c.UNOWNED, c.DEAD_KEPT, c.DEAD_OLDEST,
)  # fmt: skip


Position = tuple[TopicPartition, int]
"""A partition and the next offset to be read of it."""


class Group(NamedTuple):
    """A consumer group as the brokers know it."""

    committed: dict[TopicPartition, int]
    members: int
    owned: frozenset[TopicPartition]


class KafkaLook:
    """Looks at the cluster through clients of its own; make another one after an error.

    `groups`: the groups of this deployment with the topics they read, shown also while they never committed.
    """

    def __init__(self, settings: Settings, groups: Mapping[str, tuple[str, ...]]) -> None:
        self._groups = groups
        self._admin = KafkaAdminClient(bootstrap_servers=settings.kafka.split(","), bootstrap_timeout_ms=5000)
        # librdkafka's: it knows every compression, and says where a partition ends
        self._consumer = Consumer({
            **client_config(settings),
            # the client demands one; nothing is committed and nothing joined
            "group.id": f"{settings.group_prefix}-exporter",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "fetch.message.max.bytes": PEEK_BYTES,
            "queued.max.messages.kbytes": 4096,
        })  # fmt: skip
        self._peeked: dict[Position, int] = {}
        self._empty: dict[Position, int] = {}
        """Positions after which there are only transaction markers until this end."""
        self._looks: dict[str, int] = dict.fromkeys(groups, 0)
        self._stale: dict[str, int] = dict.fromkeys(groups, 0)

    def close(self) -> None:
        self._admin.close()
        self._consumer.close()

    def look(self, shown: Snapshot, now: int) -> None:
        """Show the cluster as it is at `now` (UTC ms); raises kafka's errors."""
        topics = {each["name"]: each["partitions"] for each in self._admin.describe_topics()}
        self._show_topics(shown, topics)
        # who has no leader has nobody to ask: one such partition must not hide all others, and that it has none
        led = ((name, each) for name, parts in topics.items() for each in parts if each["leader_id"] >= 0)
        places = [TopicPartition(name, each["partition_index"]) for name, each in led]
        ends = self._offsets(places, OffsetSpec.LATEST)
        oldest = self._offsets(places, OffsetSpec.EARLIEST)
        shown.put(c.NEWEST, {_labels(place): end for place, end in ends.items()})
        shown.put(c.OLDEST, {_labels(place): first for place, first in oldest.items()})
        shown.put(c.DEAD_KEPT, _kept(ends, oldest))
        groups = self._describe(topics)
        read = {place for group in groups.values() for place in group.committed} & ends.keys()
        decided = self._offsets(read | set(filter(_keeps_dead, ends)), OffsetSpec.LATEST, IsolationLevel.READ_COMMITTED)
        self._show_groups(shown, groups, decided, oldest, now)

    def _offsets(
        self, places: Iterable[TopicPartition], at: Any, isolation: Any = IsolationLevel.READ_UNCOMMITTED
    ) -> dict[TopicPartition, int]:
        asked = dict.fromkeys(places, at)
        if not asked:
            return {}
        answered = self._admin.list_partition_offsets(asked, isolation_level=isolation)
        return {place: found.offset for place, found in answered.items()}

    def _show_topics(self, shown: Snapshot, topics: Mapping[str, list[dict[str, Any]]]) -> None:
        # the client asks for the fenced ones too: those that were there and are missed
        brokers = self._admin.describe_cluster()["brokers"]
        shown.put(c.BROKERS, {(): sum(not each.get("is_fenced", False) for each in brokers)})
        shown.put(c.TOPIC_PARTITIONS, {(name,): len(parts) for name, parts in topics.items()})
        each = {(name, str(part["partition_index"])): part for name, parts in topics.items() for part in parts}
        copies = {labels: (len(part["replica_nodes"]), len(part["isr_nodes"])) for labels, part in each.items()}
        shown.put(c.LEADER, {labels: part["leader_id"] for labels, part in each.items()})
        shown.put(c.REPLICAS, {labels: wanted for labels, (wanted, _) in copies.items()})
        shown.put(c.IN_SYNC, {labels: there for labels, (_, there) in copies.items()})
        shown.put(c.UNDER_REPLICATED, {labels: there < wanted for labels, (wanted, there) in copies.items()})

    def _describe(self, topics: Mapping[str, list[Any]]) -> dict[str, Group]:
        known = {each["group_id"] for each in self._admin.list_groups()}
        named = sorted(name for name in known | self._groups.keys() if not any(mark in name for mark in NEVER_FORWARD))
        there = [name for name in named if name in known]
        described = self._admin.describe_groups(there) if there else {}
        offsets = self._admin.list_group_offsets(dict.fromkeys(there)) if there else {}
        groups: dict[str, Group] = {}
        for name in named:
            members = described.get(name, {}).get("members", ())
            owned = frozenset(place for member in members for place in _assigned(member))
            # what a group shall read counts from its beginning until the group commits
            committed = {
                TopicPartition(topic, part["partition_index"]): 0
                for topic in self._groups.get(name, ())
                for part in topics.get(topic, ())
            }
            committed.update({place: at.offset for place, at in offsets.get(name, {}).items() if at.offset >= 0})
            groups[name] = Group(committed, len(members), owned)
        return groups

    def _show_groups(
        self,
        shown: Snapshot,
        groups: Mapping[str, Group],
        ends: Mapping[TopicPartition, int],
        oldest: Mapping[TopicPartition, int],
        now: int,
    ) -> None:
        next_to_read = {
            name: {place: max(at, oldest.get(place, 0)) for place, at in group.committed.items() if place in ends}
            for name, group in groups.items()
        }
        dead = {place: oldest.get(place, 0) for place in filter(_keeps_dead, ends)}
        self._peek({each for positions in (*next_to_read.values(), dead) for each in positions.items()}, ends)
        shown.put(c.DEAD_OLDEST, self._ages(dead, now))
        lag: dict[tuple[str, ...], float] = {}
        seconds: dict[tuple[str, ...], float] = {}
        for name, positions in next_to_read.items():
            for place, at in positions.items():
                nothing = at >= ends[place] or self._empty.get((place, at)) == ends[place]
                since = self._peeked.get((place, at))
                lag[name, *_labels(place)] = 0 if nothing else ends[place] - at
                if nothing or since is not None:  # else its first record has not come yet: no number is better than 0
                    seconds[name, *_labels(place)] = 0 if since is None else max(0, now - since) / 1000
        shown.put(c.GROUP_LAG, lag)
        shown.put(c.LAG_SECONDS, seconds)
        shown.put(c.GROUP_OFFSET, {
            (name, *_labels(place)): at for name, group in groups.items() for place, at in group.committed.items()
        })  # fmt: skip
        shown.put(c.GROUP_MEMBERS, {(name,): group.members for name, group in groups.items()})
        shown.put(c.UNOWNED, {(name,): _unowned(groups[name], set(topics)) for name, topics in self._groups.items()})
        self._count_looks(shown, seconds)

    def _ages(self, positions: Mapping[TopicPartition, int], now: int) -> Rows:
        """Seconds since the oldest record at these positions, by topic; 0 where there is none."""
        ages: dict[tuple[str, ...], float] = {(place.topic,): 0.0 for place in positions}
        for place, at in positions.items():
            since = self._peeked.get((place, at))
            if since is not None:
                ages[place.topic,] = max(ages[place.topic,], (now - since) / 1000)
        return ages

    def _count_looks(self, shown: Snapshot, seconds: Rows) -> None:
        for name in self._groups:
            worst = max((behind for (group, *_), behind in seconds.items() if group == name), default=0)
            self._looks[name] += 1
            self._stale[name] += worst > STALE_S
        shown.put(c.LOOKS, {(name,): count for name, count in self._looks.items()})
        shown.put(c.STALE_LOOKS, {(name,): count for name, count in self._stale.items()})

    def _peek(self, positions: set[Position], ends: Mapping[TopicPartition, int]) -> None:
        """Learn the timestamps of the first records at or after these positions, or that only markers follow."""
        behind = {position for position in positions if position[1] < ends[position[0]]}
        self._peeked = {position: at for position, at in self._peeked.items() if position in behind}
        self._empty = {position: end for position, end in self._empty.items() if end == ends.get(position[0])}
        missing = behind - self._peeked.keys() - self._empty.keys()
        while missing:  # a partition can be read from one position at a time
            turn = dict(missing)
            self._first_records(turn, ends)
            missing -= set(turn.items())

    def _first_records(self, at: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]) -> None:
        consumer, pending = self._consumer, dict(at)
        consumer.assign([At(place.topic, place.partition, offset) for place, offset in at.items()])
        deadline = time.monotonic() + PEEK_S
        while pending and time.monotonic() < deadline:
            for message in consumer.consume(len(pending), 0.1):
                error = message.error()
                if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public names begin so
                    if error.code() in PASSING:
                        continue
                    raise KafkaException(error)
                place = TopicPartition(message.topic(), message.partition())
                if (offset := pending.pop(place, None)) is None:
                    continue
                if error is None:
                    self._peeked[place, offset] = message.timestamp()[1]
                else:
                    self._empty[place, offset] = ends[place]
                consumer.incremental_unassign([At(place.topic, place.partition)])
        consumer.unassign()


def _labels(place: TopicPartition) -> tuple[str, str]:
    return place.topic, str(place.partition)


def _assigned(member: Mapping[str, Any]) -> Iterable[TopicPartition]:
    assignment = member["member_assignment"]
    parts = assignment["assigned_partitions"] if isinstance(assignment, dict) else ()
    return (TopicPartition(each["topic"], partition) for each in parts for partition in each["partitions"])


def _unowned(group: Group, topics: set[str]) -> int:
    """How many partitions of `topics` have no member; a topic the group once read does not count."""
    return sum(place.topic in topics for place in group.committed.keys() - group.owned)


def _keeps_dead(place: TopicPartition) -> bool:
    return bool(place.topic.endswith(dead_letters("")))


def _kept(ends: Mapping[TopicPartition, int], oldest: Mapping[TopicPartition, int]) -> Rows:
    kept: dict[tuple[str, ...], float] = {}
    for place, end in ends.items():
        if _keeps_dead(place):
            kept[place.topic,] = kept.get((place.topic,), 0) + end - oldest.get(place, 0)
    return kept
