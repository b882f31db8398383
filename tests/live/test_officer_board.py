"""Offices and officers on a real Redis: the lists are what the log says, whatever the slices were."""

import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from agents.readmodel.officer_reader import Area
from agents.readmodel.reader import Reader
from agents.readmodel.rebuild import compare, drop
from schemas.topics import OFFICER_EVENTS
from streams.driver import Driver
from tests.boardlog import partitioned, story_driver, values
from tests.live.shown import fill, filled
from tests.story import Story, offset, stories

pytestmark = pytest.mark.live
SYSTEM = "up-1076"
KHERI, LALITPUR = frozenset({159}), frozenset({161})
STORIES = {story.name: story for story in stories()}


@pytest.fixture(scope="module")
def driver() -> Driver:
    return story_driver()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def prefix(redis: Redis) -> AsyncIterator[str]:
    name = f"officers-{uuid.uuid4().hex[:8]}"
    yield name
    await drop(redis, name)


@pytest.fixture(scope="module")
def whole(redis_url: str, driver: Driver) -> Iterator[str]:
    with filled(redis_url, partitioned(driver)) as prefix:
        yield prefix


@pytest.fixture
def reader(redis: Redis, whole: str) -> Reader:
    return Reader(redis, whole)


async def test_slices_make_no_difference(redis: Redis, prefix: str, whole: str, driver: Driver) -> None:
    await fill(redis, prefix, partitioned(driver), 2)
    assert await compare(redis, prefix, whole) == []


async def test_the_days_list_names_who_was_absent_and_why(reader: Reader) -> None:
    story = STORIES["r10_presence_every_officer_every_day"]
    rows = {row.officer: row for row in await reader.absent(Area(SYSTEM, LALITPUR), story.day("0d"))}
    assert story.officer("diligent") not in rows
    assert story.officer("without-login") not in rows
    assert rows[story.officer("hasty")].flags == ("under-checks", "under-minutes")
    absent = rows[story.officer("absent")]
    assert (absent.logins, absent.flags) == (1, ("under-checks", "under-minutes"))
    assert absent.designation == "अपर जिलाधिकारी"
    health = await reader.absent(Area(SYSTEM, LALITPUR, "health"), STORIES["r10_silent_for_a_month"].day("33d"))
    assert [("silent" in row.flags, row.department) for row in health] == [(True, "health")]
    assert await reader.absent(Area(SYSTEM, KHERI), story.day("0d")) == []
    state = await reader.absent(Area(SYSTEM), story.day("0d"))
    assert [row for row in state if row.district == 161] == list(rows.values())


async def test_every_flagged_day_of_the_log_stands_in_its_list(reader: Reader, driver: Driver) -> None:
    last = {(fact.day, fact.officer): fact for fact in values(driver, OFFICER_EVENTS) if hasattr(fact, "minutes")}
    for name in sorted({day for day, _ in last}):
        wanted = {officer for (each, officer), fact in last.items() if each == name and fact.flags}
        assert {row.officer for row in await reader.absent(Area(SYSTEM), name)} == wanted


async def test_an_office_is_missing_until_its_officer_has_a_login(reader: Reader) -> None:
    story = STORIES["r11_from_application_to_first_login"]
    rows = {row.office: row for row in await reader.missing(Area(SYSTEM, LALITPUR), story.end)}
    assert "rural-development:bdo@161/r11" not in rows
    assert rows["revenue:dm@161"].standing == "not-listed"
    before = await reader.missing(Area(SYSTEM, LALITPUR), story.start - 1)
    [row] = [row for row in before if row.office == "rural-development:bdo@161/r11"]
    assert (row.standing, row.unit, row.scope, row.officer) == ("vacant", "block", "r11", None)
    assert row.name == "विकास खण्ड कार्यालय"
    state = await reader.missing(Area(SYSTEM), story.end)
    assert {row.office for row in state if row.district == 161} == set(rows)
    assert {row.district for row in state} >= {0, 118, 159, 161}


async def test_proposals_and_steps_stand_with_their_cases(reader: Reader) -> None:
    story = STORIES["r22_three_days_in_a_row"]
    rows = {row.officer: row for row in await reader.ladder(Area(SYSTEM, LALITPUR))}
    row = rows[story.officer("bdo")]
    [proposed] = row.proposed
    assert proposed.cases == tuple(story.case(each) for each in ("a", "b", "b2", "c"))
    assert proposed.days == tuple(story.day(each) for each in ("7d", "8d", "9d"))
    assert [step.step for step in row.taken] == ["warning", "explanation-sought", "charge-sheet"]
    withdrawn = STORIES["r22_disposed_in_time_after_all"]
    assert withdrawn.officer("bdo") not in rows, "what was withdrawn is not on the ladder"


async def test_who_acted_is_a_share_of_the_month(reader: Reader) -> None:
    story = STORIES["r19_who_acted"]
    rows = {row.officer: row for row in await reader.conduct(Area(SYSTEM, LALITPUR), "2026-02")}
    row = rows[story.officer("bdo")]
    assert (row.personal, row.delegated, row.delegated_share, row.defaulter_days) == (1, 2, 2 / 3, 0)
    assert rows[STORIES["r22_three_days_in_a_row"].officer("bdo")].defaulter_days == 3


async def test_open_tickets_are_listed_and_closed_ones_gone(redis: Redis, prefix: str) -> None:
    story = STORIES["r24_support_desk_tickets"]
    cut_short = Story(story.path, {**story.raw, "until": "0d"})
    await fill(redis, prefix, partitioned(story_driver([cut_short])))
    [row] = await Reader(redis, prefix).tickets(Area(SYSTEM, LALITPUR))
    assert (row.ticket, row.state.status, row.officer) == ("login-17", "answered", story.officer("bdo"))
    assert row.state.due_at == story.start + offset("13d")
