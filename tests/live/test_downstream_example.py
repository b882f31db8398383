"""The example for departments, as a process on real Kafka: each escalation once, whatever comes twice or broken."""

import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka import Producer
from msgspec.structs import replace

from deploy.local.kafka import KafkaCluster
from schemas.codec import cloudevent, decoder, encode
from schemas.events import EscalationRaised
from tests.live.harness import ends, make_topics, producer, records
from tests.waiting import until

pytestmark = pytest.mark.live
ROOT = Path(__file__).parents[2]
EXAMPLE = decoder(EscalationRaised)((ROOT / "schemas/examples/escalation.raised.v1/on-time-out.json").read_bytes())
PARTITIONS = 3
COUNT = 120


class Department:
    """A topic of escalations of its own, and the example reading it."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.bootstrap, self._folder = bootstrap, folder
        self.group = f"desk-{uuid.uuid4().hex[:8]}"
        self.topic, self.dead = f"{self.group}.raised", f"{self.group}.dead"
        make_topics(bootstrap, [self.topic, self.dead], PARTITIONS)
        self._producer = producer(bootstrap)
        self._running: list[subprocess.Popen[bytes]] = []

    def raise_(self, first: int, count: int) -> None:
        for number in range(first, first + count):
            case = f"{number:018d}"
            record = replace(EXAMPLE, case=case)
            headers = cloudevent(record, source="/nivaran/case", id=f"cause-{number}-0", subject=case, at=record.at)
            self._producer.produce(self.topic, encode(record), case, headers=headers)
        self._producer.flush(20)

    def send(self, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        self._producer.produce(self.topic, value, "odd", headers=headers)
        self._producer.flush(20)

    def start(self) -> subprocess.Popen[bytes]:
        words = ["--kafka", self.bootstrap, "--group", self.group, "--topic", self.topic, "--dead", self.dead]
        with (self._folder / "log").open("ab") as log:
            self._running.append(
                subprocess.Popen(
                    [sys.executable, ROOT / "deploy/examples/escalations.py", *words, "--database", self.database],
                    stdout=log, stderr=log, cwd=self._folder,
                )
            )  # fmt: skip
        return self._running[-1]

    @property
    def database(self) -> Path:
        return self._folder / "desk.sqlite"

    def stop(self) -> int:
        """SIGTERM to the last that was started, once it listens to it; its exit code."""
        reads = f"reading {self.topic} as group {self.group}"
        until(lambda: self.log().count(reads) == len(self._running), 40, what="it reads")
        self._running[-1].terminate()
        return self._running[-1].wait(20)

    def log(self) -> str:
        return (self._folder / "log").read_text()

    def taken(self) -> list[str]:
        with closing(sqlite3.connect(self.database)) as database:
            return [case for (case,) in database.execute("select case_id from escalations order by case_id")]

    def end(self) -> None:
        for process in self._running:
            if process.poll() is None:
                process.kill()
                process.wait(10)


@pytest.fixture
def department(kafka: KafkaCluster, tmp_path: Path) -> Iterator[Department]:
    made = Department(kafka.bootstrap, tmp_path)
    yield made
    made.end()


def test_each_escalation_is_taken_once_over_repeats_poison_kill_and_restart(department: Department) -> None:
    department.raise_(0, COUNT)
    department.raise_(0, COUNT // 2)
    department.send(b"no json", [("ce_id", b"poison-1")])
    department.send(b'{"type":"escalation.raised.v1","case":"1"}', [("ce_id", b"poison-2")])
    department.send(b'{"type":"escalation.raised.v1"}', [])
    department.send(b'{"type":"escalation.of-a-later-year.v9"}', [("ce_id", b"unknown-1")])
    first = department.start()
    until(lambda: len(department.taken()) > COUNT // 4, 40, every=0.02, what="some are taken")
    first.kill()
    first.wait(10)

    department.start()
    until(lambda: len(department.taken()) == COUNT, 40, what="all are taken")
    until(lambda: sum(ends(department.bootstrap, department.dead).values()) >= 3, 20, what="the broken ones are aside")
    assert department.stop() == 0, department.log()

    department.raise_(COUNT // 2, COUNT)  # half of them new
    department.start()
    until(lambda: len(department.taken()) == COUNT + COUNT // 2, 40, what="the new ones are taken")
    assert department.stop() == 0, department.log()

    assert department.taken() == [f"{number:018d}" for number in range(COUNT + COUNT // 2)]
    aside = {dict(each.headers())["x-error"]: each.value() for each in records(department.bootstrap, department.dead)}
    assert aside == {
        b"is not one JSON object with a type": b"no json",
        b"has no field 'seq'": b'{"type":"escalation.raised.v1","case":"1"}',
        b"has no header ce_id": b'{"type":"escalation.raised.v1"}',
    }
    assert "no json" not in department.log()


def test_what_an_aborted_transaction_wrote_is_never_taken(department: Department) -> None:
    writer = Producer({"bootstrap.servers": department.bootstrap, "transactional.id": department.group, "log_level": 2})
    writer.init_transactions(20)
    writer.begin_transaction()
    headers = cloudevent(EXAMPLE, source="/nivaran/case", id="never", subject=EXAMPLE.case, at=EXAMPLE.at)
    writer.produce(department.topic, encode(EXAMPLE), EXAMPLE.case, headers=headers)
    writer.flush(20)
    writer.abort_transaction(20)
    department.raise_(0, 10)
    department.start()
    until(lambda: len(department.taken()) >= 10, 40, what="the committed ones are taken")
    assert department.stop() == 0, department.log()
    assert EXAMPLE.case not in department.taken()
