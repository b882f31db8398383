"""However late, often and out of order records come, and wherever processes crash, the same follows."""

import pytest

from streams.topology import STAGES
from tests.simulation.__main__ import found
from tests.simulation.lives import story
from tests.simulation.verdict import SCHEDULES, problems, wanted
from tests.simulation.world import Fault, Kind, World

SEEDS, MANY = 400, 2000
FOUND_WITHIN = 300
"""Seeds, whatever is planted."""
FAULTS: tuple[tuple[Kind, tuple[str, ...]], ...] = (
    # intake may tell twice: a case takes its registration once
    ("outputs-without-position", ("", "case", "cluster", "sla", "sms", "conduct", "offices", "officers")),
    ("state-without-outputs", ("", "intake", "case", "cluster", "sla", "sms", "conduct", "offices", "officers")),
    # conduct has no wakes
    ("wakes-forgotten", ("", "intake", "case", "cluster", "sla", "sms", "offices", "officers")),
)


def test_whatever_the_scheduler_does_the_same_follows() -> None:
    assert found(0, SEEDS) == []


@pytest.mark.thorough
def test_many_more_seeds() -> None:
    assert found(SEEDS, MANY) == []


def test_a_seed_is_one_run() -> None:
    runs = [World(story(7), 70) for _ in range(2)]
    assert not runs[0].log[STAGES[0].reads, 0], "nothing happens before it is run"
    for each in runs:
        each.run()
    assert runs[0].log == runs[1].log
    assert any(runs[0].log.values())


def test_seeds_of_one_story_are_other_runs_of_it() -> None:
    logs = []
    for seed in range(70, 70 + SCHEDULES):
        world = World(wanted(seed // SCHEDULES).story, seed)
        world.run()
        logs.append(world.log)
    assert all(one != other for number, one in enumerate(logs) for other in logs[:number])


@pytest.mark.parametrize(("kind", "stage"), [(kind, stage) for kind, stages in FAULTS for stage in stages])
def test_what_a_broken_runtime_would_do_is_found(kind: Kind, stage: str) -> None:
    assert any(problems(seed, Fault(kind, stage)) for seed in range(FOUND_WITHIN))


def test_every_stage_but_the_turns_has_something_to_do() -> None:
    # no system that is shipped caps what a number gets on a day
    done = {written for seed in range(0, 300, SCHEDULES) for written in _reads(seed)}
    assert {stage.name for stage in STAGES if stage.reads in done} == {stage.name for stage in STAGES} - {"turns"}


def _reads(seed: int) -> set[str]:
    world = World(wanted(seed // SCHEDULES).story, seed)
    world.run()
    return {topic for (topic, _), records in world.log.items() if records}
