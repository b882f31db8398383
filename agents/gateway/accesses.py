"""That somebody asked to see a case of a restricted class: durable before the answer is given, or there is none."""

import asyncio
import hashlib
import hmac
import uuid
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from agents.gateway.auth import Caller
from agents.gateway.log import Entry
from agents.gateway.services import Services
from agents.gateway.writing import append, received_at
from schemas.access import AccessRead
from schemas.topics import ACCESS_READ

Way = Literal["case", "escalations", "district-board", "feedback-calls"]
Shown = Literal["shown", "status-only", "refused"]
SUBJECT_LENGTH: Final = 32
UNNAMED: Final = "unnamed"
"""The class of a case that names roles and no class."""


class Read(NamedTuple):
    """A case of a restricted class, and what a reader is answered about it."""

    case: str
    system: str
    restricted: str
    answer: Shown = "shown"


async def told(services: Services, caller: Caller, way: Way, reads: Iterable[Read]) -> None:
    """Return when all are durable; raises Problem UNAVAILABLE, and then nothing may be answered."""
    await asyncio.gather(*(_tell(services, caller, way, each) for each in reads))


async def _tell(services: Services, caller: Caller, way: Way, read: Read) -> None:
    now = received_at(services, None)
    record = AccessRead(
        id=f"acc-{uuid.uuid4().hex}",
        case=read.case,
        at=now,
        system=read.system,
        restricted=read.restricted,
        role=caller.role,
        subject=subject(services, caller),
        way=way,
        answer=read.answer,
    )
    await append(services, "access-read", Entry(ACCESS_READ, read.case, record.id, record, now, now))


def subject(services: Services, caller: Caller) -> str:
    """Stands for the reader: of a signed token its issuer and `sub`, of another the token; keyed, so nobody guesses."""
    secret = services.identity.citizen_key
    return hmac.new(secret, f"reader\x00{caller.digest}".encode(), hashlib.sha256).hexdigest()[:SUBJECT_LENGTH]
