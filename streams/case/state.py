"""What is kept of a case between records, and when it next wants to be woken."""

import hashlib
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from schemas.base import Actor, CaseId, CaseType, Channel, Instant, Language
from streams.profiles.due import Kind
from streams.profiles.rules import Evidence

Status = Literal["expected", "open", "disposed", "closed", "recorded"]
"""`expected`: commands wait for the registration; `recorded`: no clock runs (information, suggestion)."""

REMEMBERED = 16
"""Command ids kept per case; a case takes about eight commands in its life (domain model, load)."""


class Before(Struct, frozen=True, array_like=True, gc=False):
    """Where the case was before a time-out, should its disposal have been made in time after all."""

    level: int
    office: str
    due_at: Instant
    level_at: Instant
    policy: str = ""
    breach: bool = False
    """The time-out was counted as a breach."""


class Proposal(Struct, frozen=True, array_like=True, gc=False):
    """A report or a special close that waits for a senior office."""

    kind: Literal["full", "partial", "special"]
    by: Actor
    level: int
    office: str
    """Who decides, at that level."""
    text: str
    reason: str | None = None
    talked_to_complainant: bool = False
    site_visit: bool = False
    relief: bool | None = None


class Case(Struct, frozen=True, array_like=True, gc=False):
    """A case, folded. Instants are UTC ms."""

    id: CaseId
    status: Status
    system: str = ""
    policy: str = ""
    case_type: CaseType = "complaint"
    category: str = ""
    department: str = ""
    district: int = 0
    units: dict[str, str] = {}
    citizen: str = ""
    """The citizen's token; empty while the registration is expected."""
    language: Language = "hi"
    contact: str | None = None
    """Sealed; opened only by the SMS sender."""
    seq: int = 0
    level: int = 0
    office: str = ""
    registered_at: Instant = 0
    level_at: Instant = 0
    """Since when the case is at this level."""
    due_at: Instant | None = None
    warn_at: Instant | None = None
    """When the warning falls due; None once given."""
    call_at: Instant | None = None
    """When the next feedback call falls due."""
    attempt: int = 0
    """Feedback calls since the last disposal that fell due or were made."""
    answered: bool = True
    """The outcome of that attempt has been reported."""
    reexamined: int = 0
    closed_at: Instant | None = None
    forget_at: Instant | None = None
    before: tuple[Before, ...] = ()
    """The time-outs since anybody last did something that changed the owner, oldest first."""
    seen: tuple[int, ...] = ()
    early: tuple[bytes, ...] = ()
    """Commands that wait for the registration, encoded."""
    source: str | None = None
    proposal: Proposal | None = None
    told_at: Instant | None = None
    """When the complainant was last told how the matter stands."""
    graded: bool = False
    """The last disposal has its grade."""
    disposed_level: int = 0
    """The level that made the last disposal."""
    evidence: tuple[Evidence, ...] = ()
    """What the last disposal told of."""
    channel: Channel | None = None
    """Through which it came; None while the registration is expected."""

    @property
    def kind(self) -> Kind:
        return Kind(self.case_type, self.category, self.source)


def wake_at(case: Case) -> Instant | None:
    """The instant at which something happens to this case by itself; at most one thing at a time."""
    match case.status:
        case "open":
            return case.due_at if case.warn_at is None else case.warn_at
        case "disposed":
            return case.call_at
        case "closed" | "recorded" | "expected":
            return case.forget_at


@lru_cache(maxsize=1024)  # asked for twice per command: is it known, and remember it
def fingerprint(command_id: str) -> int:
    """64 bits that stand for a command id."""
    return int.from_bytes(hashlib.blake2b(command_id.encode(), digest_size=8).digest(), "big")
