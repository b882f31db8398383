"""The same stories while workers are killed in the midst of transactions, one is a zombie, the broker dies; then cold.

The moments come from a seed, which is printed; `NIVARAN_TEST_SEED` sets another.
"""

import os
import random
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from agents.audit import cases, inputs, stages
from agents.audit.report import Result
from agents.cli.audit import log_of
from agents.runtime.exits import Exit
from deploy.fleet import Fleet
from deploy.fleet.service import end_all
from schemas import topics as t
from schemas.registry import dead_letters
from streams.case.stage import CASE
from streams.intake.stage import INTAKE
from tests.live.harness import records
from tests.live.hits import Emit, Hits
from tests.story import Seen, Story, bursts, stories

pytestmark = pytest.mark.live
SEED = int(os.environ.get("NIVARAN_TEST_SEED", "20260307"))
PARTS = 6
INTAKE_KILL = "kill -9 of intake"
COPIES = 6
"""Of each story, with other citizens: every burst then has work for every lane. Offices cannot be copied so."""
TOLD = {story.name: [story.again(number) for number in range(COPIES)] for story in stories() if not story.of_officers}
STORIES = [copy for copies in TOLD.values() for copy in copies]
READ = (t.CASE_EVENTS, t.INTAKE_REJECTED, t.SMS_REQUESTED, dead_letters(t.CASE_COMMANDS))
ROLES = {"intake": 2, "case": 2}
QUICK = {"NIVARAN_SESSION_TIMEOUT": "3", "NIVARAN_HEARTBEAT": "0.3"}
WARM_SHARE = 0.7
"""Of the bursts: the faults come in these, the others are for workers that have begun cold."""
DOUBT = {Exit.CRASH, Exit.UNAVAILABLE, Exit.NOT_DURABLE, Exit.NOT_FENCED, Exit.WAKE_LOST, Exit.NOT_DRAINED}
"""How workers may leave by themselves while their broker is dead."""


@dataclass
class Told:
    """What came of it."""

    seen: Seen = field(default_factory=Seen)
    done: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    left: Counter[int] = field(default_factory=Counter)
    ended: dict[str, int | None] = field(default_factory=dict)
    states: list[dict[str, int]] = field(default_factory=list)
    """By role, before the cold restart and after it."""
    results: dict[str, Result] = field(default_factory=dict)


def emissions(fleet: Fleet, told: list[Story]) -> list[list[Emit]]:
    """For each burst: time moves on, then its inputs come; submissions, which come early, in several parts."""
    found: list[list[Emit]] = []
    for burst in bursts(told):
        messages = [(each.topic, each.key, each.value, each.at) for each in burst.inputs]
        parts = PARTS if any(topic == t.INTAKE_SUBMITTED for topic, *_ in messages) else 1
        size = -(-len(messages) // parts)
        produced = [partial(fleet.produce, messages[each : each + size]) for each in range(0, len(messages), size)]
        found.append([partial(fleet.move, burst.at), *produced])
    return found


def held(fleet: Fleet) -> dict[str, int]:
    """States in the memory of each role's workers."""
    found = dict.fromkeys(ROLES, 0)
    for worker in fleet.workers:
        with urllib.request.urlopen(f"{worker.url}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        found[worker.name.rpartition("-")[0]] += sum(
            int(float(line.split()[1])) for line in lines if line.startswith("nivaran_table_states{")
        )
    return found


def submits(emit: Emit) -> bool:
    """Whether what is emitted are messages with submissions among them."""
    [given] = emit.args if isinstance(emit, partial) else [()]
    return isinstance(given, list) and any(topic == t.INTAKE_SUBMITTED for topic, *_ in given)


def strike(fleet: Fleet, hits: Hits, steps: list[list[Emit]], draw: random.Random) -> list[str]:
    """Go through the steps; let each fault strike at its moment, or as soon after as it can. Answer what never did."""
    faults: list[tuple[str, Callable[[Emit], bool]]] = [
        *[("kill -9 of case", partial(hits.kill_worker, "case"))] * 2,
        (INTAKE_KILL, partial(hits.kill_worker, "intake")),
        ("zombie of case", partial(hits.make_zombie, "case")),
        ("broker kill -9", partial(hits.kill_broker, "case")),
    ]
    draw.shuffle(faults)
    moments = draw.sample(range(len(steps)), len(faults))
    pending = [(0 if fault[0] == INTAKE_KILL else moment, fault) for moment, fault in zip(moments, faults, strict=True)]
    pending.sort(key=lambda each: each[0])
    for number, emit in enumerate(emit for step in steps for emit in step):
        # what strikes intake needs submissions to strike in, which are rarer: it goes first where there are some
        due = [each for each in pending if each[0] <= number and (each[1][0] != INTAKE_KILL or submits(emit))]
        due.sort(key=lambda each: each[1][0] != INTAKE_KILL)
        if not due:
            emit()
        elif due[0][1][1](emit):
            pending.remove(due[0])
        fleet.settle()
    return [name for _, (name, _) in pending]


def start_cold(fleet: Fleet) -> dict[str, int | None]:
    """End every worker, then start them all anew; answer how they ended."""
    ended = end_all(fleet.workers)
    for worker in fleet.workers:
        worker.start()
    fleet.settle()
    return ended


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    print(f"seed {SEED}")
    found, draw = Told(), random.Random(SEED)
    home: Path = tmp_path_factory.mktemp("kills")
    begin = min(story.start for story in STORIES)
    with Fleet(home, roles=ROLES, begin=begin, partitions=3, environ=QUICK) as fleet:
        hits, steps = Hits(fleet, draw), emissions(fleet, STORIES)
        warm = int(len(steps) * WARM_SHARE)
        found.missed = strike(fleet, hits, steps[:warm], draw)
        found.done = hits.done
        found.states.append(held(fleet))
        found.ended = start_cold(fleet)
        found.states.append(held(fleet))
        for emit in (emit for step in steps[warm:] for emit in step):
            emit()
            fleet.settle()
        fleet.advance(max(story.end for story in STORIES))
        for topic in READ:
            for message in records(fleet.kafka.bootstrap, topic):
                found.seen.add(topic, message.key().decode(), message.value())
        found.left.update(code for codes in fleet.restarts.values() for code in codes)
        log = log_of(fleet.kafka.bootstrap, "nivaran")
        checks = (inputs.submissions, inputs.commands, cases.check)
        checked = [*(check(log) for check in checks), stages.check(INTAKE, log), stages.check(CASE, log)]
        found.results = {result.name: result for result in checked}
        found.states.append(held(fleet))
    return found


def test_every_fault_struck_in_the_midst_of_a_transaction(told: Told) -> None:
    assert not told.missed, f"void: seed {SEED} never met {told.missed}"
    assert told.done == {
        "kill -9 of case": 2, "kill -9 of intake": 1, "zombie of case": 1, "broker kill -9": 1,
    }  # fmt: skip
    assert told.left[-9] == 3
    assert told.left.keys() <= DOUBT | {-9}
    assert told.left[Exit.NOT_DURABLE] >= 1, "the zombie"


@pytest.mark.parametrize("name", TOLD)
def test_a_story_is_told_as_if_nothing_had_happened(name: str, told: Told) -> None:
    assert {copy.name: problems for copy in TOLD[name] if (problems := copy.problems(told.seen))} == {}


def test_nothing_is_lost_or_repeated_and_outputs_and_states_equal_the_recomputation(told: Told) -> None:
    assert {name: result.problems for name, result in told.results.items() if not result.ok} == {}
    assert told.results["stage case"].figures["inputs"] > 1000
    assert told.results["stage case"].figures["dead letters"] > 0
    assert all("not folded yet" not in result.figures for result in told.results.values())


def test_workers_end_in_order_and_cold_ones_take_up_the_same_states(told: Told) -> None:
    assert set(told.ended.values()) == {0}, told.ended
    warm, cold, last = told.states
    assert warm == cold
    assert all(cold.values())
    assert last == {role: told.results[f"stage {role}"].figures["states"] for role in ROLES}
