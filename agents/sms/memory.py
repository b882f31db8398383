"""What senders remember of calls where no idempotency key is honoured: that one was made, and the gateway's own id."""

import logging
from typing import TYPE_CHECKING, Final, Literal, Protocol

import msgspec
from msgspec import Struct
from redis.exceptions import RedisError

from agents.sms.gateway import Answer

if TYPE_CHECKING:
    from redis.asyncio import Redis

PREFIX: Final = "nivaran-sms"
"""Beside the read model, whose keys begin with `nivaran:`: that can be dropped and made anew, this cannot."""
KEPT_SECONDS: Final = 8 * 86_400
"""A day more than profiles remember an SMS id: no repeat of a call is made after that."""
AWAY: Final = (RedisError, OSError, TimeoutError)
CALLED_BEFORE: Final = Answer("unknown", "called-before")

Lapse = Literal["called-before", "memory-away", "outcome-lost", "report-id-lost"]
"""What it changed or lost. `called-before`: no second call was made; `memory-away`: no call was made without it;
`outcome-lost`: the message stays `called-before`; `report-id-lost`: its delivery report will find no message."""

logger = logging.getLogger(__name__)


class MemoryAwayError(Exception):
    """It cannot be asked, so a call could be the second one."""


class Memory(Protocol):
    """Remembers by SMS id, for every sender of the deployment."""

    async def begin(self, sms: str) -> Answer | None:
        """None: call, nobody has. Otherwise the answer to give without a call. Raises MemoryAwayError."""
        ...

    async def end(self, sms: str, answer: Answer) -> Lapse | None:
        """Remember what came of the call; what was surely not taken may be called again."""
        ...

    async def close(self) -> None: ...


class Begun(Struct, frozen=True, omit_defaults=True):
    """A call that was begun; `ref` and `accepted` once it was answered so."""

    accepted: bool = False
    ref: str = ""


def ref_key(form: str, ref: str) -> str:
    """Where the SMS id of a gateway's own id is kept."""
    return f"{PREFIX}:ref:{form}:{ref}"


class RedisMemory:
    """In Redis, which all senders and the HTTP gateway share; flushed, it has forgotten what was called."""

    def __init__(self, redis: "Redis", form: str) -> None:
        self._redis, self._form = redis, form

    async def begin(self, sms: str) -> Answer | None:
        try:
            raw = await self._redis.set(_key(sms), msgspec.json.encode(Begun()), nx=True, get=True, ex=KEPT_SECONDS)
        except AWAY as error:
            raise MemoryAwayError(type(error).__name__) from None
        if raw is None:
            return None
        assert isinstance(raw, bytes)
        before = msgspec.json.decode(raw, type=Begun)
        return Answer("accepted", "called-before", before.ref) if before.accepted else CALLED_BEFORE

    async def end(self, sms: str, answer: Answer) -> Lapse | None:
        if answer.outcome == "unknown":
            return None
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                if answer.outcome == "accepted":
                    kept = msgspec.json.encode(Begun(accepted=True, ref=answer.ref))
                    pipeline.set(_key(sms), kept, ex=KEPT_SECONDS)
                    if answer.ref:
                        pipeline.set(ref_key(self._form, answer.ref), sms, ex=KEPT_SECONDS)
                else:
                    pipeline.delete(_key(sms))
                await pipeline.execute()
        except AWAY as error:
            logger.warning("Redis is away (%s): the outcome of a call is not remembered", type(error).__name__)
            return "report-id-lost" if answer.ref else "outcome-lost"
        return None

    async def close(self) -> None:
        await self._redis.aclose()


def _key(sms: str) -> str:
    return f"{PREFIX}:called:{sms}"
