"""The registers as folds of the log: each equals a recount that keeps nothing but the facts as they lie there."""

import json
import random
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from agents.audit.board import Shadow, ShadowSource
from agents.audit.log import Entry
from agents.audit.memory import MemoryLog
from agents.readmodel.review import Registers
from schemas import topics as t
from schemas.codec import encode
from streams.profiles.load import profile
from tests.boardlog import story_driver
from tests.simulated import weeks, weeks_folded
from tests.story import stories

SYSTEM, ZONE = "up-1076", "Asia/Kolkata"
IST = timedelta(hours=5, minutes=30)


class Recount(NamedTuple):
    """What the facts of one log say, case by case in their order."""

    facts: dict[str, list[dict[str, Any]]]

    def pending_at(self, at: int) -> dict[str, tuple[int, str, int, str]]:
        """Case -> where it is pending just before `at`, by its facts in time; none of the product's code."""
        found = {}
        for case, facts in self.facts.items():
            where = None
            for fact in sorted(_without_withdrawn(facts), key=lambda fact: (fact["at"], fact["seq"])):
                if fact["at"] >= at:
                    break
                owner = (fact["district"], fact["department"], fact["level"], fact["office"])
                kind = fact["type"]
                if kind == "case.routed.v1":
                    where = owner if fact["due_at"] is not None else None
                elif kind == "case.escalated.v1" or (kind == "case.transferred.v1" and where is not None):
                    where = owner
                elif kind in ("case.disposed.v1", "case.closed.v1"):
                    where = None
            if where is not None:
                found[case] = where
        return found


def _without_withdrawn(facts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A taken-back time-out never was: the last escalation to that level before it goes with it."""
    kept: list[dict[str, Any]] = []
    for fact in facts:
        if fact["type"] != "case.escalation-withdrawn.v1":
            kept.append(fact)
            continue
        place = max(
            index for index, each in enumerate(kept)
            if each["type"] == "case.escalated.v1" and each["to_level"] == fact["from_level"]
        )  # fmt: skip
        del kept[place]
    return kept


def recount(entries: list[Entry]) -> Recount:
    facts = defaultdict(list)
    for entry in entries:
        fact = json.loads(entry.value)
        if fact["type"] != "case.command-rejected.v1":
            facts[fact["case"]].append(fact)
    return Recount(facts)


def day_of(at: int) -> str:
    return (datetime.fromtimestamp(at / 1000, UTC) + IST).date().isoformat()


def end_of(day: str) -> int:
    return int((datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1) - IST).timestamp() * 1000)


@pytest.fixture(scope="module")
def log() -> MemoryLog:
    return weeks()


@pytest.fixture(scope="module")
def told(log: MemoryLog) -> Recount:
    return recount(log.entries[t.CASE_EVENTS])


@pytest.fixture(scope="module")
def registers(log: MemoryLog) -> Registers:
    return Registers(ShadowSource(weeks_folded()), SYSTEM, ZONE)


def instants(log: MemoryLog) -> list[int]:
    ats = [entry.at for entry in log.entries[t.CASE_EVENTS]]
    drawn = random.Random(3).sample(range(min(ats), max(ats)), 25)
    # on the very instants at which things happened, too
    return sorted({*drawn, *random.Random(4).sample(ats, 10), max(ats) + 1})


async def test_r13_pendency_at_any_instant_equals_a_recount_from_the_log(log, told, registers):
    districts = profile(SYSTEM).districts
    seen = 0
    for at in instants(log):
        shown = {
            stay.case: (stay.district, stay.department, stay.level, stay.office)
            for district in districts
            for stay in await registers.stays(district, at)
        }
        assert shown == told.pending_at(at)
        seen += len(shown)
    assert seen > 1000


async def test_r13_numbers_by_day_equal_the_cases_one_by_one(log, told, registers):
    days = sorted({day_of(entry.at) for entry in log.entries[t.CASE_EVENTS]})
    registered = {case: day_of(facts[0]["at"]) for case, facts in told.facts.items()}
    for day in days:
        lives = Counter()
        for life in await registers.lives(day, end_of(day)):
            lives[*life.unit, life.registered] += life.cases
        cases = told.pending_at(end_of(day))
        assert lives == Counter((*where[:3], registered[case]) for case, where in cases.items())


async def test_r09_every_pending_complaint_shows_level_age_and_the_reason_given(log, told, registers):
    at = max(entry.at for entry in log.entries[t.CASE_EVENTS]) + 1
    given = 0
    for district in profile(SYSTEM).districts:
        for stay in await registers.stays(district, at):
            facts = told.facts[stay.case]
            assert stay.registered_at == facts[0]["at"]
            arrivals = [
                each["at"]
                for each in _without_withdrawn(facts)
                if each["type"] in ("case.routed.v1", "case.escalated.v1") and each["level"] == stay.level
            ]
            assert stay.since == arrivals[-1]
            said = [
                each["reason"]
                for each in facts
                if each["type"] == "case.pendency-reason-given.v1" and each["at"] >= stay.from_at
            ]
            reason = stay.reason_at(at)
            assert (reason.reason if reason else None) == (said[-1] if said else None)
            given += reason is not None
    assert given > 0


async def test_r08_the_dissatisfaction_register_has_every_line_with_reason_and_recording(log, told, registers):
    lines = [
        line
        for district in profile(SYSTEM).districts
        for month in ("2026-01", "2026-02", "2026-03")
        for line in await registers.dissatisfied(district, month)
    ]
    facts = [
        each
        for facts in told.facts.values()
        for each in facts
        if each["type"] in ("case.dissatisfied.v1", "case.reopened.v1")
    ]
    assert len(facts) > 20
    assert sorted((line.case, line.seq, line.at, line.reason, line.recording.ref) for line in lines) == sorted(
        (each["case"], each["seq"], each["at"], each["reason"], each["recording"]["ref"]) for each in facts
    )


async def test_r14_a_day_s_defaulters_are_those_whose_due_instant_passed_and_stay_when_disposed(log, told, registers):
    taken_back = Counter()
    expected = Counter()
    for case, facts in told.facts.items():
        for each in facts:
            if each["type"] == "case.became-defaulter.v1":
                expected[case, each["level"], each["due_at"], each["district"]] += 1
            elif each["type"] == "case.escalation-withdrawn.v1":
                taken_back[case, each["to_level"], each["due_at"], each["district"]] += 1
    expected -= taken_back
    found = Counter(
        [
            (line.case, line.level, line.due_at, district)
            for district in profile(SYSTEM).districts
            for month in ("2026-01", "2026-02", "2026-03")
            for line in await registers.defaulters(district, month)
        ]
    )
    assert taken_back
    assert found == expected
    open_now = told.pending_at(2**45)
    assert [key for key in found if key[0] not in open_now], "one that was disposed of later is still there"


async def test_day_counts_equal_the_closed_windows_and_are_there_before_them(log, registers):
    checked = 0
    for start in await registers.window_starts("day"):
        windows = await registers.windows("day", start)
        for district in {unit.district for unit in windows}:
            counts = await registers.day(district, day_of(start))
            closed = {
                (unit.department, unit.level): {name: n for name, n in line.counts.items() if n}
                for unit, line in windows.items()
                if unit.district == district
            }
            assert counts == {unit: told for unit, told in closed.items() if told}
            checked += len(counts)
    assert checked > 100
    last = day_of(max(entry.at for entry in log.entries[t.CASE_EVENTS]))
    fresh = [await registers.day(district, last) for district in profile(SYSTEM).districts]
    assert any(fresh), "the day that is not over is counted too"


@pytest.mark.parametrize("seed", range(3))
def test_replayed_in_other_slices_every_register_is_the_same_bytes(log, seed):
    """A board that is given the log in slices of any size has the same registers."""
    entries, draw, again = log.entries[t.CASE_EVENTS], random.Random(seed), Shadow()
    rest = list(entries)
    while rest:
        size = draw.randint(1, 300)
        again.take(rest[:size])
        rest = rest[size:]
    whole = Shadow()
    whole.take(entries)
    assert again.contents() == whole.contents()


@pytest.mark.parametrize("story", stories(), ids=lambda story: story.name)
async def test_stories_end_with_the_stay_that_the_case_machine_has(story):
    driver = story_driver([story])
    folding = Shadow()
    entries = [
        Entry(t.CASE_EVENTS, 0, index, each.origin.at, each.key.encode(), encode(each.value), ())
        for index, each in enumerate(driver.log[t.CASE_EVENTS])
    ]
    if not entries:
        return
    folding.take(entries)
    own = profile(story.raw["system"])
    registers = Registers(ShadowSource(folding), own.system, own.zone)
    shown = {
        stay.case: (stay.level, stay.office, stay.since)
        for district in own.districts
        for stay in await registers.stays(district, driver.now + 1)
    }
    states = {
        case: (state.level, state.office, state.level_at)
        for case, state in driver.state["case"].items()
        if state.status == "open"
    }
    assert shown == states
