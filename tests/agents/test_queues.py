"""Sinks and senders: so many slices of a partition at a time as is said; acknowledged in order, done and not before."""

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from agents.runtime import queues as module
from agents.runtime.exits import Exit
from agents.runtime.ports import Slice
from agents.runtime.queues import Queues
from tests.waiting import auntil


@dataclass
class Event:
    """As Faust hands it over: a message that is counted by who holds it."""

    partition: int
    offset: int
    generation: int = 1
    held: int = 0
    acked: bool = False
    value: list[str] = field(default_factory=lambda: ["record"])

    @property
    def message(self) -> Any:
        return SimpleNamespace(
            topic="t", partition=self.partition, offset=self.offset, generation_id=self.generation, incref=self._hold
        )

    def _hold(self) -> None:
        self.held += 1

    def ack(self) -> None:
        self.acked = True


class Work:
    """Does what it is told, when it is told."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.may_end = asyncio.Event()

    async def __call__(self, given: Slice) -> None:
        self.begun.append(given.partition)
        await self.may_end.wait()


async def test_slices_of_a_partition_wait_for_each_other_those_of_others_do_not() -> None:
    work = Work()
    queues = Queues("sink", ("t",), work, 5.0)
    queues.assigned(1)
    events = [Event(0, 9), Event(0, 19), Event(1, 9)]
    for event in events:
        queues.submit(event)
    await auntil(lambda: sorted(work.begun) == [0, 1])
    assert not any(event.acked for event in events)
    work.may_end.set()
    await auntil(lambda: all(event.acked for event in events))
    assert work.begun == [0, 1, 0]
    assert {place: queue.next for place, queue in queues.items()} == {("t", 0): 20, ("t", 1): 10}


class Separate:
    """Slices end one by one, when they are told to."""

    def __init__(self) -> None:
        self.ends: list[asyncio.Future[None]] = []

    async def __call__(self, _: Slice) -> None:
        self.ends.append(asyncio.get_running_loop().create_future())
        await self.ends[-1]


async def three_slices(patience: float, *, at_once: int) -> tuple[Queues, Separate, list[Event]]:
    """Of one partition, as many in work as may be."""
    work = Separate()
    queues = Queues("sender", ("t",), work, patience, at_once=at_once)
    queues.assigned(1)
    events = [Event(0, 9), Event(0, 19), Event(0, 29)]
    for event in events:
        queues.submit(event)
    await auntil(lambda: len(work.ends) == at_once)
    return queues, work, events


async def test_a_sender_works_on_some_slices_at_once_and_acknowledges_them_in_order() -> None:
    queues, work, events = await three_slices(5.0, at_once=2)
    work.ends[1].set_result(None)
    await asyncio.sleep(0)
    [(_, queue)] = queues.items()
    assert [event.acked for event in events] == [False, False, False], "the first is not done"
    assert (queue.next, len(work.ends)) == (-1, 2), "what is not acknowledged counts as in hand"
    work.ends[0].set_result(None)
    await auntil(lambda: events[1].acked and len(work.ends) == 3)
    assert queue.next == 20
    work.ends[2].set_result(None)
    await auntil(lambda: events[2].acked)
    assert queue.next == 30


async def test_of_some_slices_at_once_none_that_follows_an_unfinished_one_is_acknowledged_at_the_end() -> None:
    queues, work, events = await three_slices(0.05, at_once=3)
    work.ends[0].set_result(None)
    work.ends[2].set_result(None)
    await queues.close()
    assert [event.acked for event in events] == [True, False, False]
    assert work.ends[1].cancelled()


async def test_what_waits_when_partitions_go_is_never_acknowledged() -> None:
    work = Work()
    queues = Queues("sink", ("t",), work, 5.0)
    queues.assigned(1)
    in_hand, waiting, late = Event(0, 9), Event(0, 19), Event(0, 29)
    queues.submit(in_hand)
    queues.submit(waiting)
    await auntil(lambda: work.begun)
    closing = asyncio.ensure_future(queues.close())
    await auntil(lambda: queues._generation is None)
    queues.submit(late)
    work.may_end.set()
    await closing
    assert (in_hand.acked, waiting.acked, late.acked) == (True, False, False)
    assert waiting.held == late.held == 1


async def test_a_slice_that_does_not_end_is_given_up_when_partitions_go() -> None:
    work = Work()
    queues = Queues("sink", ("t",), work, 0.05)
    queues.assigned(1)
    event = Event(0, 9)
    queues.submit(event)
    await auntil(lambda: work.begun)
    await queues.close()
    assert not event.acked


async def test_slices_of_an_earlier_generation_are_left_alone() -> None:
    work = Work()
    work.may_end.set()
    queues = Queues("sink", ("t",), work, 5.0)
    queues.assigned(2)
    old, new = Event(0, 9, generation=1), Event(0, 9, generation=2)
    queues.submit(old)
    queues.submit(new)
    await auntil(lambda: new.acked)
    assert not old.acked


async def test_a_fault_ends_the_process_and_the_slice_is_not_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[Exit] = []
    monkeypatch.setattr(module, "leave", lambda code, *_, **__: left.append(code))

    async def fails(_: Slice) -> None:
        raise ConnectionError("away")

    queues = Queues("sink", ("t",), fails, 5.0)
    queues.assigned(1)
    event = Event(0, 9)
    queues.submit(event)
    await auntil(lambda: left == [Exit.EFFECT_FAULT])
    assert not event.acked
