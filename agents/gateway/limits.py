"""Rate limits per source: a token bucket in Redis for all gateways together, in this process when Redis is away."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from agents.gateway.remembering import PREFIX, Redislike

LOCAL_SOURCES: Final = 10_000
MICRO: Final = 1_000_000
# The bucket as one number, the instant at which it is full again (generic cell rate algorithm). `%.0f`: Lua's own
# conversion of a number this big to text would lose its last digits.
SCRIPT: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now) + ARGV[1]
local wait = full - ARGV[2] - now
if wait > 0 then return wait end
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000) + 1)
return 0
"""


class Buckets:
    """Asks whether a source may make one more request."""

    def __init__(
        self, redis: Redislike, *, rate: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._redis, self._rate, self._clock = redis, rate, clock
        self._step = MICRO / rate if rate else 0.0
        self._depth = self._step * burst
        self._local: OrderedDict[str, float] = OrderedDict()

    async def wait(self, source: str) -> int:
        """0: go on; else the whole seconds after which to try again."""
        if not self._rate:
            return 0
        key = f"{PREFIX}:rate:{source}"
        asked = await self._redis.ask("rate", "EVAL", SCRIPT, 1, key, round(self._step), round(self._depth))
        micros = self._ask_local(source) if asked is None else asked
        return math.ceil(micros / MICRO)

    def _ask_local(self, source: str) -> float:
        now = self._clock() * MICRO
        full = max(self._local.pop(source, now), now) + self._step
        wait = full - self._depth - now
        if wait <= 0:
            self._local[source] = full
            while len(self._local) > LOCAL_SOURCES:
                self._local.popitem(last=False)
            return 0.0
        self._local[source] = full - self._step
        return wait
