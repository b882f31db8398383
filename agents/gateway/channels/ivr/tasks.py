"""Calls to return and recordings told of, in Redis: the call centre's work list, no part of any case.

Redis' own durability is theirs: a case begins when the citizen is reached, and what is lost here stands in the
provider's call log. One task per person, however often he called.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct

from agents.gateway.calling import opened
from agents.gateway.problems import Kind, Problem
from agents.gateway.remembering import PREFIX
from agents.gateway.services import Services
from agents.gateway.unavailable import RETRY_UNAVAILABLE
from schemas.base import Recording
from streams.ids import citizen_token, digest, normal_mobile

DAY_SECONDS: Final = 86_400
SEALED_FOR: Final = "call-back"
# a call is counted once: seen, task (first call, sealed number), how many calls, last call, all or nothing
MISSED: Final = """
if not redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[1]) then return 0 end
redis.call('HSETNX', KEYS[2], ARGV[2], ARGV[3])
redis.call('HINCRBY', KEYS[3], ARGV[2], 1)
redis.call('ZADD', KEYS[4], 'GT', ARGV[4], ARGV[2])
return 1
"""
DONE: Final = """
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
return redis.call('HDEL', KEYS[1], ARGV[1])
"""


class Task(Struct, frozen=True):
    """A person to be called back: when he first called since he last was (UTC ms), and his number, sealed."""

    first_at: int
    contact: str


class CallBack(Struct, frozen=True):
    """A call to return. Instants are UTC ms."""

    id: str
    mobile: str
    first_at: int
    last_at: int
    calls: int


class Tasks:
    """Raises Problem UNAVAILABLE while Redis is away: what it could not keep it does not take."""

    def __init__(self, services: Services, system: str, days: int) -> None:
        self._services, self._seconds = services, days * DAY_SECONDS
        base = f"{PREFIX}:call-backs:{system}"
        self._tasks, self._counts, self._last = f"{base}:tasks", f"{base}:calls", f"{base}:last"
        self._system = system

    async def missed(self, call: str, caller: str, at: int) -> bool:
        """Note a call that nobody answered; False where it was noted before."""
        identity = self._services.identity
        name = f"cb-{digest(self._system, citizen_token(identity.citizen_key, caller), length=24)}"
        task = Task(at, identity.contacts.seal(normal_mobile(caller), name, SEALED_FOR))
        seen = f"{PREFIX}:call:{digest(self._system, call, length=32)}"
        keys = (seen, self._tasks, self._counts, self._last)
        told = await self._ask("EVAL", MISSED, 4, *keys, self._seconds, name, msgspec.json.encode(task), at)
        return bool(told)

    async def due(self) -> list[CallBack]:
        """Calls to return, who has waited longest first."""
        tasks, counts = await self._ask("HGETALL", self._tasks), await self._ask("HGETALL", self._counts)
        last = dict(await self._ask("ZRANGE", self._last, 0, -1, "WITHSCORES"))
        rows = [
            self._call_back(name, msgspec.json.decode(raw, type=Task), int(counts.get(name, 1)), last.get(name))
            for name, raw in tasks.items()
        ]
        return sorted(rows, key=lambda row: (row.first_at, row.id))

    async def done(self, name: str) -> bool:
        """Somebody has called back; False where there is no such task (any more)."""
        return bool(await self._ask("EVAL", DONE, 3, self._tasks, self._counts, self._last, name))

    async def keep(self, call: str, recording: Recording) -> None:
        """Keep what is known of a call's recording, so that an action can cite it."""
        await self._ask("SET", self._recording(call), msgspec.json.encode(recording), "EX", self._seconds)

    async def recording(self, call: str) -> Recording | None:
        raw = await self._ask("GET", self._recording(call))
        return None if raw is None else msgspec.json.decode(raw, type=Recording)

    def _recording(self, call: str) -> str:
        return f"{PREFIX}:recording:{digest(self._system, call, length=32)}"

    def _call_back(self, raw: bytes, task: Task, calls: int, last: float | None) -> CallBack:
        name = raw.decode()
        mobile = opened(self._services, task.contact, name, SEALED_FOR)
        return CallBack(name, mobile, task.first_at, round(last or task.first_at), calls)

    async def _ask(self, *command: Any) -> Any:
        answer = await self._services.redis.ask("call-back", *command)
        if self._services.redis.away:
            raise Problem(Kind.UNAVAILABLE, "Redis is away: nothing was taken", retry_after=RETRY_UNAVAILABLE)
        return answer
