"""Applies slices to Redis: its changes and the position it reaches are one transaction, so a repeat does nothing."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import WatchError

from agents.readmodel.folding import FOLDS
from agents.readmodel.keys import PREFIX, Keys
from agents.readmodel.slices import Fold, Found, Parsed, Reads, parse
from agents.readmodel.writes import Writes
from agents.runtime.ports import Received, Slice

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import Pipeline

ANSWER_S: Final = 30.0
"""Redis has this long for everything a slice asks of it, or for one question."""
TRIES: Final = 100
"""Transactions in a row that another writer may spoil; two writers of a partition overlap for a moment at most."""


class ViewLostError(RuntimeError):
    """Redis holds less than this process had written: it was flushed, or restarted without its data."""


class ReadModel:
    """The writing side. `unreadable` counts the records that could not be shown.

    It limits its waits by itself: a client that limits each reply spends more on that than on the reply. Raises
    TimeoutError and redis' errors.
    """

    def __init__(self, redis: "Redis", prefix: str = PREFIX) -> None:
        self.redis, self.keys = redis, Keys(prefix)
        self.unreadable = 0

    async def position(self, topic: str, partition: int) -> int:
        """The next offset to apply; 0 when nothing was."""
        async with asyncio.timeout(ANSWER_S):
            return int(await self.redis.get(self.keys.position(topic, partition)) or 0)

    async def of(self, cluster: str) -> bool:
        """Whether it shows the log of this Kafka cluster; an empty one is taken for it."""
        async with asyncio.timeout(ANSWER_S):
            await self.redis.set(self.keys.log(), cluster, nx=True)
            return bool(await self.redis.get(self.keys.log()) == cluster.encode())

    async def apply(self, records: Slice, at_least: int = 0) -> int:
        """Show what is new in a slice; answers the position reached.

        `at_least` is a position known to have been reached: raises ViewLostError when Redis has lost it.
        """
        for _ in range(TRIES):
            try:
                async with asyncio.timeout(ANSWER_S):
                    return await self._once(records, at_least)
            except WatchError:
                continue  # another worker still had the partition: look again how far it came
        raise RuntimeError(f"{records.topic}/{records.partition}: another writer does not let go of it")

    async def _once(self, records: Slice, at_least: int) -> int:
        place = self.keys.position(records.topic, records.partition)
        async with self.redis.pipeline(transaction=True) as pipe:
            await pipe.watch(place)
            stored = int(await pipe.get(place) or 0)
            if stored < at_least:
                raise ViewLostError(f"{place} stands at {stored}, it had reached {at_least}")
            new = [record for record in records.records if record.offset >= stored]
            if not new:
                return stored
            return await self._write(pipe, place, records.topic, new)

    async def _write(self, pipe: "Pipeline", place: str, topic: str, new: Sequence[Received]) -> int:
        decode, fold = FOLDS[topic]
        parsed, unreadable = parse(decode, new)
        writes = await self._folded(pipe, fold, parsed)
        reached = new[-1].offset + 1
        writes.values[place] = str(reached).encode()
        pipe.multi()  # type: ignore[no-untyped-call] # redis-py leaves this one method without annotations
        writes.queue(pipe)
        await pipe.execute()
        self.unreadable += unreadable
        return reached

    async def _folded(self, pipe: "Pipeline", fold: Fold, parsed: Sequence[Parsed]) -> Writes:
        found = await read(pipe, fold.reads(parsed, self.keys))
        writes = Writes()
        fold.writes(parsed, self.keys, found, writes)
        return writes


async def read(pipe: Any, wanted: Reads) -> Found:
    """Read within a watched pipeline, which carries out each command at once."""
    values = await pipe.mget(wanted.values) if wanted.values else []
    fields: dict[tuple[str, str], bytes] = {}
    for key, names in wanted.fields.items():
        held = await pipe.hmget(key, names)
        fields.update({(key, name): raw for name, raw in zip(names, held, strict=True) if raw is not None})
    ranges = {key: await pipe.zrange(key, 0, -1) for key in wanted.ranges}
    return Found({key: raw for key, raw in zip(wanted.values, values, strict=True) if raw is not None}, fields, ranges)
