"""Where the registers are read from: Redis, or the same fold of a log in memory."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from agents.readmodel.keys import PREFIX, Keys


class Source(Protocol):
    """A read model, as far as registers, windows and packs need it."""

    @property
    def keys(self) -> Keys: ...

    async def hashes(self, names: Sequence[str]) -> list[Mapping[str, bytes]]:
        """The contents of hashes, each in full; empty where there is none."""
        ...

    async def members(self, name: str) -> list[str]:
        """Members of a set or a sorted set, in alphabetical order."""
        ...

    async def latest(self, name: str, since: int, until: int) -> list[str]:
        """Members of a sorted set with scores from `since` to `until`, both included, by falling score."""
        ...

    async def values(self, names: Sequence[str]) -> list[bytes | None]:
        """The values of keys; None where there is none."""
        ...


class RedisSource:
    """The read model in Redis; raises redis' errors."""

    def __init__(self, redis: Any, prefix: str = PREFIX) -> None:
        self._redis, self.keys = redis, Keys(prefix)

    async def hashes(self, names: Sequence[str]) -> list[Mapping[str, bytes]]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.hgetall(name)
            held = await pipe.execute()
        return [{field.decode(): value for field, value in each.items()} for each in held]

    async def members(self, name: str) -> list[str]:
        kind = (await self._redis.type(name)).decode()
        if kind == "zset":
            return sorted(each.decode() for each in await self._redis.zrange(name, 0, -1))
        return sorted(each.decode() for each in await self._redis.smembers(name))

    async def latest(self, name: str, since: int, until: int) -> list[str]:
        found = await self._redis.zrange(name, until, since, desc=True, byscore=True)
        return [each.decode() for each in found]

    async def values(self, names: Sequence[str]) -> list[bytes | None]:
        return list(await self._redis.mget(names)) if names else []
