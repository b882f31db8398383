"""Recovery on real Kafka: states that cannot be taken over stop the worker, however Faust would have gone on."""

import msgspec
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from agents.runtime.exits import Exit
from tests.live.audit import audit
from tests.live.bench import PARTITIONS, Bench
from tests.live.harness import make_topics
from tests.waiting import until

pytestmark = pytest.mark.live
ANSWER_S = 20


@pytest.fixture
def folded(bench: Bench) -> Bench:
    """A group that has folded 200 records and has ended in order."""
    bench.make_topics().add(200)
    worker = bench.start().wait_ready()
    bench.settled()
    assert worker.stop() == Exit.CLEAN
    return bench


@pytest.fixture
def admin(folded: Bench) -> AdminClient:
    return AdminClient({"bootstrap.servers": folded.bootstrap, "log_level": 2})


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(b"\xc1 nonsense", id="garbage"),
        pytest.param(msgspec.msgpack.encode({"total": 3, "count": 1}), id="of-another-version"),
    ],
)
def test_a_state_that_cannot_be_read_ends_every_start(folded: Bench, stored: bytes) -> None:
    folded.producer.produce(folded.changelog, stored, b"key-of-another-version", 2)
    folded.producer.flush(20)
    worker = folded.start()
    assert worker.wait() == Exit.UNKNOWN_FAULT
    log = worker.log()
    assert "stage toy: no due instants; leaving (exit 76 UNKNOWN_FAULT)" in log
    assert f"in partition 2 of {folded.changelog}" in log
    assert "a stored state of stage toy cannot be read" in log
    assert "key-of-another-version" not in log


def test_a_changelog_with_another_number_of_partitions_stops_the_start(bench: Bench) -> None:
    bench.make_topics()
    make_topics(bench.bootstrap, [bench.changelog], PARTITIONS + 1)
    worker = bench.start()
    assert worker.wait() == Exit.NOT_SET_UP
    assert f"topic {bench.changelog} has 5 partitions and must have 4" in worker.log()


def test_partitions_that_came_without_their_changelog_are_folded_as_soon_as_it_can_be_seen(bench: Bench) -> None:
    bench.make_topics().add(200)
    worker = bench.start("tests.live.late_changelog")
    worker.wait_ready()
    bench.settled()
    assert "partitions came without their changelog" in worker.log()
    assert worker.stop() == Exit.CLEAN
    assert audit(bench.bootstrap, bench.stage, bench.group).clean


def test_a_changelog_that_is_gone_stops_the_start_and_is_not_made_anew(folded: Bench, admin: AdminClient) -> None:
    for gone in admin.delete_topics([folded.changelog]).values():
        gone.result(ANSWER_S)
    until(lambda: folded.changelog not in admin.list_topics(timeout=ANSWER_S).topics, what="the topic is gone")
    worker = folded.start()
    assert worker.wait() == Exit.NOT_SET_UP
    assert f"there is no changelog {folded.changelog}, but group {folded.group} has folded" in worker.log()
    assert folded.changelog not in admin.list_topics(timeout=ANSWER_S).topics


def test_a_changelog_that_expires_stops_the_start_and_so_does_one_that_has_been_cut(
    folded: Bench, admin: AdminClient
) -> None:
    keep(admin, folded.changelog, "delete")
    worker = folded.start()
    assert worker.wait() == Exit.NOT_SET_UP
    assert f"changelog {folded.changelog} has cleanup.policy=delete and must have compact" in worker.log()
    for cut in admin.delete_records([TopicPartition(folded.changelog, 1, 1)]).values():
        cut.result(ANSWER_S)
    keep(admin, folded.changelog, "compact")
    worker = folded.start()
    assert worker.wait() == Exit.NOT_SET_UP
    assert f"changelog {folded.changelog} has been cut at its beginning (first offset by partition: {{1: 1}})" in (
        worker.log()
    )


def keep(admin: AdminClient, topic: str, policy: str) -> None:
    entry = ConfigEntry("cleanup.policy", policy, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    for changed in admin.incremental_alter_configs([resource]).values():
        changed.result(ANSWER_S)
