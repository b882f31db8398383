"""Due instants: nothing early, nothing forgotten, nothing for a deadline that moved, no more than the bound."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.clock import SimulatedClock
from agents.runtime import dues as module
from agents.runtime.dues import DueIndex
from agents.runtime.fold import Batch
from agents.runtime.metrics import Metrics
from agents.runtime.wakes import LaneWakes, Waker
from agents.runtime.window import Window


def index_of(dues: dict[bytes, int]) -> DueIndex:
    index = DueIndex()
    for key, due in dues.items():
        index.note(due, key)
    return index


@given(
    dues=st.dictionaries(st.binary(min_size=1, max_size=3), st.integers(0, 9000), max_size=60),
    moments=st.lists(st.integers(0, 9500), min_size=1, max_size=12),
    most=st.integers(1, 10),
)
def test_each_key_is_taken_once_when_its_millisecond_has_come(
    dues: dict[bytes, int], moments: list[int], most: int
) -> None:
    index, taken = index_of(dues), set[bytes]()
    for now in sorted(moments):
        complete = False
        while not complete:
            due_keys, complete = index.take(now, most, dues.get)
            assert len(due_keys) <= most
            assert all(due <= now for due, _ in due_keys)
            assert not taken & {key for _, key in due_keys}
            taken |= {key for _, key in due_keys}
        assert taken == {key for key, due in dues.items() if due <= now}


@given(
    dues=st.dictionaries(st.binary(min_size=1, max_size=3), st.integers(0, 90_000), max_size=60),
    moves=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 59), st.integers(0, 90_000)), max_size=30),
    looked_at=st.integers(1, 5),
    most=st.integers(1, 10),
)
def test_whatever_moves_meanwhile_each_key_is_taken_at_its_instant_as_it_is_then(
    dues: dict[bytes, int], moves: list[tuple[int, int, int]], looked_at: int, most: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LOOKED_AT", looked_at)
        now, standing, index = 0, dict(dues), index_of(dues)
        been = {(key, due // module.SECOND) for key, due in dues.items()}
        for after, which, due in [*moves, (100_000, 0, 0)]:
            now += after
            complete = False
            while not complete:
                found, complete = index.take(now, most, standing.get)
                for at, key in found:
                    assert at == standing.pop(key) <= now, "taken twice, early, or at an instant that is no more"
            assert not [due for due in standing.values() if due <= now]
            if standing and due > now:
                key = sorted(standing)[which % len(standing)]
                if (key, due // module.SECOND) not in been:
                    been.add((key, due // module.SECOND))
                    standing[key] = due
                    index.note(due, key)
    assert not standing


def test_no_call_looks_at_more_than_some_keys_of_what_comes_and_none_twice() -> None:
    count, at, looked = 3 * module.LOOKED_AT, 61_734, 0

    def due_of(_: bytes) -> int:
        nonlocal looked
        looked += 1
        return at

    index = index_of({b"%d" % number: at for number in range(count)})
    for now in range(at - module.NEAR_MS, at, 250):
        before = looked
        assert index.take(now, 10, due_of) == ([], True)
        assert looked - before <= module.LOOKED_AT
    assert looked == count
    taken, complete = index.take(at, 10, due_of)
    assert ([due for due, _ in taken], complete, looked) == ([at] * 10, False, count + 10)


def test_after_a_leap_of_time_each_key_is_looked_at_once_however_few_are_taken_at_a_time() -> None:
    dues = {b"%d" % number: number * 100 for number in range(1, 200)}
    index, looked = index_of(dues), list[bytes]()

    def due_of(key: bytes) -> int:
        looked.append(key)
        return dues[key]

    complete = False
    while not complete:
        _, complete = index.take(20_000, 7, due_of)
    assert sorted(looked) == sorted(dues)


def test_a_deadline_that_moved_fires_at_its_new_instant_only() -> None:
    index = index_of({b"a": 1500, b"b": 1500})
    index.note(3500, b"a")
    now = {b"a": 3500, b"b": 1500}
    assert index.take(2000, 9, now.get) == ([(1500, b"b")], True)
    assert index.take(3499, 9, now.get) == ([], True)
    assert index.take(3500, 9, now.get) == ([(3500, b"a")], True)
    assert index.earliest() is None


def test_a_key_that_was_forgotten_does_not_fire() -> None:
    assert index_of({b"a": 10}).take(1000, 9, lambda _: None) == ([], True)


class Written:
    """Stands in for a producer."""

    def __init__(self) -> None:
        self.records: list[tuple[str, dict[str, Any], bytes, int, int]] = []

    def produce(self, topic: str, value: bytes, key: bytes, partition: int, *, headers: object, timestamp: int) -> None:
        self.records.append((topic, json.loads(value), key, partition, timestamp))

    def poll(self, _: float) -> None: ...


def waker(bound: int = 100) -> tuple[Waker, SimulatedClock, Written]:
    clock, written = SimulatedClock("nowhere:1"), Written()
    return Waker("toy", clock, written, Metrics(), Window(bound, within=1.0)), clock, written


def test_with_simulated_time_a_wake_says_the_instant_that_was_due_not_where_the_clock_leapt_to() -> None:
    fires, clock, written = waker()
    lane = LaneWakes("t.in.v1", 2, {b"a": 7000, b"b": 2000}.get, index_of({b"a": 7000, b"b": 2000}))
    fires.fire(lane)
    assert (written.records, lane.fired_to) == ([], -1)
    clock.moved(5000)
    clock.moved(9000)
    fires.fire(lane)
    assert sorted(record[1]["now_at"] for record in written.records) == [5000, 7000]
    assert lane.fired_to == 9000
    clock.moved(8000)
    assert clock.now() == 9000


def test_nothing_is_written_before_the_instants_of_all_states_are_known() -> None:
    fires, clock, written = waker()
    lane = LaneWakes("t.in.v1", 2, {b"a": 1000}.get, index_of({b"a": 1000}), complete=False)
    clock.moved(2000)
    fires.fire(lane)
    fires.fold(lane, Batch(), 0.0)
    assert (written.records, lane.fired_to) == ([], -1)
    lane.complete = True
    fires.fire(lane)
    assert (len(written.records), lane.fired_to) == (1, 2000)


def test_no_more_wakes_are_out_than_the_bound_and_folding_them_lets_more_follow() -> None:
    fires, clock, written = waker(bound=10)
    dues = {b"%d" % n: 1000 + n for n in range(25)}
    lane = LaneWakes("t.in.v1", 2, dues.get, index_of(dues))
    clock.moved(2000)
    fires.fire(lane)
    assert (len(written.records), lane.out, lane.fired_to) == (10, 10, -1)
    fires.fire(lane)
    assert len(written.records) == 10
    fires.fold(lane, Batch(records=10, wakes=10), 0.001)
    fires.fold(lane, Batch(records=10, wakes=10), 0.001)
    assert (len(written.records), lane.fired_to) == (25, 2000)
    assert {record[2] for record in written.records} == dues.keys()
