"""Lanes and turns without Kafka: a store and a transactional producer of the test's own."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any, cast

from agents.clock import SimulatedClock
from agents.runtime.fold import Batch, Fold
from agents.runtime.lanes import Lane, StageParts
from agents.runtime.metrics import Metrics, StageMeter
from agents.runtime.ports import Stored
from agents.runtime.store import Store
from agents.runtime.turns import Turns
from agents.runtime.wakes import Waker
from agents.runtime.window import Window
from agents.settings import Settings
from streams.stage import Stage

ALL_DEAD = Settings(dead_letter_share=1.0)
"""Records of these tests may all be dead letters."""


class Held:
    """Stands in for the store: states by partition."""

    def __init__(self, states: dict[bytes, bytes] | None = None) -> None:
        self.parts: defaultdict[int, dict[bytes, bytes]] = defaultdict(dict, {0: {} if states is None else states})

    def adopt(self, partition: int, changes: Any, _: int | None) -> None:
        self.parts[partition].update(changes)

    def part(self, partition: int) -> dict[bytes, bytes]:
        return self.parts[partition]

    def standing(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        return iter(list(self.parts[partition].items()))


def parts_of(stage: Stage[Any], held: Held, settings: Settings = ALL_DEAD) -> StageParts:
    clock, metrics = SimulatedClock("nowhere:1"), Metrics()
    waker = Waker(stage.name, clock, cast("Any", None), metrics, Window(bound=10, within=1.0))
    meter = StageMeter(metrics, stage.name, clock)
    return StageParts(Fold(stage, "group"), cast("Store", held), "changelog", waker, meter, settings)


async def turns_of(parts: StageParts, log: "Log", partitions: int = 1) -> Turns:
    """Lanes of the first generation, in turns, that write to `log`."""
    turns = Turns(parts)
    await turns.replace({each: Lane(parts, each, 1) for each in range(partitions)})
    turns.fenced(cast("Any", log))
    turns.begin()
    log.turns = turns
    return turns


class Slice:
    """Some records of a partition, that no stage can read: each is named in the dead letter it becomes."""

    def __init__(self, first: int, count: int, partition: int = 0) -> None:
        self.value = [Stored("t.in.v1", partition, first + each, 0, b"k", b"no record", ()) for each in range(count)]
        self.message = SimpleNamespace(
            topic="t.in.v1", partition=partition, offset=first + count - 1, generation_id=1, incref=lambda: None
        )
        self.acked = False

    def ack(self) -> None:
        self.acked = True


class Log:
    """Stands in for the transactional producer: what was folded and committed, and slices that come meanwhile."""

    def __init__(self, meanwhile: list[Slice] | None = None) -> None:
        self.folded: defaultdict[int, list[int]] = defaultdict(list)
        """Partition -> offsets, as they were folded."""
        self.turns_taken: list[dict[int, int]] = []
        """Of each transaction, partition -> records of it."""
        self.positions: defaultdict[int, list[int]] = defaultdict(list)
        self.meanwhile = meanwhile or []
        self.turns: Turns | None = None

    def begin(self, _changelog: str, batches: list[tuple[int, Batch]]) -> None:
        self.turns_taken.append({partition: batch.records for partition, batch in batches})
        for partition, batch in batches:
            self.folded[partition] += [int(dict(each.headers)["x-dlq-original-offset"]) for each in batch.outputs]

    async def commit(self, _topic: str, positions: Mapping[int, int]) -> Mapping[int, int]:
        for partition, offset in positions.items():
            self.positions[partition].append(offset)
        await asyncio.sleep(0)
        if self.meanwhile and self.turns is not None:
            self.turns.submit(self.meanwhile.pop(0))
        return positions
