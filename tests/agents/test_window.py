"""The window of wakes: as wide as what is folded in the time that is set, between its bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.runtime.window import FEWEST, Window

BOUND, WITHIN, PARTITIONS = 1000, 0.1, 4


def stormed(window: Window, cost: float, rounds: int) -> int:
    """Fold it full, again and again, at so many seconds a wake; answers how wide it is."""
    for _ in range(rounds):
        window.folded(window.most, window.most * cost, PARTITIONS)
    return window.most


@pytest.mark.parametrize(("cost", "most"), [(1e-4, 250), (1e-6, BOUND), (1e-2, FEWEST)], ids=str)
def test_it_finds_what_all_partitions_fold_in_the_time_and_keeps_its_bounds(cost: float, most: int) -> None:
    assert stormed(Window(BOUND, WITHIN), cost, rounds=5) == most


def test_it_follows_a_cost_that_rises_and_falls_and_a_single_batch_changes_little() -> None:
    window = Window(BOUND, WITHIN)
    stormed(window, 1e-4, rounds=5)
    window.folded(250, 10.0, PARTITIONS)
    assert window.most == 125
    assert stormed(window, 2e-4, rounds=3) == 125
    window.folded(1000, 0.0, PARTITIONS)
    assert window.most == 250
    assert stormed(window, 5e-5, rounds=3) == 500


def test_a_bound_below_the_fewest_is_kept() -> None:
    assert stormed(Window(10, WITHIN), 1e-6, rounds=3) == 10


@given(st.lists(st.tuples(st.integers(1, 4000), st.floats(0, 5), st.integers(0, 64))))
def test_it_never_leaves_its_bounds(batches: list[tuple[int, float, int]]) -> None:
    window = Window(BOUND, WITHIN)
    for records, seconds, partitions in batches:
        window.folded(records, seconds, partitions)
        assert FEWEST <= window.most <= BOUND
