"""One partition for one subscriber: its records one after the other, each until it is delivered or put aside."""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from typing import Final, Protocol

from agents.runtime.ports import Received
from agents.webhooks.calling import Answer, Pace
from agents.webhooks.message import Message, UnreadableError, message, skipped
from agents.webhooks.meters import Meters
from agents.webhooks.progress import Note, Position, Trying
from agents.webhooks.subscriptions import Subscriber, Subscription

ROOM: Final = 200
"""Records in hand before a partition is paused."""
HOUR_MS: Final = 3_600_000


class Calls(Protocol):
    async def call(self, subscriber: Subscriber, message: Message) -> Answer: ...


class Letters(Protocol):
    async def keep(self, record: Received, subscription: Subscription, error: str, reason: str) -> None:
        """Put a record aside; returns when Kafka has it, raises when it has not."""
        ...


class Lane:
    """Delivers in order. What it has reached is in `position`, for whoever commits."""

    def __init__(
        self,
        subscriber: Subscriber,
        calls: Calls,
        letters: Letters,
        meters: Meters,
        room: asyncio.Semaphore,
        pace: Pace,
        begin: Position,
        drawn: Callable[[], float] = random.random,
    ) -> None:
        self._subscriber, self._subscription = subscriber, subscriber.subscription
        self._calls, self._letters, self._meters, self._room = calls, letters, meters, room
        self._pace, self._drawn = pace, drawn
        self.position = begin
        self.gone = False
        """The endpoint said that it wants no more; nothing after it is tried."""
        self._waiting: asyncio.Queue[Received | None] = asyncio.Queue()
        self._closing = asyncio.Event()

    def put(self, record: Received) -> None:
        self._waiting.put_nowait(record)

    @property
    def full(self) -> bool:
        return self._waiting.qsize() >= ROOM

    @property
    def tried_since(self) -> int | None:
        """Since when (UTC ms) the record at the head is called in vain; None where it is not."""
        trying = self.position.note.trying
        return None if trying is None else trying.first_at

    def close(self) -> None:
        """Begin nothing new; a call under way is waited for."""
        self._closing.set()
        self._waiting.put_nowait(None)

    async def run(self) -> None:
        """Until closed, or the endpoint is gone. Raises what `Letters.keep` raises."""
        while not self._closing.is_set():
            record = await self._waiting.get()
            if record is None or not await self._taken(record):
                return
            self.position = Position(record.offset + 1)

    async def _taken(self, record: Received) -> bool:
        """Whether a record is dealt with; False where that is left to whoever begins at it again."""
        value = record.value or b""
        try:
            if reason := skipped(self._subscription, value):
                self._meters.record(self._subscription, reason)
                return True
            told = message(record.headers, value)
        except UnreadableError as error:
            await self._aside(record, "unreadable", str(error))
            return True
        return await self._delivered(record, told)

    async def _delivered(self, record: Received, told: Message) -> bool:
        trying = self.position.note.trying if self.position.offset == record.offset else None
        while await self._rested(trying):
            began = time.perf_counter()
            async with self._room:
                answer = await self._calls.call(self._subscriber, told)
            self._meters.called(self._subscription, answer, time.perf_counter() - began)
            match answer.outcome:
                case "delivered":
                    self._meters.delivered(self._subscription, now_ms() - record.timestamp)
                    return True
                case "gone":
                    self.gone = True
                    return False
                case "refused" | "failed":
                    trying = self._again(trying, answer)
            if self._given_up(trying):
                took = (now_ms() - trying.first_at) // 1000
                reason = f"{trying.attempts} calls in {took} s, the last one answered {answer.code}"
                await self._aside(record, answer.outcome, reason)
                return True
            self.position = Position(record.offset, Note(trying))
        return False

    async def _rested(self, trying: Trying | None) -> bool:
        """Wait until the next attempt is due; False where the lane closes meanwhile."""
        pause = 0.0 if trying is None else (trying.next_at - now_ms()) / 1000
        if pause > 0 and not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                # the pause of a clock that was set back meanwhile is no longer than the longest
                await asyncio.wait_for(self._closing.wait(), min(pause, self._pace.longest_s))
        return not self._closing.is_set()

    def _again(self, trying: Trying | None, answer: Answer) -> Trying:
        now = now_ms()
        before = trying or Trying(0, 0, now, now)
        attempts = before.attempts + 1
        pause = self._pace.pause(attempts, self._drawn(), answer.wait_s)
        refusals = before.refusals + (answer.outcome == "refused")
        return Trying(attempts, refusals, before.first_at, now + int(pause * 1000))

    def _given_up(self, trying: Trying) -> bool:
        subscription = self._subscription
        late = now_ms() - trying.first_at >= subscription.give_up_hours * HOUR_MS
        return late or trying.refusals >= subscription.refusals

    async def _aside(self, record: Received, error: str, reason: str) -> None:
        await self._letters.keep(record, self._subscription, error, reason)
        self._meters.record(self._subscription, "put-aside")


def now_ms() -> int:
    """Wall time, also where the helpline's own is simulated: endpoints live in this one."""
    return time.time_ns() // 1_000_000
