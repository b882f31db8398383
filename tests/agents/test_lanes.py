"""A lane after a recovery: every state has its due instant, each of them once."""

import msgspec
import pytest
from msgspec import Struct

from agents.runtime.fold import StateUnreadableError
from agents.runtime.lanes import INDEXED_AT_ONCE, Lane
from schemas.base import Wake
from streams.stage import Stage, Step
from tests.agents.lanes import Held, parts_of


class Waiting(Struct, frozen=True, array_like=True):
    due: int | None


STAGE: Stage[Waiting] = Stage(
    "waiting", "t.in.v1", (), Wake, Waiting, lambda state, _record, _origin: Step(state, []), lambda state: state.due
)


def stored(due: int | None) -> bytes:
    return msgspec.msgpack.encode(Waiting(due))


def lane_over(states: dict[bytes, bytes]) -> Lane:
    return Lane(parts_of(STAGE, Held(states)), 0, generation=1)


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
    lane.close()
    await deriving
    assert not lane.wakes.complete


async def test_a_state_of_another_version_is_not_passed_over() -> None:
    with pytest.raises(StateUnreadableError, match="another version wrote it"):
        await lane_over({b"a": b"\xc1"}).index()
