"""The board on a real Redis and Kafka: each fact shown once, whatever is repeated, flushed or away."""

import asyncio
import json
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from pathlib import Path

import pytest
from click.testing import CliRunner
from confluent_kafka import Producer
from redis.asyncio import Redis

from agents.board import Board
from agents.readmodel.folding import TOPICS
from agents.readmodel.keys import WINDOWS_KEPT, Keys
from agents.readmodel.model import ReadModel, ViewLostError
from agents.readmodel.reader import AGES_DAYS, DAY_MS, Reader
from agents.readmodel.rebuild import catch_up, compare, drop, rebuild
from agents.runtime.ports import Slice
from agents.settings import Settings
from deploy.cli import cli
from deploy.local.kafka import KafkaCluster
from deploy.local.redis import RedisServer
from schemas import events as e
from schemas.sla import SlaWindow
from schemas.topics import CASE_EVENTS, ESCALATION_RAISED, INTAKE_REJECTED, SLA_WINDOW, SMS_DELIVERY
from streams.calendar import day_key
from streams.driver import Driver
from streams.profiles.load import profile
from streams.sla.table import fold
from tests.boardlog import Stored, partitioned, story_driver, values
from tests.live.harness import make_topics, records
from tests.live.shown import Log, fill, filled
from tests.waiting import auntil

pytestmark = pytest.mark.live
SYSTEM = "up-1076"
ZONE = profile(SYSTEM).zone


@pytest.fixture(scope="module")
def driver() -> Driver:
    return story_driver()


@pytest.fixture(scope="module")
def log(driver: Driver) -> Log:
    return partitioned(driver)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def prefix(redis: Redis) -> AsyncIterator[str]:
    name = f"board-{uuid.uuid4().hex[:8]}"
    yield name
    for each in (name, f"{name}-again"):
        await drop(redis, each)


@pytest.fixture(scope="module")
def whole(redis_url: str, log: Log) -> Iterator[str]:
    with filled(redis_url, log) as prefix:
        yield prefix


@pytest.fixture
def reader(redis: Redis, whole: str) -> Reader:
    return Reader(redis, whole)


async def test_the_size_of_slices_and_repeats_make_no_difference(redis: Redis, prefix: str, whole: str, log: Log):
    await fill(redis, prefix, log, seed=2)
    assert await compare(redis, prefix, whole) == []
    await fill(redis, prefix, log, seed=3)
    assert await compare(redis, prefix, whole) == [], "the whole log a second time changes nothing"


async def test_a_slice_that_overlaps_what_was_shown_adds_only_the_rest(redis: Redis, prefix: str, whole: str, log: Log):
    model = ReadModel(redis, prefix)
    for place, part in log.items():
        for end in range(0, len(part) + 7, 7):
            await model.apply(Slice(*place, part[max(0, end - 20) : end] or part[:1]))
    assert await compare(redis, prefix, whole) == []


async def test_two_writers_of_the_same_partitions_count_nothing_twice(redis: Redis, prefix: str, whole: str, log: Log):
    await asyncio.gather(*(fill(redis, prefix, log, seed) for seed in (4, 5, 6)))
    assert await compare(redis, prefix, whole) == []


async def test_a_case_is_shown_with_its_timeline_its_because_and_its_messages(reader: Reader, driver: Driver):
    told: defaultdict[str, list[e.Event]] = defaultdict(list)
    for fact in values(driver, CASE_EVENTS):
        told[fact.case].append(fact)
    messages = Counter(
        fact.case for fact in values(driver, SMS_DELIVERY) if fact.state == "handed-over" and fact.attempt == 1
    )
    for case, facts in told.items():
        if not isinstance(facts[0], e.CaseRegistered):
            continue
        found = await reader.case(case)
        assert found is not None
        assert [entry["seq"] for entry in found["timeline"]] == [fact.seq for fact in facts]
        assert [entry["because"]["rule"] for entry in found["timeline"]] == [fact.because.rule for fact in facts]
        assert len(found["messages"]) == messages[case]


async def test_a_duplicate_leads_to_its_case_and_a_rejection_to_its_reason(reader: Reader, driver: Driver):
    linked = next(fact for fact in values(driver, CASE_EVENTS) if isinstance(fact, e.DuplicateLinked))
    assert await reader.case(linked.duplicate) == {
        "case": linked.duplicate,
        "status": "duplicate",
        "duplicate_of": linked.case,
    }
    cases = {fact.case for fact in values(driver, CASE_EVENTS)}
    rejected = next(each for each in values(driver, INTAKE_REJECTED) if each.case not in cases)
    found = await reader.case(rejected.case)
    assert found is not None
    assert (found["status"], found["reason"], found["detail"]) == ("rejected", rejected.reason, rejected.detail)
    assert await reader.case("100000000000000000") is None


async def test_pendency_counts_every_open_case_at_its_unit_and_age(reader: Reader, driver: Driver):
    open_cases = [case for case in driver.state["case"].values() if case.status == "open" and case.system == SYSTEM]
    expected = Counter((case.district, case.department, case.level) for case in open_cases)
    rows = await reader.pendency(SYSTEM, driver.now)
    assert {row[:3]: row.cases for row in rows} == expected
    assert open_cases
    ages = [sum(driver.now - case.level_at < days * DAY_MS for case in open_cases) for days in AGES_DAYS]
    assert [sum(sum(row.ages[: index + 1]) for row in rows) for index in range(len(AGES_DAYS))] == ages
    assert min(row.oldest_since for row in rows) == min(case.level_at for case in open_cases)
    one = rows[0]
    assert await reader.pendency(SYSTEM, driver.now, district=one.district, department=one.department)
    assert set(await reader.pending_cases(SYSTEM, *one[:3])) == {
        case.id for case in open_cases if (case.district, case.department, case.level) == one[:3]
    }


async def test_defaulters_stand_on_the_day_their_time_ran_out(reader: Reader, driver: Driver):
    days: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
    for fact in values(driver, CASE_EVENTS):
        if fact.system != SYSTEM:
            continue
        if isinstance(fact, e.BecameDefaulter):
            days[day_key(fact.due_at, ZONE)].add((fact.case, fact.due_at))
        elif isinstance(fact, e.EscalationWithdrawn):
            days[day_key(fact.due_at, ZONE)].discard((fact.case, fact.due_at))
    assert days
    for day, cases in days.items():
        latest = dict(sorted(cases, key=lambda each: each[1]))
        assert dict(await reader.defaulters(SYSTEM, day)) == latest


async def test_counters_are_a_recount(reader: Reader, driver: Driver):
    totals = await reader.totals(SYSTEM)
    facts = [fact for fact in values(driver, CASE_EVENTS) if fact.system == SYSTEM]
    assert totals["registered"] == sum(isinstance(fact, e.CaseRegistered) for fact in facts)
    causes = Counter(fact.cause for fact in facts if isinstance(fact, e.CaseEscalated))
    assert {cause: totals[f"escalated:{cause}"] for cause in causes} == causes
    levels = Counter(
        case.level for case in driver.state["case"].values() if case.status == "open" and case.system == SYSTEM
    )
    assert {level: totals.get(f"open:{level}", 0) for level in (1, 2, 3, 4)} == {
        level: levels[level] for level in (1, 2, 3, 4)
    }
    messages = Counter(fact.state for fact in values(driver, SMS_DELIVERY) if fact.system == SYSTEM)
    assert {state: totals[f"sms:{state}"] for state in messages} == messages


async def test_the_latest_windows_are_the_table(reader: Reader, driver: Driver):
    windows = [
        window for window in values(driver, SLA_WINDOW) if isinstance(window, SlaWindow) and window.system == SYSTEM
    ]
    table = fold(windows)
    for grain, kept in WINDOWS_KEPT.items():
        starts = sorted({window.start_at for window in windows if window.grain == grain}, reverse=True)[:kept]
        assert await reader.window_starts(SYSTEM, grain) == starts
        for start in starts:
            rows = await reader.windows(SYSTEM, grain, start)
            expected = {cell[1:4]: line for cell, line in table.items() if cell[4:] == (grain, start)}
            assert {row[:3] for row in rows} == set(expected)
            for row in rows:
                line = expected[row[:3]]
                assert row.view.counts == {measure: count for measure, count in line.counts.items() if count}
                assert row.quantile_ms(0.5) == line.quantile_ms(0.5)


async def test_the_feed_has_every_escalation_and_can_be_followed(reader: Reader, driver: Driver):
    raised = Counter((each.case, each.seq) for each in values(driver, ESCALATION_RAISED))
    entries = await reader.escalations(count=10_000)
    found = Counter((fact["case"], fact["seq"]) for entry in entries for fact in [json.loads(entry.data)])
    assert found == raised
    assert await reader.newest_escalation() == entries[-1].id
    assert await reader.wait_escalations(entries[-2].id, 10, 1000) == entries[-1:]
    assert await reader.wait_escalations(entries[-1].id, 10, 20) == []


async def test_a_lost_view_is_noticed_before_anything_is_written(redis: Redis, prefix: str, log):
    model = ReadModel(redis, prefix)
    place, part = next(iter(log.items()))
    reached = await model.apply(Slice(*place, part[:5]))
    await drop(redis, prefix)
    with pytest.raises(ViewLostError):
        await model.apply(Slice(*place, part[5:]), reached)
    assert [key async for key in redis.scan_iter(match=f"{prefix}:*")] == []


async def test_what_cannot_be_read_is_counted_and_stops_nothing(redis: Redis, prefix: str, log):
    model = ReadModel(redis, prefix)
    (topic, partition), part = next((place, each) for place, each in log.items() if place[0] == CASE_EVENTS)
    bad = [
        Stored(topic, partition, offset, 0, b"key", value) for offset, value in enumerate([None, b"{", b'{"type":"?"}'])
    ]
    good = [each._replace(offset=each.offset + len(bad)) for each in part]
    await model.apply(Slice(topic, partition, [*bad, *good]))
    assert model.unreadable == len(bad)
    totals = await Reader(redis, prefix).totals(SYSTEM)
    assert totals["registered"]


# with the log in Kafka


@pytest.fixture(scope="module")
def kafka_log(tmp_path_factory: pytest.TempPathFactory, log) -> Iterator[str]:
    """A broker of its own: the board's topics have fixed names."""
    with KafkaCluster(tmp_path_factory.mktemp("board-kafka")) as cluster:
        make_topics(cluster.bootstrap, TOPICS, 3)
        write(cluster.bootstrap, log)
        yield cluster.bootstrap


def write(bootstrap: str, log: Log) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": uuid.uuid4().hex})
    producer.init_transactions(20)
    for (topic, partition), part in log.items():
        producer.begin_transaction()
        for record in part:
            producer.produce(topic, record.value, record.key, partition, timestamp=record.timestamp)
        producer.commit_transaction(20)
        producer.begin_transaction()
        producer.produce(topic, part[0].value, part[0].key, partition)
        producer.flush(20)
        producer.abort_transaction(20)


@pytest.fixture
async def own_redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    with RedisServer(tmp_path / "redis") as server:
        yield server


async def test_the_model_made_from_the_log_is_the_one_made_from_slices(
    redis: Redis, prefix: str, whole: str, kafka_log: str
):
    await rebuild(redis, kafka_log, prefix)
    differences = await compare(redis, whole, prefix)
    assert [each for each in differences if not each.startswith("position:")] == []


async def test_a_flushed_redis_is_filled_again_from_the_log(own_redis: RedisServer, kafka_log: str, log):
    client = Redis.from_url(own_redis.url)
    board = Board(Settings(kafka=kafka_log, redis_url=own_redis.url))
    await board.open()
    await client.flushall()
    (topic, partition), part = next(iter(log.items()))
    after = Stored(topic, partition, 1_000_000, 0, part[0].key, b"not a fact")
    await asyncio.gather(*(board.handle(Slice(topic, each, [after._replace(partition=each)])) for each in range(3)))
    assert metric(board.rebuilds) == 1
    await rebuild(client, kafka_log, "fresh")
    differences = await compare(client, "nivaran", "fresh")
    assert [each for each in differences if not each.startswith("position:")] == []
    await board.close()
    await client.aclose()


async def test_the_board_takes_up_where_redis_stands(own_redis: RedisServer, kafka_log: str):
    client = Redis.from_url(own_redis.url)
    model = ReadModel(client, "half")
    for topic in TOPICS:
        for message in islice(records(kafka_log, topic), 20):
            place, offset = (topic, message.partition()), message.offset()
            await model.apply(Slice(*place, [Stored(*place, offset, 0, message.key(), message.value())]))
    await catch_up(model, kafka_log)
    await rebuild(client, kafka_log, "whole")
    assert await compare(client, "half", "whole") == []
    await client.aclose()


async def test_a_read_model_of_another_log_is_dropped(own_redis: RedisServer, kafka_log: str, log, caplog):
    client = Redis.from_url(own_redis.url)
    model = ReadModel(client)
    (topic, partition), part = next(iter(log.items()))
    await model.apply(Slice(topic, partition, [part[0]._replace(offset=5_000_000)]))
    board = Board(Settings(kafka=kafka_log, redis_url=own_redis.url))
    await board.open()
    assert "another log" in caplog.text
    await rebuild(client, kafka_log, "fresh")
    assert await compare(client, "nivaran", "fresh") == []
    await board.close()
    await client.aclose()


async def test_while_redis_is_away_nothing_is_acknowledged_and_nothing_lost(tmp_path: Path, kafka_log: str, log):
    place, part = next(iter(log.items()))
    with RedisServer(tmp_path / "redis") as server:
        board = Board(Settings(kafka=kafka_log, redis_url=server.url))
        await board.open()
        server.kill()
        taking = asyncio.create_task(board.handle(Slice(*place, [part[-1]._replace(offset=1_000_000)])))
        await auntil(lambda: metric(board.waits) >= 2, what="the board has found Redis away")
        assert metric(board.available) == 0
        assert not taking.done()
        server.start()
        await asyncio.wait_for(taking, 30)
        assert metric(board.available) == 1
        client = Redis.from_url(server.url)
        assert await ReadModel(client).position(*place) == 1_000_001, "and the facts before it, which Redis had lost"
        assert metric(board.rebuilds) == 1
        await board.close()
        await client.aclose()


async def test_the_board_in_use_is_compared_with_one_made_anew_and_replaced_on_demand(
    own_redis: RedisServer, kafka_log: str
):
    settings, client = {"NIVARAN_KAFKA": kafka_log, "NIVARAN_REDIS_URL": own_redis.url}, Redis.from_url(own_redis.url)

    async def rebuilt(*arguments: str) -> tuple[int, dict[str, object]]:
        found = await asyncio.to_thread(CliRunner().invoke, cli, ["rebuild", *arguments, "--json"], env=settings)
        return found.exit_code, json.loads(found.stdout)

    assert await rebuilt("board", "--replace") == (0, {"what": "board", "differing": [], "same": True})
    case = (await anext(client.scan_iter(match="nivaran:case:*"))).decode()
    await client.delete(case)
    lost = case.removeprefix("nivaran:")
    assert await rebuilt("board") == (1, {"what": "board", "differing": [lost], "same": False})
    assert (await rebuilt("registers"))[0] == 0
    assert (await rebuilt("board", "--replace"))[0] == 0
    assert [key async for key in client.scan_iter(match="nivaran-rebuilt:*")] == []
    await client.aclose()


async def test_a_board_that_stands_behind_the_log_is_compared_up_to_where_it_stands(
    own_redis: RedisServer, kafka_log: str
):
    settings, client = {"NIVARAN_KAFKA": kafka_log, "NIVARAN_REDIS_URL": own_redis.url}, Redis.from_url(own_redis.url)
    model = ReadModel(client)
    for topic in TOPICS:
        for message in islice(records(kafka_log, topic), 20):
            place, offset = (topic, message.partition()), message.offset()
            await model.apply(Slice(*place, [Stored(*place, offset, 0, message.key(), message.value())]))
    found = await asyncio.to_thread(CliRunner().invoke, cli, ["rebuild", "board"], env=settings)
    assert (found.exit_code, found.output) == (0, "board: the same\n")
    await client.aclose()


async def test_a_board_that_takes_records_is_replaced_all_the_same(own_redis: RedisServer, kafka_log: str, monkeypatch):
    settings, client = {"NIVARAN_KAFKA": kafka_log, "NIVARAN_REDIS_URL": own_redis.url}, Redis.from_url(own_redis.url)
    place = Keys().position(CASE_EVENTS, 0)

    async def beside_a_worker(redis: Redis, left: str, right: str) -> list[str]:
        await redis.incr(place)
        return await compare(redis, left, right)

    monkeypatch.setattr("agents.cli.rebuild.LOOKS", 2)
    monkeypatch.setattr("agents.cli.rebuild.compare", beside_a_worker)
    found = await asyncio.to_thread(CliRunner().invoke, cli, ["rebuild", "board"], env=settings)
    assert (found.exit_code, "stop the worker board" in found.output) == (1, True)
    found = await asyncio.to_thread(CliRunner().invoke, cli, ["rebuild", "board", "--replace", "--json"], env=settings)
    assert (found.exit_code, json.loads(found.stdout)["same"]) == (0, None)
    await client.aclose()


def metric(collector) -> float:
    return next(
        sample.value for each in collector.collect() for sample in each.samples if not sample.name.endswith("_created")
    )
