"""Lanes: due instants after a recovery, each of them once; and each record once, however often slices come."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from agents.clock import SimulatedClock
from agents.runtime import lanes
from agents.runtime.exits import Exit
from agents.runtime.fold import Fold, StateUnreadableError
from agents.runtime.lanes import INDEXED_AT_ONCE, Lane, StageParts
from agents.runtime.metrics import Metrics, StageMeter
from agents.runtime.ports import Stored
from agents.runtime.store import Store
from agents.runtime.wakes import Waker
from agents.runtime.window import Window
from agents.settings import Settings
from schemas.base import Wake
from schemas.codec import encode
from streams.stage import Stage, Step
from tests.waiting import auntil

ALL_DEAD = Settings(dead_letter_share=1.0)
"""Records of these tests may all be dead letters."""


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


def lane_over(
    states: dict[bytes, bytes],
    transactions: Any = None,
    settings: Settings = ALL_DEAD,
    stage: Stage[Any] = STAGE,
) -> Lane:
    clock, metrics = SimulatedClock("nowhere:1"), Metrics()
    waker = Waker(stage.name, clock, cast("Any", None), metrics, Window(bound=10, within=1.0))
    parts = StageParts(
        Fold(stage, "group"),
        cast("Store", Held(states)),
        "changelog",
        waker,
        StageMeter(metrics, stage.name, clock),
        settings,
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


class Slow(Log):
    """Its transactions take a while; when each began is noted."""

    TOOK_S = 0.03

    def __init__(self) -> None:
        super().__init__([])
        self.begun: list[float] = []

    def begin(self, outputs: list[Any], *more: Any) -> None:
        self.begun.append(time.monotonic())
        super().begin(outputs, *more)

    async def commit(self, topic: str, partition: int, offset: int) -> int:
        await asyncio.sleep(self.TOOK_S)
        return await super().commit(topic, partition, offset)


async def rested(settings: Settings, *counts: int, wakes: int = 0) -> Slow:
    """Slices of a lane, each after the first in the middle of the transaction before."""
    log, first = Slow(), 0
    lane = lane_over({}, log, settings)
    lane.wakes.out = wakes
    for number, count in enumerate(counts):
        lane.submit(Slice(first, count))
        first += count
        await auntil(lambda so_many=number + 1: len(log.begun) == so_many)  # type: ignore[misc]  # a bound number
    await lane.close()
    return log


LONG_S = 600.0


@pytest.fixture
def long_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever rests does so for longer than a test waits."""
    monkeypatch.setattr(lanes, "LONGEST_REST_S", LONG_S)
    monkeypatch.setattr(lanes, "REST", LONG_S / Slow.TOOK_S)


async def test_a_lane_rests_as_long_as_its_last_transaction_took() -> None:
    log = await rested(ALL_DEAD, 3, 3, 3)
    assert log.begun[2] - log.begun[1] >= (lanes.REST - 1) * Slow.TOOK_S, "it was begun while that before was committed"


@pytest.mark.usefixtures("long_rests")
async def test_it_does_not_rest_while_a_full_slice_waits() -> None:
    full = Settings(dead_letter_share=1.0, slice_records=5, commit_gap_ms=int(LONG_S * 1000))
    assert (await rested(full, 5, 5, 5)).positions == [5, 10, 15]


@pytest.mark.usefixtures("long_rests")
async def test_nor_while_wakes_are_out_for_only_their_folding_brings_the_next() -> None:
    assert (await rested(ALL_DEAD, 3, 3, 3, wakes=7)).positions == [3, 6, 9]


@pytest.mark.usefixtures("long_rests")
async def test_a_lane_that_is_given_away_does_not_rest_to_the_end() -> None:
    log = Slow()
    lane = lane_over({}, log)
    lane.submit(Slice(0, 1))
    await auntil(lambda: log.positions)
    lane.submit(Slice(1, 1))
    await asyncio.sleep(0)
    await lane.close()
    assert log.positions == [1], "what waits is left to whoever owns the partition next"


class Counted(Struct, frozen=True, array_like=True):
    records: int


COUNTING: Stage[Counted] = Stage(
    "counting", "t.in.v1", (), Wake, Counted,
    lambda state, _record, _origin: Step(Counted(1 if state is None else state.records + 1), []), lambda _: None,
)  # fmt: skip


class Told(Slice):
    """Wakes, whatever they are of: each is counted under the key it has."""

    def __init__(self, first: int, keys: list[str]) -> None:
        super().__init__(first, len(keys))
        self.value = [
            Stored("t.in.v1", 0, first + number, 0, key.encode(), encode(Wake(key, 1, 1)), ())
            for number, key in enumerate(keys)
        ]


class OneByOne(Log):
    """A transaction is begun only when that before it has ended; one of them fails, where told so."""

    def __init__(self, fails_at: int | None = None) -> None:
        super().__init__([])
        self.open, self.begun, self._fails_at = False, 0, fails_at

    def begin(self, _outputs: list[Any], *more: Any) -> None:
        assert not self.open
        self.open = True
        self.begun += 1

    async def commit(self, topic: str, partition: int, offset: int) -> int:
        for _ in range(3):  # others have their turns
            await asyncio.sleep(0)
        if self.begun - 1 == self._fails_at:
            raise ConnectionError("fenced")
        self.open = False
        return await super().commit(topic, partition, offset)


@given(st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4), min_size=1, max_size=8))
async def test_a_batch_is_folded_on_what_the_transaction_under_way_changes(slices: list[list[str]]) -> None:
    states: dict[bytes, bytes] = {}
    log = OneByOne()
    lane = lane_over(states, log, Settings(commit_gap_ms=0, transaction_records=1), COUNTING)
    lane.wakes.out, first = 1_000, 0
    for keys in slices:
        lane.submit(Told(first, keys))
        first += len(keys)
    await auntil(lambda: not lane.busy)
    counted = Counter(key for keys in slices for key in keys)
    found = {key.decode(): msgspec.msgpack.decode(state)[0] for key, state in states.items()}
    assert found == counted
    assert log.begun == len(slices)


async def test_what_was_folded_on_a_transaction_that_fails_is_never_given_to_kafka(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left: list[Exit] = []
    monkeypatch.setattr(lanes, "leave", lambda code, *_, **__: left.append(code))
    states: dict[bytes, bytes] = {}
    log = OneByOne(fails_at=1)
    lane = lane_over(states, log, Settings(transaction_records=1), COUNTING)
    lane.wakes.out = 1_000
    told = [Told(number, ["a"]) for number in range(4)]
    for each in told:
        lane.submit(each)
    await auntil(lambda: left)
    assert (left, log.begun) == ([Exit.NOT_DURABLE], 2)
    assert msgspec.msgpack.decode(states[b"a"])[0] == 1
    assert [each.acked for each in told] == [True, False, False, False]
