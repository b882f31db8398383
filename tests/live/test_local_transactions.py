"""Transactions are whole after every broker of a cluster was killed: all of what one committed is there, or nothing.

Producers commit back to back when the brokers die, so that some transactions are decided but not yet marked.
"""

import threading
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from deploy.local.kafka import KafkaCluster
from tests.live.harness import records
from tests.waiting import until

pytestmark = pytest.mark.live
TOPIC, PARTITIONS = "whole", 6
PRODUCERS = 8
GIVEN_UP = "given up"
BETWEEN = 40
"""Transactions of all producers before the brokers are killed, and after they are back."""


class Writer(threading.Thread):
    """Commits a record to each partition, gives up one of every other partition, and again.

    What a marker was missing for, the next transaction of the same producer decides: so the next one is another kind.
    """

    def __init__(self, bootstrap: str, number: int) -> None:
        super().__init__(daemon=True)
        self.number, self.committed = number, 0
        self.end = threading.Event()
        self.failed: BaseException | None = None
        self._producer = Producer({
            "bootstrap.servers": bootstrap, "transactional.id": f"writer-{number}", "linger.ms": 0, "log_level": 0,
            "retry.backoff.ms": 1, "retry.backoff.max.ms": 20, "transaction.timeout.ms": 60_000,
        })  # fmt: skip

    def run(self) -> None:
        try:
            self._producer.init_transactions(60)
            attempt = 0
            while not self.end.is_set():
                attempt += 1
                self._commit(f"{self.number}-{attempt}")
                self._give_up(f"{self.number}-{attempt} {GIVEN_UP}")
        except BaseException as error:  # noqa: BLE001 - the test tells of it
            self.failed = error

    def _commit(self, value: str) -> None:
        self._begin(value, range(PARTITIONS))
        try:
            self._producer.commit_transaction(60)
            self.committed += 1
        except KafkaException as failure:
            error: KafkaError = failure.args[0]
            if not error.txn_requires_abort():
                raise
            self._producer.abort_transaction(60)

    def _give_up(self, value: str) -> None:
        self._begin(value, range(0, PARTITIONS, 2))
        self._producer.flush(60)
        self._producer.abort_transaction(60)

    def _begin(self, value: str, partitions: Iterable[int]) -> None:
        self._producer.begin_transaction()
        for partition in partitions:
            self._producer.produce(TOPIC, value, partition=partition)


def further(writers: list[Writer]) -> None:
    """Wait until there are as many transactions more, and every producer has had one of them."""
    began = [each.committed for each in writers]

    def enough() -> bool:
        assert [each.failed for each in writers if each.failed] == []
        gained = [each.committed - before for each, before in zip(writers, began, strict=True)]
        return min(gained) > 0 and sum(gained) >= BETWEEN

    until(enough, 90, every=0.005, what="transactions are committed")


@pytest.mark.parametrize(("brokers", "kills"), [(1, 2), (3, 1)])
def test_transactions_are_whole_after_all_brokers_were_killed(tmp_path: Path, brokers: int, kills: int) -> None:
    with KafkaCluster(tmp_path / "kafka", brokers=brokers) as cluster:
        admin = AdminClient({"bootstrap.servers": cluster.bootstrap, "log_level": 0})
        admin.create_topics([NewTopic(TOPIC, PARTITIONS, brokers)])[TOPIC].result(30)
        writers = [Writer(cluster.bootstrap, number) for number in range(PRODUCERS)]
        for writer in writers:
            writer.start()
        for _ in range(kills):
            further(writers)
            for node in cluster.nodes:
                node.kill()
            for node in cluster.nodes:
                node.start()
            cluster.wait_ready()
        further(writers)
        for writer in writers:
            writer.end.set()
        for writer in writers:
            writer.join(90)
        assert [each.failed for each in writers if each.failed] == []
        found: dict[str, list[int]] = defaultdict(list)
        for message in records(cluster.bootstrap, TOPIC):
            found[message.value().decode()].append(message.partition())
    torn = {value: sorted(places) for value, places in found.items() if sorted(places) != list(range(PARTITIONS))}
    assert torn == {}
    assert len(found) >= sum(each.committed for each in writers) > BETWEEN * (kills + 1)
