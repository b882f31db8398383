"""The exporter on a real broker and Redis: lag while no worker runs, nothing shown of what is away, cases by level."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from agents.app import ROLES
from agents.readmodel.model import ReadModel
from agents.runtime.producers import producer_config
from agents.settings import Settings
from agents.telemetry.catalogue import CATALOGUE
from deploy.local.kafka import KafkaCluster
from deploy.local.redis import RedisServer
from schemas.registry import dead_letters
from schemas.topics import CASE_COMMANDS, INTAKE_SUBMITTED
from tests.boardlog import partitioned, slices, story_driver
from tests.waiting import auntil, until

pytestmark = pytest.mark.live
DEAD = dead_letters(INTAKE_SUBMITTED)
LONG = b'{"text": "' + b"x" * 3000 + b'"}'
"""Long enough to be compressed."""
Samples = dict[tuple[str, ...], float]


class Exporter:
    """`nivaran exporter` as a process."""

    def __init__(self, kafka: str, redis: str, log: Path, **settings: str) -> None:
        environ = {
            "NIVARAN_KAFKA": kafka, "NIVARAN_REDIS_URL": redis, "NIVARAN_HTTP_PORT": "0",
            "NIVARAN_EXPORTER_INTERVAL": "0.2", "NIVARAN_GROUP_PREFIX": "watched", **settings,
        }  # fmt: skip
        self._log = log
        with log.open("wb") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deploy.cli", "exporter"],
                env={**os.environ, **environ},
                stdout=sink,
                stderr=subprocess.STDOUT,
            )

    @property
    def url(self) -> str:
        assert self.process.poll() is None, self._log.read_text()
        return until(lambda: re.search(r"http://\S+", self._log.read_text()), 30, what="the exporter listens")[0]

    def samples(self) -> Samples:
        with urllib.request.urlopen(self.url + "/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return {
            (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@pytest.fixture
def exporter(own: tuple[KafkaCluster, RedisServer], tmp_path: Path) -> Iterator[Exporter]:
    kafka, redis = own
    made = Exporter(kafka.bootstrap, redis.url, tmp_path / "log")
    yield made
    assert made.stop() == 0


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[KafkaCluster, RedisServer]]:
    """Servers of its own: one test takes them away, and another counts every group there is."""
    home = tmp_path_factory.mktemp("exporter")
    with KafkaCluster(home / "kafka", keep=True) as kafka, RedisServer(home / "redis", keep=True) as redis:
        settings = {"NIVARAN_KAFKA": kafka.bootstrap, "NIVARAN_PARTITIONS": "2", "NIVARAN_REPLICATION": "1"}
        apply = [sys.executable, "-m", "deploy.cli", "topics", "apply"]
        subprocess.run(apply, env={**os.environ, **settings}, check=True, capture_output=True)
        yield kafka, redis


def written(kafka: KafkaCluster, ages_s: list[float], *, committed: bool = True, topic: str = CASE_COMMANDS) -> None:
    """Records that old into partition 0 of a topic, in a transaction of their own."""
    settings = Settings(kafka=kafka.bootstrap)
    producer = Producer({**producer_config(settings), "transactional.id": f"t-{time.monotonic_ns()}"})
    producer.init_transactions(20)
    producer.begin_transaction()
    for age in ages_s:
        producer.produce(topic, LONG, b"k", partition=0, timestamp=int((time.time() - age) * 1000))
    producer.flush(10)
    (producer.commit_transaction if committed else producer.abort_transaction)(20)


def commit(kafka: KafkaCluster, group: str, offset: int) -> None:
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": group})
    consumer.commit(offsets=[TopicPartition(CASE_COMMANDS, 0, offset)], asynchronous=False)
    consumer.close()


def test_lag_is_told_in_records_and_seconds_while_no_worker_runs(
    exporter: Exporter, own: tuple[KafkaCluster, RedisServer]
) -> None:
    kafka, _ = own
    place = ("watched-case", "0", CASE_COMMANDS)  # in the order of the labels' names
    key = ("kafka_consumergroup_lag", *place)
    until(lambda: exporter.samples().get(key) == 0, 30, what="no lag before anything is written")
    written(kafka, [300, 200, 100])  # offsets 0 to 2, and a marker

    until(lambda: exporter.samples()[key] == 4, 20, what="all records wait, the marker with them")
    found = exporter.samples()
    assert found["nivaran_consumergroup_lag_seconds", *place] == pytest.approx(300, abs=15)
    assert found["kafka_consumergroup_members", "watched-case"] == 0
    assert found["nivaran_consumergroup_unowned_partitions", "watched-case"] == 2
    assert found["nivaran_lag_stale_looks_total", "watched-case"] > 0
    assert found["nivaran_lag_stale_looks_total", "watched-board"] == 0
    assert {f"watched-{role}" for role in ROLES} <= {
        name[1] for name in found if name[0] == "kafka_consumergroup_members"
    }

    commit(kafka, "watched-case", 2)
    until(lambda: exporter.samples()[key] == 2, 20, what="the committed records do not wait")
    assert exporter.samples()["nivaran_consumergroup_lag_seconds", *place] == pytest.approx(100, abs=15)

    commit(kafka, "watched-case", 3)
    until(lambda: exporter.samples()[key] == 0, 20, what="only the marker is left, and that is nothing")
    assert exporter.samples()["nivaran_consumergroup_lag_seconds", *place] == 0
    written(kafka, [50], committed=False)
    looks = exporter.samples()["nivaran_lag_looks_total", "watched-case"]
    until(lambda: exporter.samples()["nivaran_lag_looks_total", "watched-case"] > looks + 2, 20)
    assert exporter.samples()[key] == 0, "what was aborted does not wait"


def test_the_oldest_dead_letter_is_told_with_its_age(exporter: Exporter, own: tuple[KafkaCluster, RedisServer]) -> None:
    oldest = ("nivaran_dead_letters_oldest_seconds", DEAD)
    until(lambda: exporter.samples().get(oldest) == 0, 30, what="there is none")
    written(own[0], [900, 4000, 30], topic=DEAD)
    until(lambda: exporter.samples()[oldest] > 0, 20, what="the first record is looked at")
    assert exporter.samples()[oldest] == pytest.approx(900, abs=15), "the first that was kept"


async def test_the_helpline_is_shown_by_level_age_and_outcome(
    exporter: Exporter, own: tuple[KafkaCluster, RedisServer]
) -> None:
    from redis.asyncio import Redis  # noqa: PLC0415 - only here

    rare = (("nivaran_sms_total", "unknown", "mp-181"), ("nivaran_cases_total", "routed-to-fallback", "mp-181"))
    # there before the first of them, or the alerts on their increase would miss it
    await auntil(lambda: all(exporter.samples().get(name) == 0 for name in rare), 30, what="rare ones are shown as 0")
    redis = Redis.from_url(own[1].url)
    driver = story_driver()
    model = ReadModel(redis)
    for part in slices(partitioned(driver), 1):
        await model.apply(part)
    await redis.aclose()
    cases = [case for case in driver.state["case"].values() if case.status == "open"]

    def shown() -> Samples | None:
        found = exporter.samples()
        return found if any(name[0] == "nivaran_open_cases" for name in found) else None

    found = await auntil(shown, 30, what="cases are shown")
    by_level: dict[str, float] = {}
    for (name, *labels), value in found.items():
        if name == "nivaran_open_cases":
            level = next(each for each in labels if each.isdigit())
            by_level[level] = by_level.get(level, 0) + value
    assert {level: count for level, count in by_level.items() if count} == {
        str(level): sum(case.level == level for case in cases) for level in {case.level for case in cases}
    }
    assert sum(value for name, value in found.items() if name[0] == "nivaran_district_open_cases") == len(cases)
    assert any(name[0] == "nivaran_escalations_total" and "time-out" in name for name in found)
    assert all(name[0].startswith(("process_", "nivaran_exporter_look")) or name[0] in CATALOGUE for name in found)


def test_what_is_away_is_said_and_nothing_old_is_shown(
    exporter: Exporter, own: tuple[KafkaCluster, RedisServer]
) -> None:
    _, redis = own
    up = ("nivaran_exporter_up", "redis")
    until(lambda: exporter.samples().get(up) == 1, 30, what="Redis answers")
    redis.process.kill()
    try:
        until(lambda: exporter.samples()[up] == 0, 30, what="Redis is away")
        assert not any(name[0] == "nivaran_open_cases" for name in exporter.samples())
        lag = "kafka_consumergroup_lag"
        until(lambda: any(name[0] == lag for name in exporter.samples()), 30, what="Kafka is looked at all the same")
        assert exporter.samples()[up] == 0
    finally:
        redis.start()
    until(lambda: exporter.samples()[up] == 1, 30, what="Redis is back")


def test_a_port_that_is_taken_and_a_wrong_setting_are_said(tmp_path: Path) -> None:
    wrong = Exporter("127.0.0.1:1", "redis://127.0.0.1:1", tmp_path / "wrong", NIVARAN_EXPORTER_INTERVAL="soon")
    assert wrong.process.wait(20) == 2
    assert "NIVARAN_EXPORTER_INTERVAL" in (tmp_path / "wrong").read_text()
    first = Exporter("127.0.0.1:1", "redis://127.0.0.1:1", tmp_path / "first")
    port = first.url.rpartition(":")[2]
    second = Exporter("127.0.0.1:1", "redis://127.0.0.1:1", tmp_path / "second", NIVARAN_HTTP_PORT=port)
    assert second.process.wait(20) == 78
    until(lambda: first.samples().get(("nivaran_exporter_up", "kafka")) == 0, 30, what="Kafka is away, and it says so")
    assert first.stop() == 0
