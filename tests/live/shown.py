"""Read models filled from a log in memory: one that many tests only read, and ones of a test's own."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from redis.asyncio import Redis

from agents.readmodel.model import ReadModel
from agents.readmodel.rebuild import Stored, drop
from tests.boardlog import slices

Log = dict[tuple[str, int], list[Stored]]


async def fill(redis: Redis, prefix: str, log: Log, seed: int = 1) -> None:
    """Show the whole log under `prefix`, in slices that the seed decides."""
    model = ReadModel(redis, prefix)
    for part in slices(log, seed):
        await model.apply(part)


@contextmanager
def filled(redis_url: str, log: Log) -> Iterator[str]:
    """The prefix of a model of the whole log, for tests that change nothing in it."""
    prefix = f"shown-{uuid.uuid4().hex[:8]}"
    _run(redis_url, lambda redis: fill(redis, prefix, log))
    yield prefix
    _run(redis_url, lambda redis: drop(redis, prefix))


def _run(redis_url: str, work: Callable[[Redis], Awaitable[object]]) -> None:
    async def connected() -> None:
        async with Redis.from_url(redis_url) as client:
            await work(client)

    asyncio.run(connected())
