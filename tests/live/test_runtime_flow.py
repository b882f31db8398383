"""A stage on real Kafka: exactly once, dead letters, wakes, cold restart, clean stop, what a start refuses."""

import json
import signal
import time

import pytest

from agents.clock import SimulatedClock
from agents.runtime.exits import Exit
from deploy.local.kafka import KafkaCluster
from schemas.base import Wake
from schemas.codec import decoder, encode
from schemas.topics import CLOCK
from tests.live.audit import audit
from tests.live.bench import PARTITIONS, Bench
from tests.live.harness import make_topics, records
from tests.live.toy import Add, Explode, Forget, Reminded
from tests.waiting import until

pytestmark = pytest.mark.live
WRONG_TYPE = b"Expected `int`, got `str` - at `$.amount`"
decode_reminded = decoder(Reminded)


def test_outputs_states_and_offsets_are_what_the_stage_says_once(bench: Bench, store: str) -> None:
    bench.make_topics().add(3000)
    bench.send("key-1", Forget(5))
    first, second = bench.start(), bench.start()
    first.wait_ready()
    second.wait_ready()
    bench.add(500)
    bench.settled()
    found = audit(bench.bootstrap, bench.stage, bench.group)
    assert found.clean, str(found)
    assert (found.inputs, found.states) == (3501, 50)


def test_what_cannot_be_taken_goes_to_the_dead_letters_with_reason_and_the_rest_goes_on(bench: Bench) -> None:
    bench.make_topics()
    at = int(time.time() * 1000)
    bad: list[tuple[bytes | None, bytes | None, bytes, bytes]] = [
        (b"k", b"{", b"malformed", b"the value is not JSON"),
        (b"k", b'{"type":"toy.add.v1","amount":"9876543210"}', b"invalid", WRONG_TYPE),
        (b"k", b'{"type":"9876543210"}', b"invalid", b"the value is not one that is allowed - at `$.type`"),
        (b"k", b'{"type":"toy.add.v1","amount":-1,"at":1}', b"invalid", b"Expected `int` >= 0 - at `$.amount`"),
        (b"k", b'{"type":"toy.add.v1","amount":1,"at":1,"text":"\xff"}', b"malformed", b"the text is not UTF-8"),
        (b"\xff", encode(Add(1, at)), b"malformed", b"the text is not UTF-8"),
        (None, encode(Add(1, at)), b"malformed", b"the record has no key"),
        (b"k", None, b"malformed", b"the record has no value"),
        (b"k", encode(Add(13, at)), b"unlucky", b"thirteen is refused"),
    ]  # fmt: skip
    for key, value, *_ in bad:
        bench.producer.produce(bench.topics.reads, value, key, headers={"traceparent": b"00-aa-bb-01"}, timestamp=at)
        bench.send(b"k", Add(1, at))
    bench.producer.flush(20)
    bench.start().wait_ready()
    bench.settled()
    found = audit(bench.bootstrap, bench.stage, bench.group)
    assert found.clean, str(found)
    dead = list(records(bench.bootstrap, f"{bench.topics.reads}.dlq"))
    assert sorted((m.key() or b"", m.value() or b"") for m in dead) == sorted((k or b"", v or b"") for k, v, *_ in bad)
    told = {(m.key(), m.value()): dict(m.headers()) for m in dead}
    for key, value, error, reason in bad:
        headers = told[key, value]
        assert (headers["x-dlq-error-class"], headers["x-dlq-error-message"]) == (error, reason)
        assert headers["traceparent"] == b"00-aa-bb-01"
        assert headers["x-dlq-original-topic"] == bench.topics.reads.encode()
        assert headers["x-dlq-original-timestamp"] == str(at).encode()
        assert headers["x-dlq-consumer-group"] == bench.group.encode()
        assert headers["x-dlq-attempts"] == b"1"
        assert b"9876543210" not in b"".join(v for k, v in headers.items() if k.startswith("x-dlq"))


def test_a_cold_restart_rebuilds_the_same_states_and_due_instants(bench: Bench, store: str) -> None:
    bench.make_topics()
    start = int(time.time() * 1000)
    bench.add(400, at=start, remind_after=3_600_000)
    worker = bench.start().wait_ready()
    bench.settled()
    due = worker.quiesced()["next_due"]
    worker.kill()
    again = bench.start().wait_ready()
    bench.settled()
    assert again.quiesced()["next_due"] == due
    assert due // 1000 == (start + 3_600_000) // 1000
    assert 'nivaran_restored_states_total{part="toy"}' in again.get("/metrics")
    bench.add(100, at=start)
    bench.settled()
    found = audit(bench.bootstrap, bench.stage, bench.group)
    assert found.clean, str(found)


def test_deadlines_fire_once_across_a_kill_and_never_early(bench: Bench, store: str) -> None:
    bench.make_topics()
    start = int(time.time() * 1000)
    bench.add(600, keys=600, at=start, remind_after=2000)
    worker = bench.start().wait_ready()
    until(lambda: sum(1 for _ in records(bench.bootstrap, bench.topics.reminders)) > 100, 30, what="some have fired")
    worker.kill()
    bench.start().wait_ready()
    reminders = until(
        lambda: len(told := list(records(bench.bootstrap, bench.topics.reminders))) >= 1800 and told, 60, every=0.5,
        what="all have fired",
    )  # fmt: skip
    bench.settled()
    facts = [json.loads(message.value()) for message in reminders]
    seen = {(message.key(), fact["times"]) for message, fact in zip(reminders, facts, strict=True)}
    assert len(seen) == len(facts) == 1800
    assert all(fact["now_at"] >= fact["due_at"] for fact in facts)
    assert audit(bench.bootstrap, bench.stage, bench.group).clean


def test_simulated_time_moves_only_when_the_clock_topic_does_and_wakes_say_when_they_were_due(
    bench: Bench, kafka: KafkaCluster
) -> None:
    bench.make_topics()
    if CLOCK not in bench.producer.list_topics(timeout=20).topics:
        make_topics(kafka.bootstrap, [CLOCK], 1)
    last = max((json.loads(m.value())["now_at"] for m in records(kafka.bootstrap, CLOCK)), default=1_700_000_000_000)
    hour = 3_600_000
    start = last + hour

    def move(to: int) -> None:
        bench.producer.produce(CLOCK, encode(Wake("clock", to, to)), b"clock")
        bench.producer.flush(20)

    move(start)
    bench.start(NIVARAN_CLOCK="simulated").wait_ready()
    bench.add(100, keys=100, at=start, remind_after=hour)
    bench.settled(start)
    assert not list(records(bench.bootstrap, bench.topics.reminders))
    move(start + hour - 1)
    bench.settled(start + hour - 1)
    assert not list(records(bench.bootstrap, bench.topics.reminders))
    move(start + 5 * hour)
    bench.settled(start + 5 * hour)
    facts = [decode_reminded(message.value()) for message in records(bench.bootstrap, bench.topics.reminders)]
    assert len(facts) == 300
    assert {fact.now_at - start for fact in facts} == {hour, 2 * hour, 3 * hour}
    assert all(fact.now_at == fact.due_at for fact in facts)


def test_time_leaps_for_the_system_first_and_for_who_waits_outside_when_that_is_settled(
    bench: Bench, kafka: KafkaCluster
) -> None:
    """As a worker that starts in the middle of it finds both: where they are, and where they were before."""
    if CLOCK not in bench.producer.list_topics(timeout=20).topics:
        make_topics(kafka.bootstrap, [CLOCK], 1)
    last = max((json.loads(m.value())["now_at"] for m in records(kafka.bootstrap, CLOCK)), default=1_700_000_000_000)
    first, second, third = (last + hours * 3_600_000 for hours in (1, 2, 3))

    def tell(now: int, settled: int) -> None:
        bench.producer.produce(CLOCK, encode(Wake("clock", settled, now)), b"clock")
        bench.producer.flush(20)

    for now, settled in ((first, last), (first, first), (second, first), (second, second), (third, second)):
        tell(now, settled)
    clocks = [SimulatedClock(kafka.bootstrap, settled=settled) for settled in (False, True)]
    for clock in clocks:
        clock.start()
    try:
        until(lambda: [clock.latest for clock in clocks] == [third, second], what="both clocks stand")
        assert [clock.previous for clock in clocks] == [second, first]
        tell(third, third)
        until(lambda: clocks[1].latest == third, what="the second one follows")
    finally:
        for clock in clocks:
            clock.stop()


def test_sigterm_finishes_what_is_in_hand_and_gives_the_partitions_back_at_once(bench: Bench, store: str) -> None:
    bench.make_topics().add(2000)
    first = bench.start(NIVARAN_SESSION_TIMEOUT="30").wait_ready()
    second = bench.start(NIVARAN_SESSION_TIMEOUT="30").wait_ready()
    bench.add(2000)
    assert first.stop() == Exit.CLEAN
    bench.add(500)
    # far sooner than the session of a member that did not say goodbye would end
    until(lambda: len(second.quiesced()["positions"]) == PARTITIONS, 12, what="the other has all partitions")
    bench.settled()
    second.signal(signal.SIGINT)
    assert second.wait() == Exit.CLEAN
    found = audit(bench.bootstrap, bench.stage, bench.group)
    assert found.clean, str(found)
    assert found.uncommitted_repeats == 0


def test_a_missing_topic_stops_the_start_with_its_name_and_the_remedy(bench: Bench) -> None:
    make_topics(bench.bootstrap, [bench.topics.reads, bench.topics.sums, f"{bench.topics.reads}.dlq"], PARTITIONS)
    worker = bench.start()
    assert worker.wait() == Exit.NOT_SET_UP
    assert f"no such topic (or no right to see it): {bench.topics.reminders}; `nivaran topics apply`" in worker.log()


def test_a_wrong_partition_count_stops_the_start(bench: Bench) -> None:
    bench.make_topics()
    worker = bench.start(NIVARAN_PARTITIONS="6")
    assert worker.wait() == Exit.NOT_SET_UP
    assert f"topic {bench.topics.reads} has 4 partitions and must have 6 (NIVARAN_PARTITIONS)" in worker.log()


def test_kafka_away_at_start_is_said(bench: Bench) -> None:
    worker = bench.start(NIVARAN_KAFKA="127.0.0.1:1", NIVARAN_START_TIMEOUT="2")
    assert worker.wait() == Exit.UNAVAILABLE
    assert "Kafka at 127.0.0.1:1" in worker.log()


def test_a_defect_in_a_stage_ends_the_process_and_nothing_is_skipped(bench: Bench) -> None:
    bench.make_topics().add(10)
    bench.send("key-1", Explode(1))
    bench.producer.flush(20)
    for _ in range(2):  # again after a restart: the record is still there
        worker = bench.start()
        assert worker.wait() == Exit.UNKNOWN_FAULT
        assert "a defect" in worker.log()
    done = {m.partition() for m in records(bench.bootstrap, bench.topics.reads) if m.value() == encode(Explode(1))}
    sums = [json.loads(m.value())["cause"] for m in records(bench.bootstrap, bench.topics.sums)]
    assert not [cause for cause in sums if int(cause.split("/")[1]) in done]


def test_a_flood_of_dead_letters_stops_the_worker(bench: Bench) -> None:
    bench.make_topics()
    for _ in range(500):
        bench.send("one", b'{"type":"toy.subtract.v2"}')
    bench.producer.flush(20)
    worker = bench.start()
    assert worker.wait() == Exit.DEAD_LETTER_FLOOD
    assert "NIVARAN_DEAD_LETTER_SHARE" in worker.log()
    assert not list(records(bench.bootstrap, f"{bench.topics.reads}.dlq"))
