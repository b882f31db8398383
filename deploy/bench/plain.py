"""The floor: a plain client loop with the same fold, records and guarantees, and nothing of a worker around it.

Exactly once, states as bytes in memory, due instants indexed; but no membership beside one consumer, no recovery beyond
one reading of the changelog at the start, no dead letters, traces, metrics or liveness. One transaction per poll over
all partitions.
"""

import signal
import sys
from collections import defaultdict
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from agents.runtime.envelope import Stamp
from agents.runtime.producers import producer_config
from agents.settings import Settings, load
from deploy.bench import tally
from schemas.codec import decoder, encode
from streams.case.stage import CASE
from streams.case.state import Case, wake_at
from streams.stage import Origin

MOST: Final = 4000
POLL_S: Final = 0.1
ANSWER_S: Final = 90.0


class Loop:
    """Everything of one partition's states in dicts, everything of one poll in one transaction."""

    def __init__(self, settings: Settings, group: str, changelog: str) -> None:
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
        self._decode, self._stamp = decoder(CASE.records), Stamp(CASE.name)
        self._loads, self._dumps = msgspec.msgpack.Decoder(Case).decode, msgspec.msgpack.Encoder().encode
        self._states: defaultdict[int, dict[bytes, bytes]] = defaultdict(dict)
        self._due: defaultdict[int, list[bytes]] = defaultdict(list)
        self.ended = False

    def restore(self, settings: Settings) -> None:
        """Take what the changelog has: cases that were open before."""
        kept = {(self._changelog, partition): 0 for partition in range(settings.partitions)}
        admin = AdminClient({"bootstrap.servers": settings.kafka, "log_level": 2})
        for message in tally.read(settings.kafka, admin, kept):
            state, partition = message.value(), message.partition()
            self._adopt([(partition, message.key(), state, wake_at(self._loads(state)))])

    def run(self) -> None:
        self._producer.init_transactions(ANSWER_S)
        self._consumer.subscribe([CASE.reads])
        while not self.ended:
            messages = self._consumer.consume(MOST, POLL_S)
            if messages:
                self._batch(messages)
        self._consumer.close()

    def _batch(self, messages: list[Any]) -> None:
        producer = self._producer
        touched: defaultdict[int, dict[bytes, tuple[Case | None, Case | None]]] = defaultdict(dict)
        ends: dict[int, int] = {}
        producer.begin_transaction()
        for message in messages:
            partition = message.partition()
            self._one(message, partition, touched[partition])
            ends[partition] = message.offset() + 1
        changes = self._changes(touched)
        for partition, key, state, _ in changes:
            producer.produce(self._changelog, state, key, partition)
        offsets = [TopicPartition(CASE.reads, partition, offset) for partition, offset in ends.items()]
        producer.send_offsets_to_transaction(offsets, self._consumer.consumer_group_metadata(), ANSWER_S)
        producer.commit_transaction(ANSWER_S)
        self._adopt(changes)

    def _one(self, message: Any, partition: int, touched: dict[bytes, tuple[Case | None, Case | None]]) -> None:
        key, offset, (_, at) = message.key(), message.offset(), message.timestamp()
        found = touched.get(key)
        if found is None:
            stored = self._states[partition].get(key)
            before = case = None if stored is None else self._loads(stored)
        else:
            before, case = found
        after, outputs, _ = CASE.step(case, self._decode(message.value()), Origin(CASE.reads, partition, offset, at))
        touched[key] = (before, after)
        for index, each in enumerate(outputs):
            name = each.key.encode()
            event_id = f"{CASE.reads}-{partition}-{offset}-{index}".encode()
            headers = self._stamp(each.value, event_id, name, each.at, None)
            self._producer.produce(each.topic, encode(each.value), name, headers=headers, timestamp=at)

    def _changes(
        self, touched: dict[int, dict[bytes, tuple[Case | None, Case | None]]]
    ) -> list[tuple[int, bytes, bytes | None, int | None]]:
        """Partition, key, encoded state and new due instant of every case that changed."""
        changes: list[tuple[int, bytes, bytes | None, int | None]] = []
        for partition, cases in touched.items():
            for key, (before, after) in cases.items():
                if after is None:
                    changes.append((partition, key, None, None))
                elif after is not before:
                    due = wake_at(after)
                    news = None if before is not None and wake_at(before) == due else due
                    changes.append((partition, key, self._dumps(after), news))
        return changes

    def _adopt(self, changes: list[tuple[int, bytes, bytes | None, int | None]]) -> None:
        for partition, key, state, due in changes:
            if state is None:
                self._states[partition].pop(key, None)
            else:
                self._states[partition][key] = state
            if due is not None:
                self._due[due // 1000].append(key)


def main(group: str, changelog: str) -> None:
    settings = load(Settings)
    loop = Loop(settings, group, changelog)
    loop.restore(settings)

    def end(_number: int, _frame: Any) -> None:
        loop.ended = True

    signal.signal(signal.SIGTERM, end)
    loop.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
