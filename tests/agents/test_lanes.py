"""Lanes: due instants after a recovery, each of them once; and each record once, however often slices come."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from agents.clock import SimulatedClock
from agents.runtime.fold import Fold, StateUnreadableError
from agents.runtime.lanes import INDEXED_AT_ONCE, Lane, StageParts
from agents.runtime.metrics import Metrics, StageMeter
from agents.runtime.ports import Stored
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

    def adopt(self, _: int, changes: Any, __: int) -> None:
        self.states.update(changes)

    def __init__(self, states: dict[bytes, bytes]) -> None:
        self.states = states

    def part(self, _: int) -> dict[bytes, bytes]:
        return self.states

    def standing(self, _: int) -> Iterator[tuple[bytes, bytes]]:
        return iter(list(self.states.items()))


def stored(due: int | None) -> bytes:
    return msgspec.msgpack.encode(Waiting(due))


def lane_over(states: dict[bytes, bytes], transactions: Any = None) -> Lane:
    clock, metrics = SimulatedClock("nowhere:1"), Metrics()
    waker = Waker(STAGE.name, clock, cast("Any", None), metrics, Window(bound=10, within=1.0))
    parts = StageParts(
        Fold(STAGE, "group"),
        cast("Store", Held(states)),
        "changelog",
        waker,
        StageMeter(metrics, STAGE.name, clock),
        Settings(dead_letter_share=1.0),
    )
    return Lane(parts, 0, transactions, 1)


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


class Slice:
    """Some records of the partition, that no stage can read: each is named in the dead letter it becomes."""

    def __init__(self, first: int, count: int) -> None:
        self.value = [Stored("t.in.v1", 0, first + number, 0, b"k", b"no record", ()) for number in range(count)]
        self.message = SimpleNamespace(topic="t.in.v1", offset=first + count - 1, generation_id=1, incref=lambda: None)
        self.acked = False

    def ack(self) -> None:
        self.acked = True


class Log:
    """Stands in for the transactional producer: what was folded and committed, and slices that come meanwhile."""

    def __init__(self, meanwhile: list[Slice]) -> None:
        self.folded: list[int] = []
        self.positions: list[int] = []
        self._meanwhile = meanwhile
        self.lane: Lane | None = None

    def begin(self, outputs: list[Any], *_: Any) -> None:
        self.folded += [int(dict(each.headers)["x-dlq-original-offset"]) for each in outputs]

    async def commit(self, _topic: str, _partition: int, offset: int) -> int:
        self.positions.append(offset)
        await asyncio.sleep(0)
        if self._meanwhile and self.lane is not None:
            self.lane.submit(self._meanwhile.pop(0))
        return offset


@given(st.data())
async def test_each_record_is_folded_once_and_the_position_never_falls_however_slices_come_again(
    data: st.DataObject,
) -> None:
    sizes = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=12))
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    slices = [Slice(start, size) for start, size in zip(starts, sizes, strict=True)]
    # after any slice the partition is sought back to somewhere, and cut anew from there on
    back = data.draw(st.integers(0, len(slices) - 1))
    sought = data.draw(st.integers(0, starts[back]))
    end, again, first = sum(sizes), [], sought
    while first < end:
        count = min(data.draw(st.integers(1, 5)), end - first)
        again.append(Slice(first, count))
        first += count
    coming = [*slices[: back + 1], *again]
    at_once = data.draw(st.integers(1, len(coming)))
    log = Log(coming[at_once:])
    lane = log.lane = lane_over({}, log)
    for each in coming[:at_once]:
        lane.submit(each)
    while lane.busy or log._meanwhile:
        await asyncio.sleep(0)
        if not lane.busy and log._meanwhile:
            lane.submit(log._meanwhile.pop(0))
    assert log.folded == list(range(end))
    assert log.positions == sorted(set(log.positions))
    assert (lane.next, lane.done, log.positions[-1]) == (end, end, end)
    assert all(each.acked for each in coming)
