"""What must be the same whatever the scheduler did: facts, messages, windows, clusters, officers' days, states."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from schemas.base import Wake
from schemas.clusters import ClusterInput, ClusterSighting, ClusterSuggested
from schemas.codec import decoder, encode
from schemas.officers import OfficerFact
from schemas.sla import SlaWindow
from schemas.sms import SmsDeferred, SmsFact, SmsRequested
from schemas.topics import (
    CASE_EVENTS,
    CLUSTER_SIGHTED,
    CLUSTER_SUGGESTED,
    OFFICER_EVENTS,
    SLA_WINDOW,
    SMS_DELIVERY,
    SMS_REQUESTED,
)
from streams.driver import Driver
from streams.sla.table import Cell, Line, fold
from streams.sms.stage import SMS
from streams.sms.turns import TURNS
from streams.topology import STAGES
from tests.simulation import clusters, officers
from tests.simulation.lives import START, Story, story
from tests.simulation.world import PARTITIONS, WHOLE, Fault, World

SCHEDULES = 10
"""Seeds in a row that run one story: what follows in order is then worked out once."""
REFOLDED = 3
UNSENT = frozenset({SMS.name, TURNS.name})
"""Stages that need a sender: without one each message is handed over until it is given up."""
_sms, _window, _officer = decoder(SmsFact), decoder(SlaWindow), decoder(OfficerFact)
_sighting, _suggested = decoder(ClusterInput), decoder(ClusterSuggested)
Facts = dict[str, list[dict[str, Any]]]
Sums = tuple[dict[Any, int], dict[int, int], int, int, int]


class Wanted(NamedTuple):
    """What follows when everything comes once, in order and in time."""

    story: Story
    facts: Facts
    messages: frozenset[str]
    windows: dict[Cell, Sums]
    sighted: dict[str, ClusterSighting]
    officers: officers.Shown
    kept: dict[str, frozenset[str]]
    """Stage -> keys of which something is remembered in the end."""


@lru_cache(maxsize=4)
def wanted(number: int) -> Wanted:
    """Of the story of that number."""
    told = story(number)
    driver = Driver((stage for stage in STAGES if stage.name not in UNSENT), now=START)
    for each in sorted((each for life in told.lives for each in life), key=lambda each: each.at):
        driver.advance(max(driver.now, each.at))
        driver.send(each.topic, each.key, each.record)
    driver.advance(told.horizon)
    requested = frozenset(sms.value.id for sms in driver.log[SMS_REQUESTED] if isinstance(sms.value, SmsRequested))
    facts = _by_case(((each.key, encode(each.value)) for each in driver.log[CASE_EVENTS]), told.horizon)
    driver.advance(told.end)
    sighted = (each.value for each in driver.log[CLUSTER_SIGHTED])
    return Wanted(
        story=told,
        facts=facts,
        messages=requested,
        windows=_sums(_table((each.value for each in driver.log[SLA_WINDOW]), told.horizon)),
        sighted={each.case: each for each in sighted if isinstance(each, ClusterSighting)},
        officers=officers.shown(each.value for each in driver.log[OFFICER_EVENTS]),
        kept={name: frozenset(states) for name, states in driver.state.items()},
    )


def problems(seed: int, fault: Fault = WHOLE) -> list[str]:
    """What is not as when everything comes once, in order and in time."""
    want = wanted(seed // SCHEDULES)
    world = World(want.story, seed, fault)
    try:
        world.run()
    except AssertionError as error:
        return [str(error)]
    sighted = (_sighting(record.value) for record in world.records(CLUSTER_SIGHTED))
    return [
        *_facts(world, want),
        *_messages(world, want),
        *_windows(world, want),
        *clusters.problems(
            (each for each in sighted if not isinstance(each, Wake)),
            want.sighted,
            (_suggested(record.value) for record in world.records(CLUSTER_SUGGESTED)),
        ),
        *officers.problems([_officer(record.value) for record in world.records(OFFICER_EVENTS)], want.officers),
        *_states(world, want, seed),
    ]


def _facts(world: World, want: Wanted) -> list[str]:
    records = ((record.key.decode(), record.value) for record in world.records(CASE_EVENTS))
    found, meant = _by_case(records, want.story.horizon), want.facts
    return [
        f"case {case}: {_kinds(found.get(case))}, not {_kinds(meant.get(case))}"
        for case in sorted(meant.keys() | found.keys())
        if found.get(case) != meant.get(case)
    ]


def _by_case(facts: Iterable[tuple[str, bytes]], horizon: int) -> Facts:
    """Facts in their order; a command that is repeated is rejected as often, and that counts once."""
    found: Facts = defaultdict(list)
    rejected: set[str] = set()
    for case, value in facts:
        fact: dict[str, Any] = msgspec.json.decode(value)
        if fact["at"] > horizon:
            continue
        # where its cause stands in the log is another each time
        fact["because"] = fact["because"]["rule"]
        if fact["type"] != "case.command-rejected.v1":
            found[case].append(fact)
        elif fact["reason"] != "repeated" and case + fact["command_id"] not in rejected:
            found[case].append(fact)
            rejected.add(case + fact["command_id"])
    return dict(found)


def _kinds(facts: list[dict[str, Any]] | None) -> str:
    return ", ".join(f"{fact['type'].removeprefix('case.')}@{fact['at'] - START}" for fact in facts or ())


def _messages(world: World, want: Wanted) -> list[str]:
    late = {record.key.decode() for record in world.records(SMS_REQUESTED) if record.timestamp > want.story.horizon}
    accepted: Counter[str] = Counter()
    ended: set[str] = set()
    for record in world.records(SMS_DELIVERY):
        fact = _sms(record.value)
        if isinstance(fact, SmsDeferred):
            continue
        accepted[fact.id] += fact.state == "accepted"
        if fact.state in {"accepted", "failed", "unknown"}:
            ended.add(fact.id)
    found = [f"SMS {sms} is told to be accepted {times} times" for sms, times in accepted.items() if times > 1]
    found += [f"SMS {sms} was requested and has no end" for sms in sorted(want.messages - ended)]
    return found + [f"SMS {sms} was never to be sent" for sms in sorted(set(world.taken) - want.messages - late)]


def _windows(world: World, want: Wanted) -> list[str]:
    """Final results and what was revised after them, added up; how much came late is the scheduler's."""
    table = _table((_window(record.value) for record in world.records(SLA_WINDOW)), want.story.horizon)
    found, meant = _sums(table), want.windows
    several = [f"window {cell} has {line.finals} final results" for cell, line in table.items() if line.finals > 1]
    differing = (cell for cell in sorted(meant.keys() | found.keys()) if found.get(cell) != meant.get(cell))
    return several + [f"window {cell}: {found.get(cell)}, not {meant.get(cell)}" for cell in differing]


def _table(windows: Iterable[SlaWindow], horizon: int) -> dict[Cell, Line]:
    return fold(window for window in windows if window.end_at <= horizon)


def _sums(table: dict[Cell, Line]) -> dict[Cell, Sums]:
    """What stands in each window; one in which everything was taken back is none."""
    found: dict[Cell, Sums] = {}
    for cell, line in table.items():
        counts = {measure: count for measure, count in line.counts.items() if count}
        histogram = {index: count for index, count in line.histogram.items() if count}
        if counts or line.disposals:
            found[cell] = (counts, histogram, line.disposals, line.disposal_ms, line.open_change)
    return found


def _nothing(_key: bytes) -> None:
    """No state is stored yet."""


def _states(world: World, want: Wanted, seed: int) -> list[str]:
    """States are their partition folded from the beginning, and are forgotten when it is time.

    Folding again is a third of the work of a run: each seed does it for every third stage, three in a row for all.
    """
    found = []
    kept: defaultdict[str, set[str]] = defaultdict(set)
    for number, lane in enumerate(world.lanes):
        kept[lane.fold.stage.name].update(key.decode() for key in lane.states)
        if number // PARTITIONS % REFOLDED != seed % REFOLDED or not lane.log:
            continue
        folded = lane.fold(lane.partition, lane.log, _nothing, 0).changes
        if {key: state for key, state in folded if state is not None} != lane.states:
            found.append(f"{lane.topic}/{lane.partition}: states are not those of a fresh fold")
    forgotten = (name for name, keys in want.kept.items() if kept[name] != keys)
    return found + [f"{name} remembers {kept[name] ^ want.kept[name]} otherwise" for name in forgotten]
