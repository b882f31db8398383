"""Lanes: per source partition, fold what has arrived, make it durable in one transaction, only then adopt states."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from agents.runtime.exits import Exit, leave
from agents.runtime.fold import Batch, Fold, StateUnreadableError
from agents.runtime.metrics import StageMeter
from agents.runtime.producers import Transactions
from agents.runtime.store import Store
from agents.runtime.wakes import LaneWakes, Waker
from agents.settings import Settings

log = logging.getLogger("nivaran.runtime")
REST = 2.0
"""Times as long as the last transaction took, from the beginning of one to that of the next, if little is waiting."""
LONGEST_REST_S = 0.25
"""Kafka's answer may be late for reasons that fewer transactions do not mend."""

INDEXED_AT_ONCE = 1000
"""States of a partition whose due instants are derived before the worker does something else: about 2 ms."""


@dataclass(frozen=True, slots=True)
class StageParts:
    """What the lanes of one stage share."""

    fold: Fold
    store: Store
    changelog: str
    waker: Waker
    meter: StageMeter
    settings: Settings


class Lane:
    """One source partition in one generation of the group. Any failure to make a batch durable ends the process."""

    def __init__(self, parts: StageParts, partition: int, transactions: Transactions, generation: int) -> None:
        self.partition, self.generation = partition, generation
        self.transactions = transactions
        self.next = -1
        """Next offset to fold; all before it is committed or in the transaction under way."""
        self.done = -1
        """Next offset after what is committed; -1 before the first batch."""
        self.closed = False
        self.wakes = LaneWakes(parts.fold.stage.reads, partition, self._due_of, complete=False)
        self.indexed = 0
        """States whose due instants are known, after recovery."""
        self._parts = parts
        self._stored = parts.store.part(partition).get
        self._ahead: dict[bytes, bytes | None] = {}
        """What the transaction under way changes; the store has it when that is committed."""
        self._waiting: deque[Any] = deque()
        self._task: asyncio.Task[None] | None = None
        self._began = self._opened = self._took = 0.0
        """When the last batch was begun, when its transaction was opened (0: none is), what the last committed took."""
        self._committing: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        """A slice has come, the transaction under way has ended, or the lane is given away."""

    @property
    def busy(self) -> bool:
        return self._task is not None

    @property
    def open_s(self) -> float:
        """How long the transaction under way has been open; 0 when none is."""
        return time.monotonic() - self._opened if self._opened else 0.0

    def submit(self, event: Any) -> None:
        """Take a slice; never waits: the transport counts what is not acknowledged."""
        if self.closed or event.message.generation_id != self.generation:
            return  # nothing is folded past something left out
        event.message.incref()
        self._waiting.append(event)
        self._news.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Finish the transaction under way; what waits belongs to whoever owns the partition next."""
        self.closed = True
        self._waiting.clear()
        self._news.set()
        if self._task is not None:
            await self._task

    def index(self) -> Awaitable[None]:
        """Take the states as they are after recovery; what is answered derives their due instants."""
        return self._derive(self._parts.store.standing(self.partition))

    async def _derive(self, states: Iterator[tuple[bytes, bytes]]) -> None:
        """Let batches go on meanwhile: what they change is noted by them, and what is out of date is found when due."""
        index, dues = self.wakes.index, self._parts.fold.dues
        while not self.closed:
            some = list(islice(states, INDEXED_AT_ONCE))
            if not some:
                self.wakes.complete = True
                return
            try:
                for at, key in dues(some):
                    index.note(at, key)
            except StateUnreadableError as error:
                error.add_note(f"in partition {self.partition} of {self._parts.changelog}")
                raise
            self.indexed += len(some)
            await asyncio.sleep(0)

    async def _run(self) -> None:
        try:
            while self._waiting or self._committing is not None:
                if self._waiting:
                    await self._gap()
                    await self._batch()
                elif self._committing is not None and self._committing.done():
                    await self._committed()
                else:
                    self._news.clear()
                    await self._news.wait()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, nobody knows what is durable
            name = self._parts.fold.stage.name
            leave(Exit.NOT_DURABLE, "%s %s: a batch is not durable", name, self.partition, cause=error)
        finally:
            self._task = None

    async def _gap(self) -> None:
        """Rest while less than a full slice waits: what a transaction costs counts then, not what is in it.

        The rest grows with the time one takes, so where a core or a broker has too much to do there are fewer. With
        wakes out there is none: the next of a storm are written when these are folded, waiting brings no more.
        """
        settings = self._parts.settings
        own = 0.0 if self.wakes.out else min(REST * self._took, LONGEST_REST_S)
        until = self._began + max(settings.commit_gap_ms / 1000, own)
        while not self.closed and sum(len(event.value) for event in self._waiting) < settings.slice_records:
            if (rest := until - time.monotonic()) <= 0:
                break
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), rest)
        self._began = time.monotonic()

    async def _batch(self) -> None:
        """Fold what waits while the transaction before it is being committed, then open the next.

        It is folded on states that are not durable yet, but it is given to Kafka only when they are: what ends the
        transaction before ends the process.
        """
        began = time.perf_counter()
        events, records, after = self._gather()
        batch = self._fold(records)
        folded = time.perf_counter() - began
        self.next = after
        await self._committed()
        if self.closed:
            return  # what Kafka has not been given is left to whoever owns the partition next
        if not records:  # all of it was folded before
            for event in events:
                event.ack()
            return
        parts, self._opened = self._parts, time.monotonic()
        self.transactions.begin(batch.outputs, parts.changelog, self.partition, batch.changes)
        self._ahead = dict(batch.changes)
        busy = folded + time.monotonic() - self._opened
        committing = self._commit(events, records, batch, folded, busy)
        self._committing = asyncio.get_running_loop().create_task(committing)
        self._committing.add_done_callback(lambda _: self._news.set())

    async def _commit(self, events: list[Any], records: list[Any], batch: Batch, folded: float, busy: float) -> None:
        """`folded`, `busy`: seconds this took so far, without and with giving it to Kafka's client."""
        parts, after = self._parts, records[-1].offset + 1
        last = await self.transactions.commit(records[-1].topic, self.partition, after)
        parts.store.adopt(self.partition, batch.changes, last)
        self._ahead = {}
        self.done = after
        if not self.closed:
            parts.waker.fold(self.wakes, batch, busy)
        took, self._opened = time.monotonic() - self._opened, 0.0
        self._took = folded + took
        parts.meter.committed(batch, records, folded, took)
        for event in events:
            event.ack()

    async def _committed(self) -> None:
        """Wait for the transaction under way, if any."""
        if self._committing is not None:
            committing, self._committing = self._committing, None
            await committing

    def _state(self, key: bytes) -> bytes | None:
        """The state of a key as the next batch finds it."""
        return self._ahead[key] if key in self._ahead else self._stored(key)

    def _gather(self) -> tuple[list[Any], list[Any], int]:
        """Take slices for one transaction; answer them, what of them is to be folded, and the offset after that.

        A seek to what is committed gives slices again that wait here or are being folded, and they come behind those
        that follow them: each record is taken once, at its place, and the position never falls.
        """
        events: list[Any] = []
        records: list[Any] = []
        after, most = self.next, self._parts.settings.transaction_records
        while self._waiting and len(records) < most:
            event = self._waiting.popleft()
            events.append(event)
            slice_ = event.value
            if slice_[0].offset < after:
                log.warning(
                    "%s-%s: offset %s again, %s is next", slice_[0].topic, self.partition, slice_[0].offset, after
                )
                slice_ = [record for record in slice_ if record.offset >= after]
            if slice_:
                records += slice_
                after = slice_[-1].offset + 1
        return events, records, after

    def _fold(self, records: list[Any]) -> Batch:
        parts = self._parts
        try:
            batch = parts.fold(self.partition, records, self._state, time.time_ns() // 1_000_000)
        except Exception as error:  # noqa: BLE001 - a defect in a stage or a store of another version
            leave(Exit.UNKNOWN_FAULT, "stage %s, partition %s", parts.fold.stage.name, self.partition, cause=error)
        dead = batch.dead.total()
        settings = parts.settings
        if len(records) >= settings.dead_letter_least and dead > settings.dead_letter_share * len(records):
            leave(
                Exit.DEAD_LETTER_FLOOD,
                "stage %s cannot take %s of %s records of partition %s (%s); is it the right version? "
                "To go on all the same, raise NIVARAN_DEAD_LETTER_SHARE",
                parts.fold.stage.name, dead, len(records), self.partition, dict(batch.dead),
            )  # fmt: skip
        return batch

    def _due_of(self, key: bytes) -> int | None:
        stored = self._stored(key)
        return None if stored is None else self._parts.fold.due(stored)


class Lanes:
    """The lanes of one stage: all its partitions assigned to this worker, in the present generation."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self._lanes: dict[int, Lane] = {}

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes.values())

    def __len__(self) -> int:
        return len(self._lanes)

    def submit(self, event: Any) -> None:
        lane = self._lanes.get(event.message.partition)
        if lane is not None:
            lane.submit(event)

    async def close(self) -> None:
        await asyncio.gather(*(lane.close() for lane in self))

    async def replace(self, lanes: dict[int, Lane]) -> None:
        """Install the lanes of a new generation.

        Every producer is new: one of an earlier generation may be fenced without our knowing.
        """
        await self.close()
        for lane in self:
            lane.transactions.close()
        self._lanes = lanes
        try:
            await asyncio.gather(*(lane.transactions.fence() for lane in self))
        except Exception as error:  # noqa: BLE001 - not answered, or not allowed
            leave(Exit.NOT_FENCED, "stage %s: no transactional producers", self.stage, cause=error)
