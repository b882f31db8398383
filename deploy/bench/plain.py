"""The floor: a plain client loop with the same fold, records and guarantees, and nothing of a worker around it.

`python -m deploy.bench.plain GROUP CHANGELOG` folds the case stage, with the words of a job after it that job.

Exactly once, states as bytes in memory, due instants indexed; but no membership beside one consumer, no recovery beyond
one reading of the changelog at the start, no dead letters, traces, metrics or liveness. One transaction per poll over
all partitions. Time moves when a record of the job says so.
"""

import signal
import sys
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from agents.runtime.envelope import Stamp
from agents.runtime.producers import producer_config
from agents.settings import Settings, load
from deploy.bench import tally
from deploy.bench.jobs.__main__ import job
from deploy.bench.jobs.complaints import Clock
from schemas.base import Wake
from schemas.codec import decoder, encode
from streams.case.stage import CASE
from streams.stage import Origin, Stage

MOST: Final = 4000
POLL_S: Final = 0.1
ANSWER_S: Final = 90.0
SECOND_MS: Final = 1000
Touched = dict[bytes, tuple[Any, Any]]
"""State before and after by key."""


class Loop:
    """Everything of one partition's states in dicts, everything of one poll in one transaction."""

    def __init__(self, settings: Settings, stage: Stage[Any], group: str, changelog: str) -> None:
        self._stage = stage
        self._consumer = Consumer({
            "bootstrap.servers": settings.kafka,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            # the defaults let the fetching pause for a second when a queue is full
            "fetch.queue.backoff.ms": 20,
            "log_level": 2,
        })  # fmt: skip
        self._producer = Producer({**producer_config(settings), "transactional.id": group})
        self._changelog = changelog
        self._decode, self._stamp = decoder(stage.records), Stamp(stage.name)
        self._loads, self._dumps = msgspec.msgpack.Decoder(stage.state).decode, msgspec.msgpack.Encoder().encode
        self._states: defaultdict[int, dict[bytes, bytes]] = defaultdict(dict)
        self._due: defaultdict[int, defaultdict[int, list[bytes]]] = defaultdict(lambda: defaultdict(list))
        self.ended = False

    def restore(self, settings: Settings) -> None:
        """Take what the changelog has: cases that were open before."""
        kept = {(self._changelog, partition): 0 for partition in range(settings.partitions)}
        admin = AdminClient({"bootstrap.servers": settings.kafka, "log_level": 2})
        for message in tally.read(settings.kafka, admin, kept):
            state, partition = message.value(), message.partition()
            self._adopt([(partition, message.key(), state, self._stage.wake_at(self._loads(state)))])

    def run(self) -> None:
        self._producer.init_transactions(ANSWER_S)
        self._consumer.subscribe([self._stage.reads])
        while not self.ended:
            messages = self._consumer.consume(MOST, POLL_S)
            if messages:
                self._batch(messages)
        self._consumer.close()

    def _batch(self, messages: list[Any]) -> None:
        producer = self._producer
        touched: defaultdict[int, Touched] = defaultdict(dict)
        ends: dict[int, int] = {}
        producer.begin_transaction()
        for message in messages:
            partition = message.partition()
            _, at = message.timestamp()
            origin = Origin(self._stage.reads, partition, message.offset(), at)
            record = self._decode(message.value())
            self._one(message.key(), record, origin, touched[partition])
            if isinstance(record, Clock):
                self._fire(record.at, origin, touched[partition])
            ends[partition] = message.offset() + 1
        changes = self._changes(touched)
        for partition, key, state, _ in changes:
            producer.produce(self._changelog, state, key, partition)
        offsets = [TopicPartition(self._stage.reads, partition, offset) for partition, offset in ends.items()]
        producer.send_offsets_to_transaction(offsets, self._consumer.consumer_group_metadata(), ANSWER_S)
        producer.commit_transaction(ANSWER_S)
        self._adopt(changes)

    def _one(self, key: bytes, record: Any, origin: Origin, touched: Touched) -> None:
        found = touched.get(key)
        if found is None:
            stored = self._states[origin.partition].get(key)
            before = state = None if stored is None else self._loads(stored)
        else:
            before, state = found
        after, outputs, _ = self._stage.step(state, record, origin)
        touched[key] = (before, after)
        for index, each in enumerate(outputs):
            name = each.key.encode()
            event_id = f"{origin.topic}-{origin.partition}-{origin.offset}-{index}".encode()
            headers = self._stamp(each.value, event_id, name, each.at, None)
            self._producer.produce(each.topic, encode(each.value), name, headers=headers, timestamp=origin.at)

    def _fire(self, now: int, origin: Origin, touched: Touched) -> None:
        """All that is due in a partition. Those this very transaction has told of are not in the index yet."""
        due = self._due[origin.partition]
        for second in sorted(each for each in due if each <= now // SECOND_MS):
            for key in due.pop(second):
                stored = self._states[origin.partition].get(key)
                at = None if stored is None else self._stage.wake_at(self._loads(stored))
                if at is not None and at <= now:
                    self._one(key, Wake(key.decode(), at, now), origin, touched)

    def _changes(self, touched: Mapping[int, Touched]) -> list[tuple[int, bytes, bytes | None, int | None]]:
        """Partition, key, encoded state and new due instant of every case that changed."""
        changes: list[tuple[int, bytes, bytes | None, int | None]] = []
        for partition, cases in touched.items():
            for key, (before, after) in cases.items():
                if after is None:
                    changes.append((partition, key, None, None))
                elif after is not before:
                    due = self._stage.wake_at(after)
                    news = None if before is not None and self._stage.wake_at(before) == due else due
                    changes.append((partition, key, self._dumps(after), news))
        return changes

    def _adopt(self, changes: list[tuple[int, bytes, bytes | None, int | None]]) -> None:
        for partition, key, state, due in changes:
            if state is None:
                self._states[partition].pop(key, None)
            else:
                self._states[partition][key] = state
            if due is not None:
                self._due[partition][due // SECOND_MS].append(key)


def main(group: str, changelog: str, *words: str) -> None:
    settings = load(Settings)
    (stage,) = job(*words) if words else (CASE,)
    loop = Loop(settings, stage, group, changelog)
    loop.restore(settings)

    def end(_number: int, _frame: Any) -> None:
        loop.ended = True

    signal.signal(signal.SIGTERM, end)
    loop.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
