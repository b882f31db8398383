"""Keeps talks in Redis for some hours: sealed, by a keyed hash of the number, changed only from what was read."""

import hmac
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from msgspec import Struct

from agents.contact import SealError
from agents.gateway.problems import Kind, Problem
from agents.gateway.remembering import PREFIX
from agents.gateway.services import Services
from agents.gateway.unavailable import RETRY_UNAVAILABLE
from schemas.codec import decoder, encode
from streams.dialogue.said import Reply
from streams.dialogue.talk import Talk
from streams.ids import digest, normal_mobile

REMEMBERED: Final = 32
"""Messages of a person whose repeats are known: Meta repeats a POST for days, the newest of it within minutes."""
MOST_OWED: Final = 8
SEALED_FOR: Final = "whatsapp-talk"
# from what was read (empty: nothing) to the new value; 0 where another has changed it since
SCRIPT: Final = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""


class Kept(Struct, frozen=True, omit_defaults=True):
    """A talk, the last messages that moved it, and what is still owed as the answer to the last one."""

    talk: Talk | None = None
    seen: tuple[str, ...] = ()
    owed: tuple[Reply, ...] = ()
    owed_for: str = ""

    def knows(self, message: str) -> bool:
        return short(message) in self.seen

    def owes(self, message: str) -> bool:
        return bool(self.owed) and self.owed_for == short(message)

    def moved(self, talk: Talk, message: str, replies: tuple[Reply, ...]) -> "Kept":
        """What an earlier answer still owes goes with this one: it may hold a case number."""
        seen = (*self.seen, short(message))[-REMEMBERED:]
        return Kept(talk, seen, (*self.owed, *replies)[-MOST_OWED:], short(message))

    def paid(self) -> "Kept":
        return Kept(self.talk, self.seen)


class Read(NamedTuple):
    """What is kept of a person, and the bytes it was read from."""

    kept: Kept
    raw: bytes


_decode: Final[Callable[[bytes], Kept]] = decoder(Kept)


def short(message: str) -> str:
    """A message's id is long, and holds the number it came from."""
    return digest(message)


class Talks:
    """Raises Problem UNAVAILABLE while Redis is away: a talk without memory would take an answer for a question."""

    def __init__(self, services: Services, hours: int) -> None:
        self._services, self._seconds = services, hours * 3600

    def name(self, number: str) -> str:
        """A person's key."""
        keyed = f"{SEALED_FOR}\x00{normal_mobile(number)}".encode()
        return f"{PREFIX}:talk:{hmac.digest(self._services.identity.citizen_key, keyed, 'sha256').hex()[:32]}"

    async def read(self, name: str) -> Read:
        raw = await self._ask("GET", name)
        if raw is None:
            return Read(Kept(), b"")
        try:
            text = self._services.identity.contacts.open_sealed(raw.decode(), name, SEALED_FOR)
        except SealError:  # of a key that is gone: the talk begins anew
            return Read(Kept(), raw)
        return Read(_decode(text.encode()), raw)

    async def write(self, name: str, before: Read, kept: Kept) -> Read | None:
        """None: another message of the same person has come between; read again."""
        sealed = self._services.identity.contacts.seal(encode(kept).decode(), name, SEALED_FOR).encode()
        done = await self._ask("EVAL", SCRIPT, 1, name, before.raw, sealed, self._seconds)
        return Read(kept, sealed) if done else None

    async def _ask(self, *command: Any) -> Any:
        answer = await self._services.redis.ask("dialogue", *command)
        if self._services.redis.away:
            raise Problem(Kind.UNAVAILABLE, "Redis is away: no talk is known", retry_after=RETRY_UNAVAILABLE)
        return answer
