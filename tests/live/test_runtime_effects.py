"""Sinks and senders on real Kafka: everything at least once and in order, acknowledged work never again."""

import json
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from agents.runtime.exits import Exit
from deploy.local.kafka import KafkaCluster
from schemas.codec import encode
from tests.live.harness import WorkerProcess, make_topics, producer, records
from tests.live.toy_effects import Order
from tests.waiting import until

pytestmark = pytest.mark.live
COUNT = 600
PARTITIONS = 4


class Bench:
    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.prefix, self.bootstrap, self._folder = f"effects-{uuid.uuid4().hex[:8]}", bootstrap, folder
        names = ("facts.v1", "orders.v1", "orders.v1.dlq", "facts.v1.dlq", "outcomes.v1")
        make_topics(bootstrap, [f"{self.prefix}.{name}" for name in names], PARTITIONS)
        self.producer: Producer = producer(bootstrap)
        self.ledger = folder / "ledger"
        self.workers: list[WorkerProcess] = []

    def start(self) -> WorkerProcess:
        settings = {
            "NIVARAN_KAFKA": self.bootstrap,
            "NIVARAN_GROUP_PREFIX": self.prefix,
            "NIVARAN_PARTITIONS": str(PARTITIONS),
            "NIVARAN_SESSION_TIMEOUT": "3",
            "NIVARAN_SLICE_RECORDS": "20",
            "NIVARAN_EFFECT_RECORDS": "20",
        }
        log = self._folder / f"worker-{len(self.workers)}.log"
        worker = WorkerProcess(["tests.live.toy_effects", self.prefix, str(self.ledger)], settings, log)
        self.workers.append(worker)
        return worker

    def send(self, first: int, count: int) -> None:
        for number in range(first, first + count):
            self.producer.produce(f"{self.prefix}.facts.v1", b"a fact", f"f{number}")
            self.producer.produce(f"{self.prefix}.orders.v1", encode(Order(number)), f"o{number}")
        self.producer.flush(20)

    def calls(self) -> Counter[int]:
        return Counter(int(line.split()[1]) for line in self.lines("call"))

    def facts(self) -> list[tuple[int, int]]:
        return [(int(line.split()[1]), int(line.split()[2])) for line in self.lines("fact")]

    def lines(self, kind: str) -> list[str]:
        text = self.ledger.read_text() if self.ledger.exists() else ""
        return [line for line in text.splitlines() if line.split()[0] == kind]

    def outcomes(self) -> Counter[int]:
        return Counter(json.loads(m.value())["number"] for m in records(self.bootstrap, f"{self.prefix}.outcomes.v1"))


@pytest.fixture
def bench(kafka: KafkaCluster, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(kafka.bootstrap, tmp_path)
    yield bench
    for worker in bench.workers:
        if worker.process.poll() is None:
            worker.kill()


def test_every_record_is_taken_in_order_and_a_clean_restart_repeats_nothing(bench: Bench) -> None:
    bench.send(0, COUNT)
    first = bench.start().wait_ready()
    until(lambda: len(bench.calls()) > COUNT // 4, 30, what="some calls are made")
    assert first.stop() == Exit.CLEAN
    second = bench.start().wait_ready()
    until(lambda: sum(bench.outcomes().values()) >= COUNT, 60, every=0.3, what="all outcomes are written")
    until(lambda: len(bench.facts()) >= COUNT, 30, what="all facts are taken")
    assert second.stop() == Exit.CLEAN
    assert set(bench.calls().values()) == {1}
    assert set(bench.outcomes().values()) == {1}
    for partition in range(PARTITIONS):
        offsets = [offset for where, offset in bench.facts() if where == partition]
        assert offsets == list(range(len(offsets)))
    assert [line.split()[0] for line in (bench.lines("open") + bench.lines("close"))] == ["open"] * 2 + ["close"] * 2


def test_a_kill_repeats_only_what_was_in_hand_and_loses_nothing(bench: Bench) -> None:
    bench.send(0, COUNT)
    bench.start().wait_ready()
    until(lambda: len(bench.calls()) > COUNT // 4, 30, every=0.01, what="some calls are made")
    bench.workers[0].kill()
    bench.start().wait_ready()
    until(lambda: len(bench.outcomes()) == COUNT, 60, every=0.3, what="all outcomes are written")
    until(lambda: len(set(bench.facts())) == COUNT, 30, what="all facts are taken")
    assert bench.calls().keys() == bench.outcomes().keys() == set(range(COUNT))
    ids = {dict(m.headers())["ce_id"] for m in records(bench.bootstrap, f"{bench.prefix}.outcomes.v1")}
    assert len(ids) == COUNT


def test_an_order_that_is_none_goes_to_the_dead_letters_and_makes_no_call(bench: Bench) -> None:
    bench.producer.produce(f"{bench.prefix}.orders.v1", b'{"type":"toy.order.v1","number":"x"}', "o1")
    bench.send(0, 5)
    bench.start().wait_ready()
    until(lambda: len(bench.outcomes()) == 5, 30, every=0.3, what="all outcomes are written")
    [dead] = records(bench.bootstrap, f"{bench.prefix}.orders.v1.dlq")
    assert dict(dead.headers())["x-dlq-error-class"] == b"invalid"
    assert sum(bench.calls().values()) == 5


def test_quiesced_tells_when_sink_and_sender_have_taken_everything(bench: Bench) -> None:
    worker = bench.start().wait_ready()
    bench.send(0, 50)
    told = until(
        lambda: sum((told := worker.quiesced())["positions"].values()) == 100 and not told["in_flight"] and told, 30
    )
    assert told["ready"]
    assert len(told["positions"]) == 2 * PARTITIONS
    assert 'nivaran_records_total{part="file-sender"} 50.0' in worker.get("/metrics")
