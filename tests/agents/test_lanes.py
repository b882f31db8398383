"""Due instants after a recovery: derived from the states beside the batches, each of them once."""

from collections.abc import Iterator
from typing import Any, cast

import msgspec
import pytest
from msgspec import Struct

from agents.clock import SimulatedClock
from agents.runtime.fold import Fold, StateUnreadableError
from agents.runtime.lanes import INDEXED_AT_ONCE, Lane, StageParts
from agents.runtime.metrics import Metrics, StageMeter
from agents.runtime.store import Store
from agents.runtime.wakes import Waker
from agents.runtime.window import Window
from agents.settings import Settings
from schemas.base import Wake
from streams.stage import Stage, Step


class Waiting(Struct, frozen=True, array_like=True):
    due: int | None


STAGE: Stage[Waiting] = Stage(
    "waiting", "t.in.v1", (), Wake, Waiting, lambda state, _record, _origin: Step(state, []), lambda state: state.due
)


class Held:
    """Stands in for the store: one partition's states."""

    def __init__(self, states: dict[bytes, bytes]) -> None:
        self.states = states

    def part(self, _: int) -> dict[bytes, bytes]:
        return self.states

    def standing(self, _: int) -> Iterator[tuple[bytes, bytes]]:
        return iter(list(self.states.items()))


def stored(due: int | None) -> bytes:
    return msgspec.msgpack.encode(Waiting(due))


def lane_over(states: dict[bytes, bytes]) -> Lane:
    clock, metrics = SimulatedClock("nowhere:1"), Metrics()
    waker = Waker(STAGE.name, clock, cast("Any", None), metrics, Window(bound=10, within=1.0))
    parts = StageParts(
        Fold(STAGE, "group"),
        cast("Store", Held(states)),
        "changelog",
        waker,
        StageMeter(metrics, STAGE.name, clock),
        Settings(),
    )
    return Lane(parts, 0, cast("Any", None), 1)


async def test_every_state_has_its_instant_once_whatever_batches_change_meanwhile() -> None:
    count = 2 * INDEXED_AT_ONCE + 7
    states = {b"%d" % number: stored(None if number % 5 == 0 else 1000 + number) for number in range(count)}
    expected = {key: due for key, state in states.items() if (due := msgspec.msgpack.decode(state)[0]) is not None}
    lane = lane_over(states)
    assert not lane.wakes.complete
    deriving = lane.index()
    # a batch is adopted before the derivation comes to these
    states[b"1"], expected[b"1"] = stored(9_000_000), 9_000_000
    lane.wakes.index.note(9_000_000, b"1")
    states[b"new"], expected[b"new"] = stored(5), 5
    lane.wakes.index.note(5, b"new")
    del states[b"2"], expected[b"2"]
    await deriving
    assert lane.wakes.complete
    taken, all_taken = lane.wakes.index.take(10_000_000, count, lane.wakes.due_of)
    assert all_taken
    assert sorted(taken) == sorted((due, key) for key, due in expected.items())


async def test_a_lane_that_is_given_away_stops_deriving() -> None:
    lane = lane_over({b"a": stored(1)})
    deriving = lane.index()
    await lane.close()
    await deriving
    assert not lane.wakes.complete


async def test_a_state_of_another_version_is_not_passed_over() -> None:
    with pytest.raises(StateUnreadableError, match="another version wrote it"):
        await lane_over({b"a": b"\xc1"}).index()
