"""Slices on their way through a sink or sender: per partition a set number at a time, acknowledged in order."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from agents.runtime.exits import Exit, leave
from agents.runtime.ports import Slice

log = logging.getLogger("nivaran.runtime")
Work = Callable[[Slice], Awaitable[None]]
Place = tuple[str, int]


class SliceQueue:
    """One partition in one generation of the group; at most `at_once` of its slices are worked on at the same time."""

    def __init__(self, name: str, work: Work, at_once: int) -> None:
        self.next = -1
        """Next offset; all before it is done."""
        self._name, self._work, self._at_once = name, work, at_once
        self._waiting: deque[Any] = deque()
        self._in_hand: deque[tuple[Any, asyncio.Future[None]]] = deque()
        self._task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        return self._task is not None

    def submit(self, event: Any) -> None:
        self._waiting.append(event)
        self._begin()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self, patience: float) -> None:
        """Finish the slices in hand within `patience` seconds, or cancel them; what is left is delivered again."""
        self._waiting.clear()
        if self._task is not None:
            _, late = await asyncio.wait([self._task], timeout=patience)
            for task in late:
                log.warning("%s: what is in hand is given up, it will be taken again", self._name)
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _begin(self) -> None:
        while self._waiting and len(self._in_hand) < self._at_once:
            event = self._waiting.popleft()
            work = self._work(Slice(event.message.topic, event.message.partition, event.value))
            self._in_hand.append((event, asyncio.ensure_future(work)))

    async def _run(self) -> None:
        try:
            while self._in_hand:
                event, work = self._in_hand[0]
                await work
                self._in_hand.popleft()
                self.next = event.message.offset + 1
                event.ack()
                self._begin()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - a defect, or what it writes to is away: start again from what is acknowledged
            leave(Exit.EFFECT_FAULT, "%s could not take a slice", self._name, cause=error)
        finally:
            await self._drop()
            self._task = None

    async def _drop(self) -> None:
        works = [work for _, work in self._in_hand]
        self._in_hand.clear()
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)


class Queues:
    """The queues of one sink or sender."""

    def __init__(self, name: str, topics: tuple[str, ...], work: Work, patience: float, *, at_once: int = 1) -> None:
        """`at_once`: slices of one partition in work at the same time; with one they are worked on in order."""
        self.name, self.topics = name, topics
        self._work, self._patience, self._at_once = work, patience, at_once
        self._queues: dict[Place, SliceQueue] = {}
        self._generation: int | None = None

    def items(self) -> list[tuple[Place, SliceQueue]]:
        return list(self._queues.items())

    def assigned(self, generation: int) -> None:
        """Take slices of this generation of the group from now on, and of no other."""
        self._generation = generation

    def submit(self, event: Any) -> None:
        message = event.message
        # held, whatever follows: a slice that is dropped must never count as acknowledged
        message.incref()
        if message.generation_id != self._generation:
            return
        place = (message.topic, message.partition)
        queue = self._queues.get(place)
        if queue is None:
            self._queues[place] = queue = SliceQueue(self.name, self._work, self._at_once)
        queue.submit(event)

    async def close(self) -> None:
        """Finish what is in hand and forget the partitions."""
        self._generation = None
        await asyncio.gather(*(queue.close(self._patience) for queue in self._queues.values()))
        self._queues.clear()
