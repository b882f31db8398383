"""What the gateway keeps in Redis: answers by Idempotency-Key, cases just accepted; without Redis intake goes on."""

import asyncio
import hashlib
import hmac
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
from msgspec import Struct
from redis.exceptions import RedisError

from schemas.codec import decoder

if TYPE_CHECKING:
    from redis.asyncio import Redis

PREFIX: Final = "nivaran-gateway"
"""Beside the read model, whose keys begin with `nivaran:`: that can be dropped and made anew, this cannot."""
PAUSE_SECONDS: Final = 1.0
ACCEPTED_SECONDS: Final = 7 * 86_400
FINGERPRINT_HEX: Final = 32
AWAY: Final = (RedisError, OSError, TimeoutError)

logger = logging.getLogger(__name__)


class Answer(Struct, frozen=True):
    """A 202's body, as it was given."""

    case: str
    status_url: str
    id: str


class Kept(Struct, frozen=True, omit_defaults=True):
    """An Idempotency-Key's entry: the fingerprint of the body, and the answer once there is one."""

    fingerprint: str
    answer: Answer | None = None


class Accepted(Struct, frozen=True):
    """A case id given out whose case the board may not show yet."""

    case: str
    system: str
    at: int


Use = Literal["idempotency", "accepted", "rate", "dialogue", "call-back", "sms-report"]
"""What Redis is asked for."""


class Redislike:
    """Redis that may be away: a command that fails is counted, and for a second no further one is tried.

    Commands given while others are under way leave together, so that a busy gateway makes few round trips.
    """

    def __init__(self, redis: "Redis", on_away: Callable[[Use], None]) -> None:
        self._redis, self._on_away = redis, on_away
        # SET with GET answers the value before; the client reads it so for its own method `set` only
        redis.set_response_callback("SET", _as_it_is)
        self._again_at = 0.0
        self.failed = False
        """The last command that was tried had no answer."""
        self._waiting: list[tuple[asyncio.Future[Any], tuple[Any, ...]]] = []
        self._sender: asyncio.Task[None] | None = None

    @property
    def away(self) -> bool:
        return time.monotonic() < self._again_at

    async def ask(self, use: Use, *command: Any) -> Any:
        """The answer, or None when Redis is away."""
        if self.away:
            self._on_away(use)
            return None
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((answer, command))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send(), name="redis-batches")
        try:
            told = await answer
        except AWAY as error:
            self.failed = True
            self._again_at = time.monotonic() + PAUSE_SECONDS
            self._on_away(use)
            logger.warning("Redis is away (%s): %s goes on without it", type(error).__name__, use)
            return None
        self.failed = False
        return told

    async def _send(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            pipeline = self._redis.pipeline(transaction=False)
            for _, command in batch:
                # without it the client's own reading of SET makes a truth value of what GET answers
                options = {"get": True} if "GET" in command[1:] else {}
                pipeline.execute_command(*command, **options)
            try:
                answers = await pipeline.execute(raise_on_error=False)
            except AWAY as error:
                answers = [error] * len(batch)
            for (waiting, _), answer in zip(batch, answers, strict=True):
                if waiting.done():  # who asked has gone
                    continue
                if isinstance(answer, Exception):
                    waiting.set_exception(answer)
                else:
                    waiting.set_result(answer)


def _as_it_is(response: Any, **_options: Any) -> Any:
    return response


Begun = Literal["first", "in-flight", "reused"]


class IdempotencyKeys:
    """Fingerprints and answers by key (SET NX EX), as in the Idempotency-Key draft."""

    def __init__(self, redis: Redislike, secret: bytes, *, pending_seconds: int, kept_seconds: int) -> None:
        self._redis, self._secret = redis, secret
        self._pending, self._kept = pending_seconds, kept_seconds
        self._decode: Callable[[bytes], Kept] = decoder(Kept)

    def fingerprint(self, body: object) -> str:
        """Keyed hash of the body, whatever the order of its fields: a bare hash would let its numbers be guessed."""
        canonical = msgspec.json.encode(body, order="sorted")
        return hmac.digest(self._secret, canonical, "sha256").hex()[:FINGERPRINT_HEX]

    async def begin(self, scope: str, key: str, fingerprint: str) -> Begun | Answer:
        """Take the key for this request, or say what became of the one that had it."""
        name = self._name(scope, key)
        value = msgspec.json.encode(Kept(fingerprint))
        raw = await self._redis.ask("idempotency", "SET", name, value, "NX", "GET", "EX", self._pending)
        if raw is None:
            return "first"
        before = self._decode(raw)
        if before.fingerprint != fingerprint:
            return "reused"
        return before.answer or "in-flight"

    async def done(self, scope: str, key: str, fingerprint: str, answer: Answer, accepted: Accepted | None) -> None:
        """Keep the answer, and that the case was accepted."""
        kept = msgspec.json.encode(Kept(fingerprint, answer))
        commands = [("SET", self._name(scope, key), kept, "EX", self._kept)]
        if accepted is not None:
            commands.append(("SET", _accepted(accepted.case), msgspec.json.encode(accepted), "EX", ACCEPTED_SECONDS))
        await asyncio.gather(*(self._redis.ask("idempotency", *command) for command in commands))

    async def release(self, scope: str, key: str) -> None:
        """Nothing was accepted: the next request with this key is the first again."""
        await self._redis.ask("idempotency", "DEL", self._name(scope, key))

    async def accepted(self, case: str) -> Accepted | None:
        """That this case id was given out, if it was lately."""
        raw = await self._redis.ask("accepted", "GET", _accepted(case))
        return None if raw is None else msgspec.json.decode(raw, type=Accepted)

    @staticmethod
    def _name(scope: str, key: str) -> str:
        joined = f"{scope}\x00{key}".encode()
        return f"{PREFIX}:key:{hashlib.sha256(joined).hexdigest()}"


def _accepted(case: str) -> str:
    return f"{PREFIX}:accepted:{case}"
