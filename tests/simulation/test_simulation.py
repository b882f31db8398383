"""However late, often and out of order records come, and wherever processes crash, the same follows."""

import pytest

from tests.simulation.__main__ import found
from tests.simulation.verdict import problems
from tests.simulation.world import Fault, World

SEEDS, MANY = 200, 2000


def test_whatever_the_scheduler_does_the_same_follows() -> None:
    assert found(0, SEEDS) == []


@pytest.mark.thorough
def test_many_more_seeds() -> None:
    assert found(SEEDS, MANY) == []


def test_a_seed_is_one_run() -> None:
    first, second = World(7), World(7)
    first.run()
    second.run()
    assert first.log == second.log
    assert len({len(World(seed).log) for seed in range(3)}) == 1, "nothing happens before it is run"


@pytest.mark.parametrize("fault", ["outputs-without-position", "state-without-outputs", "wakes-forgotten"])
def test_what_a_broken_runtime_would_do_is_found(fault: Fault) -> None:
    assert any(problems(seed, fault) for seed in range(30))
