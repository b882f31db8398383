"""A worker that is told to stop, or cannot go on, ends in bounded time: whatever it does, whatever Kafka does."""

import signal
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from agents.runtime.changelogs import CHANGELOG
from agents.runtime.exits import Exit
from deploy.local.kafka import KafkaCluster
from tests.live.audit import audit
from tests.live.bench import PARTITIONS, Bench
from tests.live.harness import WorkerProcess, make_topics
from tests.live.toy import Sum
from tests.waiting import until

pytestmark = pytest.mark.live
STATES = 200_000
MOST_WAITING = 50_000
SLOWLY = {"NIVARAN_FETCH_BYTES": "65536"}
SHORT = {"NIVARAN_TRANSACTION_TIMEOUT": "5"}
LIMIT_S = 5 + 5 + 10
"""Of the transaction, of what is waited beyond it, and of a busy machine."""


@pytest.fixture(scope="module")
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """A broker of its own: these tests stop and kill it."""
    with KafkaCluster(tmp_path_factory.mktemp("kafka")) as cluster:
        yield cluster


@pytest.fixture
def away(own_kafka: KafkaCluster, tmp_path: Path) -> Iterator[Bench]:
    """A toy flow on that broker, which is back when the test is over."""
    bench = Bench(own_kafka.bootstrap, tmp_path)
    yield bench
    bench.end()
    [node] = own_kafka.nodes
    node.resume()
    node.start()
    own_kafka.wait_ready()


def ended_within(worker: WorkerProcess, seconds: float) -> int:
    began = time.monotonic()
    code = worker.wait(60)
    assert time.monotonic() - began < seconds
    return code


def test_sigterm_while_kafka_does_not_answer_at_start_is_obeyed_at_once(bench: Bench) -> None:
    worker = bench.start(NIVARAN_KAFKA="127.0.0.1:1", NIVARAN_START_TIMEOUT="60")
    until(lambda: "asking Kafka at" in worker.log(), 40, what="it has begun")
    worker.signal(signal.SIGTERM)
    assert ended_within(worker, 10) == Exit.CLEAN


def test_sigterm_during_recovery_ends_cleanly_and_nothing_is_lost(bench: Bench) -> None:
    bench.make_topics()
    make_topics(bench.bootstrap, [bench.changelog], PARTITIONS, config=CHANGELOG)
    state = msgspec.msgpack.encode(Sum(1, 1))
    for number in range(STATES):
        if number % MOST_WAITING == 0:
            bench.producer.flush(20)
        bench.producer.produce(bench.changelog, state, f"restored-{number}", number % PARTITIONS)
    bench.add(500)
    worker = bench.start(**SLOWLY)
    until(lambda: 0 < restored(worker) < STATES and not worker.ready, 40, every=0.01, what="it is in recovery")
    worker.signal(signal.SIGTERM)
    assert worker.wait() == Exit.CLEAN
    assert "worker toy ended as told" in worker.log()
    again = bench.start().wait_ready()
    bench.settled()
    assert restored(again) == STATES
    found = audit(bench.bootstrap, bench.stage, bench.group)
    assert (found.lost, found.repeated, found.wrong) == ([], [], [])
    assert len(found.states_wrong) == STATES, "those that no input led to"


def restored(worker: WorkerProcess) -> int:
    try:
        text = worker.get("/metrics")
    except (AssertionError, urllib.error.URLError):
        return 0
    told = [line for line in text.splitlines() if line.startswith("nivaran_restored_states_total{")]
    return int(float(told[0].split()[1])) if told else 0


@pytest.mark.parametrize("gone", ["killed", "frozen"])
def test_sigterm_while_kafka_is_away_ends_in_bounded_time_with_nothing_in_hand_lost(
    away: Bench, own_kafka: KafkaCluster, gone: str
) -> None:
    away.make_topics().add(300)
    worker = away.start(**SHORT).wait_ready()
    away.settled()
    [node] = own_kafka.nodes
    if gone == "killed":
        node.kill()
    else:
        node.pause()
    worker.signal(signal.SIGTERM)
    assert ended_within(worker, 18) == Exit.CLEAN
    if gone == "frozen":  # a dead one refuses at once
        assert "without Kafka's answer to its goodbye" in worker.log()
    node.resume()
    node.start()
    own_kafka.wait_ready()
    away.start().wait_ready()
    away.add(100)
    away.settled()
    found = audit(away.bootstrap, away.stage, away.group)
    assert found.clean, str(found)


def test_a_second_signal_is_obeyed_at_once(away: Bench, own_kafka: KafkaCluster) -> None:
    away.make_topics().add(300)
    worker = away.start(NIVARAN_SESSION_TIMEOUT="30").wait_ready()
    away.settled()
    own_kafka.nodes[0].pause()
    worker.signal(signal.SIGTERM)
    until(lambda: not worker.ready, what="it is about to end")
    until(lambda: worker.process.poll() is not None or worker.signal(signal.SIGINT), 5, every=0.2, what="its end")
    assert worker.wait() == Exit.NOT_DRAINED
    assert "told to stop a second time" in worker.log()


def test_a_commit_that_kafka_never_answers_ends_the_worker_and_is_made_again(
    away: Bench, own_kafka: KafkaCluster
) -> None:
    away.make_topics()
    worker = away.start(**SHORT).wait_ready()
    away.add(20_000, keys=500)
    until(lambda: sum(worker.quiesced()["positions"].values()) > 0, every=0.01, what="it is folding")
    own_kafka.nodes[0].pause()
    assert ended_within(worker, LIMIT_S) in {Exit.NOT_DURABLE, Exit.NOT_DRAINED}
    own_kafka.nodes[0].resume()
    own_kafka.wait_ready()
    away.start().wait_ready()
    away.settled()
    found = audit(away.bootstrap, away.stage, away.group)
    assert found.clean, str(found)
