"""Turns: each record once, however slices come; one transaction for all that waits; states only when it is durable."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Mapping
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from agents.runtime import turns as module
from agents.runtime.exits import Exit
from agents.runtime.fold import Batch
from agents.runtime.lanes import Lane
from agents.runtime.ports import Stored
from agents.runtime.turns import Turns
from agents.settings import Settings
from schemas.base import Wake
from schemas.codec import encode
from streams.stage import Stage, Step
from tests.agents.lanes import ALL_DEAD, Held, Log, Slice, parts_of, turns_of
from tests.waiting import auntil


class Counted(Struct, frozen=True, array_like=True):
    records: int


COUNTING: Stage[Counted] = Stage(
    "counting", "t.in.v1", (), Wake, Counted,
    lambda state, _record, _origin: Step(Counted(1 if state is None else state.records + 1), []), lambda _: None,
)  # fmt: skip


@st.composite
def sought_back(draw: st.DrawFn, partition: int) -> tuple[list[Slice], int]:
    """Slices of a partition: after any of them it is sought back to somewhere and cut anew from there; and its end."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=8))
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    slices = [Slice(start, size, partition) for start, size in zip(starts, sizes, strict=True)]
    back = draw(st.integers(0, len(slices) - 1))
    end, again, first = sum(sizes), [], draw(st.integers(0, starts[back]))
    while first < end:
        count = min(draw(st.integers(1, 5)), end - first)
        again.append(Slice(first, count, partition))
        first += count
    return [*slices[: back + 1], *again], end


@given(st.data())
async def test_each_record_is_folded_once_and_no_position_falls_however_slices_come_again(data: st.DataObject) -> None:
    drawn = [data.draw(sought_back(partition)) for partition in range(data.draw(st.integers(1, 3)))]
    # those of a partition in their order, between those of the others
    order = data.draw(st.permutations([partition for partition, (slices, _) in enumerate(drawn) for _ in slices]))
    left = [deque(slices) for slices, _ in drawn]
    coming = [left[partition].popleft() for partition in order]
    at_once = data.draw(st.integers(1, len(coming)))
    log = Log(coming[at_once:])
    most = data.draw(st.integers(1, 20))
    settings = Settings(dead_letter_share=1.0, transaction_records=most)
    turns = await turns_of(parts_of(COUNTING, Held(), settings), log, len(drawn))
    for each in coming[:at_once]:
        turns.submit(each)
    while turns.busy or log.meanwhile:
        await asyncio.sleep(0)
        if not turns.busy and log.meanwhile:
            turns.submit(log.meanwhile.pop(0))
    for lane, (_, end) in zip(turns, drawn, strict=True):
        assert log.folded[lane.partition] == list(range(end))
        positions = log.positions[lane.partition]
        assert positions == sorted(set(positions))
        assert (lane.next, lane.done, positions[-1]) == (end, end, end)
    assert all(each.acked for each in coming)


async def test_what_waits_in_all_lanes_is_one_transaction() -> None:
    log = Log()
    turns = await turns_of(parts_of(COUNTING, Held()), log, partitions=12)
    for partition in range(12):
        turns.submit(Slice(0, 3, partition))
    await auntil(lambda: not turns.busy)
    assert log.turns_taken == [dict.fromkeys(range(12), 3)]


async def test_a_lane_with_much_to_do_lets_the_others_have_their_turns() -> None:
    log = Log()
    turns = await turns_of(parts_of(COUNTING, Held(), Settings(dead_letter_share=1.0, transaction_records=10)), log, 2)
    for number in range(10):
        turns.submit(Slice(10 * number, 10))
    turns.submit(Slice(0, 2, 1))
    await auntil(lambda: not turns.busy)
    assert log.turns_taken[:3] == [{0: 10}, {1: 2, 0: 10}, {0: 10}]


async def test_what_comes_before_earlier_owners_are_locked_out_and_states_are_there_waits() -> None:
    log = Log()
    turns = Turns(parts_of(COUNTING, Held()))
    await turns.replace({0: Lane(parts_of(COUNTING, Held()), 0, 1)})
    turns.submit(Slice(0, 2))
    turns.begin()  # of a recovery before
    turns.submit(Slice(2, 2))
    assert not turns.busy
    turns.fenced(cast("Any", log))
    turns.submit(Slice(4, 2))
    assert not turns.busy
    turns.begin()
    await auntil(lambda: not turns.busy)
    assert log.folded == {0: list(range(6))}


async def test_partitions_of_no_lane_and_slices_of_another_generation_are_left_to_others() -> None:
    log, other, old = Log(), Slice(0, 1, 7), Slice(0, 1)
    old.message.generation_id = 0
    turns = await turns_of(parts_of(COUNTING, Held()), log)
    turns.submit(other)
    turns.submit(old)
    assert (turns.busy, other.acked, old.acked) == (False, False, False)


class Slow(Log):
    """Its transactions take a while; when each began is noted."""

    TOOK_S = 0.03

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[float] = []

    def begin(self, changelog: str, batches: list[tuple[int, Batch]]) -> None:
        self.begun.append(time.monotonic())
        super().begin(changelog, batches)

    async def commit(self, topic: str, positions: Mapping[int, int]) -> Mapping[int, int]:
        await asyncio.sleep(self.TOOK_S)
        return await super().commit(topic, positions)


async def rested(settings: Settings, *counts: int, held: bool = False) -> Slow:
    """Slices of a lane, each after the first in the middle of the transaction before."""
    log, first = Slow(), 0
    turns = await turns_of(parts_of(COUNTING, Held(), settings), log)
    for lane in turns:
        lane.wakes.held = held
    for number, count in enumerate(counts):
        turns.submit(Slice(first, count))
        first += count
        await auntil(lambda so_many=number + 1: len(log.begun) == so_many)  # type: ignore[misc]  # a bound number
    await turns.close()
    return log


LONG_S = 600.0


@pytest.fixture
def long_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever rests does so for longer than a test waits."""
    monkeypatch.setattr(module, "LONGEST_REST_S", LONG_S)
    monkeypatch.setattr(module, "REST", LONG_S / Slow.TOOK_S)


async def test_lanes_rest_as_long_as_their_last_transaction_took() -> None:
    log = await rested(ALL_DEAD, 3, 3, 3)
    assert log.begun[2] - log.begun[1] >= (module.REST - 1) * Slow.TOOK_S, "begun while that before was committed"


@pytest.mark.usefixtures("long_rests")
async def test_they_do_not_rest_while_a_full_slice_waits() -> None:
    full = Settings(dead_letter_share=1.0, slice_records=5, commit_gap_ms=int(LONG_S * 1000))
    assert (await rested(full, 5, 5, 5)).positions == {0: [5, 10, 15]}


@pytest.mark.usefixtures("long_rests")
async def test_nor_while_wakes_are_held_back_for_only_folding_brings_the_next() -> None:
    assert (await rested(ALL_DEAD, 3, 3, 3, held=True)).positions == {0: [3, 6, 9]}


@pytest.mark.usefixtures("long_rests")
async def test_lanes_that_are_given_away_do_not_rest_to_the_end() -> None:
    log = Slow()
    turns = await turns_of(parts_of(COUNTING, Held()), log)
    turns.submit(Slice(0, 1))
    await auntil(lambda: log.positions)
    turns.submit(Slice(1, 1))
    await asyncio.sleep(0)
    await turns.close()
    assert log.positions == {0: [1]}, "what waits is left to whoever owns the partition next"


class Told(Slice):
    """Wakes, whatever they are of: each is counted under the key it has."""

    def __init__(self, first: int, keys: list[str], partition: int = 0) -> None:
        super().__init__(first, len(keys), partition)
        self.value = [
            Stored("t.in.v1", partition, first + number, 0, key.encode(), encode(Wake(key, 1, 1)), ())
            for number, key in enumerate(keys)
        ]


ONE_EACH = Settings(transaction_records=1, slice_records=1)
"""Every slice is a transaction, and none rests."""


class OneByOne(Log):
    """A transaction is begun only when that before it has ended; one of them fails, where told so."""

    def __init__(self, fails_at: int | None = None) -> None:
        super().__init__()
        self.open, self.begun, self._fails_at = False, 0, fails_at

    def begin(self, changelog: str, batches: list[tuple[int, Batch]]) -> None:
        assert not self.open
        self.open = True
        self.begun += 1

    async def commit(self, topic: str, positions: Mapping[int, int]) -> Mapping[int, int]:
        for _ in range(3):  # others have their turns
            await asyncio.sleep(0)
        if self.begun - 1 == self._fails_at:
            raise ConnectionError("fenced")
        self.open = False
        return await super().commit(topic, positions)


@given(st.data(), st.integers(1, 3))
async def test_a_batch_is_folded_on_what_the_transaction_under_way_changes(
    data: st.DataObject, partitions: int
) -> None:
    keys = st.lists(st.sampled_from("abc"), min_size=1, max_size=4)
    coming = data.draw(st.lists(st.tuples(st.integers(0, partitions - 1), keys), min_size=1, max_size=12))
    settings = Settings(transaction_records=data.draw(st.integers(1, 8)), slice_records=1)
    held, log, first = Held(), OneByOne(), Counter[int]()
    turns = await turns_of(parts_of(COUNTING, held, settings), log, partitions)
    for partition, told in coming:
        turns.submit(Told(first[partition], told, partition))
        first[partition] += len(told)
        for _ in range(data.draw(st.integers(0, 3))):  # in the midst of a turn, of a commit, or of nothing
            await asyncio.sleep(0)
    await auntil(lambda: not turns.busy)
    for partition in range(partitions):
        counted = Counter(key for each, told in coming if each == partition for key in told)
        found = {key.decode(): msgspec.msgpack.decode(state)[0] for key, state in held.parts[partition].items()}
        assert found == counted


async def test_what_was_folded_on_a_transaction_that_fails_is_never_given_to_kafka(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left: list[Exit] = []
    monkeypatch.setattr(module, "leave", lambda code, *_, **__: left.append(code))
    states: dict[bytes, bytes] = {}
    log = OneByOne(fails_at=1)
    turns = await turns_of(parts_of(COUNTING, Held(states), ONE_EACH), log)
    told = [Told(number, ["a"]) for number in range(4)]
    for each in told:
        turns.submit(each)
    await auntil(lambda: left)
    assert (left, log.begun) == ([Exit.NOT_DURABLE], 2)
    assert msgspec.msgpack.decode(states[b"a"])[0] == 1
    assert [each.acked for each in told] == [True, False, False, False]
