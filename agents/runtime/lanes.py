"""A lane: one source partition's slices, position, states and due instants, in one generation of the group."""

import asyncio
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
from agents.runtime.store import Store
from agents.runtime.wakes import LaneWakes, Waker
from agents.settings import Settings

log = logging.getLogger("nivaran.runtime")
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


@dataclass(frozen=True, slots=True)
class Taken:
    """What a lane has folded for one transaction."""

    lane: "Lane"
    events: list[Any]
    """Slices to acknowledge when it is durable."""
    records: list[Any]
    """Those of them that had not been folded before; none, and there is nothing to commit."""
    batch: Batch
    seconds: float
    """That folding them took."""


class Lane:
    """One source partition. What it folds is made durable by `Turns`, and only then are the states adopted."""

    def __init__(self, parts: StageParts, partition: int, generation: int) -> None:
        self.partition, self.generation = partition, generation
        self.next = -1
        """Next offset to fold; all before it is committed or in the transaction under way."""
        self.done = -1
        """Next offset after what is committed; -1 before the first batch."""
        self.closed = False
        self.waiting: deque[Any] = deque()
        """Slices to be folded."""
        self.wakes = LaneWakes(parts.fold.stage.reads, partition, self._due_of, complete=False)
        self.indexed = 0
        """States whose due instants are known, after recovery."""
        self._parts = parts
        self._stored = parts.store.part(partition).get
        self._ahead: dict[bytes, bytes | None] = {}
        """What the transaction under way changes; the store has it when that is committed."""

    def submit(self, event: Any) -> bool:
        """Take a slice and answer whether it is to be folded; never waits: the transport counts what is in hand."""
        if self.closed or event.message.generation_id != self.generation:
            return False  # nothing is folded past something left out
        event.message.incref()
        self.waiting.append(event)
        return True

    def close(self) -> None:
        """Take no more; what waits belongs to whoever owns the partition next."""
        self.closed = True
        self.waiting.clear()

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

    def take(self, most: int) -> Taken:
        """Fold what waits, up to `most` records and what is left of a slice, on what the last batch leaves."""
        began = time.perf_counter()
        events, records = self._gather(most)
        batch = self._fold(records)
        return Taken(self, events, records, batch, time.perf_counter() - began)

    def given(self, batch: Batch) -> None:
        """Take note that the batch is in the transaction under way."""
        self._ahead = dict(batch.changes)

    def adopt(self, taken: Taken, last: int | None, seconds: float) -> None:
        """Take over what is durable now; `last`: where in the changelog its last change is; `seconds`: what it took."""
        self._parts.store.adopt(self.partition, taken.batch.changes, last)
        self._ahead = {}
        self.done = taken.records[-1].offset + 1
        if not self.closed:
            self._parts.waker.fold(self.wakes, taken.batch, seconds)

    def _state(self, key: bytes) -> bytes | None:
        """The state of a key as the next batch finds it."""
        return self._ahead[key] if key in self._ahead else self._stored(key)

    def _gather(self, most: int) -> tuple[list[Any], list[Any]]:
        """Take slices for one transaction; answer them, and what of them is to be folded.

        A seek to what is committed gives slices again that wait here or are being folded, and they come behind those
        that follow them: each record is taken once, at its place, and the position never falls.
        """
        events: list[Any] = []
        records: list[Any] = []
        while self.waiting and len(records) < most:
            event = self.waiting.popleft()
            events.append(event)
            slice_ = event.value
            if slice_[0].offset < self.next:
                topic, first = slice_[0].topic, slice_[0].offset
                log.warning("%s-%s: offset %s again, %s is next", topic, self.partition, first, self.next)
                slice_ = [record for record in slice_ if record.offset >= self.next]
            if slice_:
                records += slice_
                self.next = slice_[-1].offset + 1
        return events, records

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
