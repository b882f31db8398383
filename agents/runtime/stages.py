"""One stage in a worker: its lanes, states and wakes, through assignments and recoveries."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Collection, Iterator, Mapping
from typing import Any

from confluent_kafka import Producer
from faust.types.tuples import TP

from agents.clock import Clock
from agents.runtime.engine import Engine
from agents.runtime.exits import Exit, leave
from agents.runtime.fold import Fold
from agents.runtime.lanes import Lane, StageParts
from agents.runtime.metrics import Metrics, StageMeter
from agents.runtime.settling import Settling
from agents.runtime.transactions import Transactions, Warm, group_metadata
from agents.runtime.turns import Turns
from agents.runtime.wakes import Waker
from agents.runtime.window import Window
from agents.settings import Settings
from streams.stage import Stage

log = logging.getLogger("nivaran.runtime")
WARM_AFTER_S = 0.3
"""Producers for the next assignment are made when this one has calmed down."""


class StageRunner:
    """Runs one stage on the partitions assigned to this worker."""

    def __init__(
        self,
        stage: Stage[Any],
        engine: Engine,
        settings: Settings,
        clock: Clock,
        metrics: Metrics,
        wakes: Producer,
        partitions: int,
        on_disk: Mapping[str, Any],
    ) -> None:
        self.stage, self.restored_records = stage, 0
        self._assigned_at, self._restored_before = 0.0, 0
        self._engine, self._settings, self._metrics = engine, settings, metrics
        self._group: str = engine.conf.id
        self._warm = Warm(settings)
        window = Window(settings.wake_bound, settings.wake_ahead_ms / 1000)
        self._waker = Waker(stage.name, clock, wakes, metrics, window)
        self._ids = [self._transactional_id(partition) for partition in range(partitions)]
        self._warming: asyncio.TimerHandle | None = None
        self._indexing: asyncio.Task[None] | None = None
        self.store, changelog = engine.states(stage.name, partitions, self, on_disk)
        meter = StageMeter(metrics, stage.name, clock)
        self._parts = StageParts(Fold(stage, self._group), self.store, changelog, self._waker, meter, settings)
        # one partition has no owner beside us
        self._settling = Settling(settings, self._group, stage.reads, changelog) if partitions > 1 else None
        self.lanes = Turns(self._parts)
        engine.read((stage.reads,), stage.name, self.lanes.submit, acks=False)

    def warm(self) -> None:
        """Connect before the first assignment: producers, and who looks after what others have open."""
        self._prepare()
        if self._settling is not None:
            self._settling.warm()

    def _prepare(self) -> None:
        """Connect producers for every partition this worker may be given."""
        self._warm.prepare(self._ids)

    async def assigned(self, partitions: set[int], generation: int) -> None:
        """Take partitions over: whatever their earlier owners have open is aborted or complete after this.

        Every producer is new: one of an earlier generation may be fenced without our knowing.
        """
        lanes = {partition: Lane(self._parts, partition, generation) for partition in sorted(partitions)}
        await self.lanes.replace(lanes)
        if lanes:
            try:
                self.lanes.fenced(await self._fenced(lanes))
            except Exception as error:  # noqa: BLE001 - not answered, or not allowed
                leave(Exit.NOT_FENCED, "stage %s: no transactional producers", self.stage.name, cause=error)
        self._waker.partitions = len(partitions)
        if self._warming is not None:
            self._warming.cancel()
        self._warming = asyncio.get_running_loop().call_later(WARM_AFTER_S, self._prepare)
        self._assigned_at, self._restored_before = time.perf_counter(), self.restored_records

    def recovered(self) -> None:
        took = time.perf_counter() - self._assigned_at
        self._metrics.recovery.labels(self.stage.name).observe(took)
        log.info(
            "stage %s: %s states as of the log after %.2f s, %s records read",
            self.stage.name, len(self.store), took, self.restored_records - self._restored_before,
        )  # fmt: skip
        self.lanes.begin()
        lanes = list(self.lanes)
        # the states are taken here and now: from the next turn of the loop on, batches change them
        deriving = [lane.index() for lane in lanes]
        self._indexing = asyncio.get_running_loop().create_task(self._index(lanes, deriving))

    async def _index(self, lanes: list[Lane], deriving: list[Awaitable[None]]) -> None:
        try:
            await asyncio.gather(*deriving)
        except Exception as error:  # noqa: BLE001 - a state that cannot be read, or a defect in the stage
            leave(Exit.UNKNOWN_FAULT, "stage %s: no due instants", self.stage.name, cause=error)
        if all(lane.wakes.complete for lane in lanes):  # not taken away meanwhile
            self._metrics.indexing.labels(self.stage.name).observe(time.perf_counter() - self._assigned_at)

    @property
    def indexing(self) -> bool:
        """Whether due instants are still being derived; records are folded meanwhile, nothing is woken."""
        return any(not lane.wakes.complete for lane in self.lanes)

    @property
    def without_changelog(self) -> set[int]:
        """Partitions that were given to us without their changelog, of which who shared them out had not heard yet.

        Nothing is folded of them; aiokafka would find out after five minutes.
        """
        given = {tp.partition for tp in self._engine.consumer.assignment() if tp.topic == self.stage.reads}
        return given - {lane.partition for lane in self.lanes}

    def restored(self, records: int) -> None:
        self.restored_records += records
        self._metrics.restored.labels(self.stage.name).inc(records)

    def fire(self) -> None:
        """Write the wakes that are due."""
        if self._engine.rebalancing or self._engine.in_recovery:
            return
        for lane in self.lanes:
            if not lane.closed:
                self._waker.fire(lane.wakes)

    def places(self) -> Iterator[tuple[TP, int]]:
        """Tell of each assigned partition the next offset after what is committed, -1 when not known yet."""
        for lane in self.lanes:
            yield TP(self.stage.reads, lane.partition), lane.done

    async def _fenced(self, partitions: Collection[int]) -> Transactions:
        """Raises KafkaException, TimeoutError."""
        known_generation, member = self._engine.consumer._thread.membership()  # noqa: SLF001 - Faust's delegate has no other way
        metadata = group_metadata(self._group, known_generation, member, self._settings.instance)
        producers = [self._warm.take(self._transactional_id(partition)) for partition in partitions]
        transactions = Transactions(producers, metadata, self._settings.transaction_timeout)
        if self._settling is not None:
            await self._settling.nearly(partitions)
        await transactions.fence()
        if self._settling is not None and len(partitions) < len(self._ids):  # else nothing is left under another id
            await self._settling.until_over(partitions)
        return transactions

    def _transactional_id(self, partition: int) -> str:
        return f"{self._group}-{self.stage.name}-{partition}"
