"""Turns: what has come to the lanes of a stage is folded, made durable in one transaction, and only then adopted."""

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

from agents.runtime.exits import Exit, leave
from agents.runtime.lanes import Lane, StageParts, Taken
from agents.runtime.transactions import Transactions

REST = 2.0
"""Times as long as the last transaction took, from the beginning of one to that of the next, if little is waiting."""
LONGEST_REST_S = 0.25
"""Kafka's answer may be late for reasons that fewer transactions do not mend."""


class Turns:
    """The lanes of one stage: all its partitions assigned to this worker, in the present generation.

    Any failure to make a turn durable ends the process.
    """

    def __init__(self, parts: StageParts) -> None:
        self._parts, self._name = parts, parts.fold.stage.name
        self._lanes: Mapping[int, Lane] = {}
        self._transactions: Transactions | None = None
        self._ready: dict[int, Lane] = {}
        """Lanes with something to fold, in the order of their turns."""
        self._task: asyncio.Task[None] | None = None
        self._began = self._opened = self._took = 0.0
        """When the last turn was begun, when its transaction was opened (0: none is), what the last committed took."""
        self._committing: asyncio.Task[None] | None = None
        self._closed, self._folding = True, False
        self._news = asyncio.Event()
        """A slice has come, the transaction under way has ended, or the lanes are given away."""

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes.values())

    def __len__(self) -> int:
        return len(self._lanes)

    @property
    def busy(self) -> bool:
        return self._task is not None

    @property
    def open_s(self) -> float:
        """How long the transaction under way has been open; 0 when none is."""
        return time.monotonic() - self._opened if self._opened else 0.0

    @property
    def awaiting(self) -> int:
        """Records handed over that Kafka has not acknowledged."""
        return 0 if self._transactions is None else self._transactions.awaiting

    def submit(self, event: Any) -> None:
        """Give a slice to the lane of its partition; never waits."""
        lane = self._lanes.get(event.message.partition)
        if lane is None or not lane.submit(event):
            return
        self._ready.setdefault(lane.partition, lane)
        self._news.set()
        self._go()

    async def close(self) -> None:
        """Finish the transaction under way; what waits belongs to whoever owns the partitions next."""
        self._closed = True
        self._ready.clear()
        for lane in self:
            lane.close()
        self._news.set()
        if self._task is not None:
            await self._task

    async def replace(self, lanes: Mapping[int, Lane]) -> None:
        """Install the lanes of a new generation; what comes to them waits, so that nothing is left out."""
        await self.close()
        if self._transactions is not None:
            self._transactions.close()
        self._lanes, self._transactions, self._closed, self._folding = lanes, None, False, False

    def fenced(self, transactions: Transactions) -> None:
        """Take the transactions of these lanes: earlier owners are locked out."""
        self._transactions = transactions

    def begin(self) -> None:
        """Fold from now on: the states are as of the log. Not heard while earlier owners are not locked out."""
        self._folding = self._transactions is not None
        self._go()

    def _go(self) -> None:
        if self._folding and self._ready and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            while self._ready or self._committing is not None:
                if self._ready:
                    await self._rest()
                    await self._turn()
                elif self._committing is not None and self._committing.done():
                    await self._committed()
                else:
                    self._news.clear()
                    await self._news.wait()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, nobody knows what is durable
            leave(Exit.NOT_DURABLE, "stage %s: a transaction is not durable", self._name, cause=error)
        finally:
            self._task = None

    async def _rest(self) -> None:
        """Rest while less than a full slice waits: what a transaction costs counts then, not what is in it.

        The rest grows with the time one takes, so where a core or a broker has too much to do there are fewer. While
        wakes are held back there is none: the next of a storm are written when these are folded, waiting brings none.
        """
        settings = self._parts.settings
        own = 0.0 if any(lane.wakes.held for lane in self) else min(REST * self._took, LONGEST_REST_S)
        until = self._began + max(settings.commit_gap_ms / 1000, own)
        while not self._closed and self._waiting() < settings.slice_records:
            if (rest := until - time.monotonic()) <= 0:
                break
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), rest)
        self._began = time.monotonic()

    def _waiting(self) -> int:
        return sum(len(event.value) for lane in self._ready.values() for event in lane.waiting)

    async def _turn(self) -> None:
        """Fold what waits while the transaction before it is being committed, then open the next.

        It is folded on states that are not durable yet, but it is given to Kafka only when they are: what ends the
        transaction before ends the process.
        """
        turn = await self._folded()
        await self._committed()
        if self._closed:
            return  # what Kafka has not been given is left to whoever owns the partitions next
        new = [taken for taken in turn if taken.records]
        for taken in turn:
            if not taken.records:  # all of it was folded before
                _acknowledge(taken)
        if new:
            self._open(new)

    async def _folded(self) -> list[Taken]:
        """Let lanes with something to fold have their turns, as far as one transaction goes.

        Each once: what it folds next is folded on what this transaction changes.
        """
        turn: list[Taken] = []
        room = self._parts.settings.transaction_records
        for lane in list(self._ready.values()):
            if room <= 0 or self._closed:
                break
            del self._ready[lane.partition]
            taken = lane.take(room)
            turn.append(taken)
            room -= len(taken.records)
            if lane.waiting:
                self._ready[lane.partition] = lane  # behind the others
            await asyncio.sleep(0)  # a worker has more to do than to fold
        return turn

    def _open(self, turn: list[Taken]) -> None:
        transactions = self._transactions
        assert transactions is not None  # there are lanes
        self._opened = time.monotonic()
        transactions.begin(self._parts.changelog, [(taken.lane.partition, taken.batch) for taken in turn])
        for taken in turn:
            taken.lane.given(taken.batch)
        giving = time.monotonic() - self._opened
        committing = self._commit(transactions, turn, giving)
        self._committing = asyncio.get_running_loop().create_task(committing)
        self._committing.add_done_callback(lambda _: self._news.set())

    async def _commit(self, transactions: Transactions, turn: list[Taken], giving: float) -> None:
        """`giving`: seconds it took to give all of it to Kafka's client."""
        parts, records = self._parts, sum(len(taken.records) for taken in turn)
        after = {taken.lane.partition: taken.records[-1].offset + 1 for taken in turn}
        last = await transactions.commit(parts.fold.stage.reads, after)
        for taken in turn:
            share = giving * len(taken.records) / records
            taken.lane.adopt(taken, last.get(taken.lane.partition), taken.seconds + share)
        took, self._opened = time.monotonic() - self._opened, 0.0
        folding = sum(taken.seconds for taken in turn)
        self._took = folding + took
        parts.meter.committed([(taken.batch, taken.records) for taken in turn], folding, took)
        for taken in turn:
            _acknowledge(taken)

    async def _committed(self) -> None:
        """Wait for the transaction under way, if any."""
        if self._committing is not None:
            committing, self._committing = self._committing, None
            await committing


def _acknowledge(taken: Taken) -> None:
    for event in taken.events:
        event.ack()
