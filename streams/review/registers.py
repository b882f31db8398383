"""Lines of the registers: who was not satisfied and why, who let a due instant pass, where a case was pending."""

from collections.abc import Iterable
from typing import NamedTuple

from msgspec import Struct

from schemas import events as e
from schemas.base import DissatisfactionReason, PendencyReason, Recording


class Dissatisfaction(Struct, frozen=True, omit_defaults=True):
    """A line of the dissatisfaction register (R08). Nothing changes or removes it. Instants are UTC ms."""

    case: str
    seq: int
    at: int
    department: str
    level: int
    """The level that had disposed of the case."""
    office: str
    reason: DissatisfactionReason
    recording: Recording
    reopened: bool = False
    """The citizen came back after the case had been closed."""
    text: str | None = None
    restricted: str | None = None
    """The class of cases it is of that not everybody may see."""


def dissatisfaction(fact: e.Event, restricted: str | None = None) -> Dissatisfaction | None:
    """The line a fact adds to the register, of a case of this restricted class (None: of none); None for most."""
    match fact:
        case e.CitizenDissatisfied(reason=reason, recording=recording, text=text):
            return Dissatisfaction(
                fact.case, fact.seq, fact.at, fact.department, fact.disposed_level, fact.office, reason, recording,
                text=text, restricted=restricted,
            )  # fmt: skip
        case e.CaseReopened(reason=reason, recording=recording):
            return Dissatisfaction(
                fact.case, fact.seq, fact.at, fact.department, fact.level, fact.office, reason, recording,
                reopened=True, restricted=restricted,
            )  # fmt: skip
        case _:
            return None


class Defaulter(Struct, frozen=True, omit_defaults=True):
    """A due instant that an office let pass (R14). Disposing of the case later does not remove it from its month."""

    case: str
    due_at: int
    department: str
    level: int
    office: str
    restricted: str | None = None
    """The class of cases it is of that not everybody may see."""

    @property
    def field(self) -> str:
        """Its place in the register: what a taken-back time-out removes it by."""
        return defaulter_field(self.case, self.level, self.due_at)


def defaulter_field(case: str, level: int, due_at: int) -> str:
    return f"{case}|{level}|{due_at}"


class Reason(Struct, frozen=True, omit_defaults=True):
    """Why a case is still pending at its level, as its office says (R09)."""

    at: int
    reason: PendencyReason
    text: str | None = None


class Stay(Struct, frozen=True, omit_defaults=True):
    """A case pending at an office (R09, R13). Instants are UTC ms."""

    case: str
    seq: int
    """Of the fact that brought it there."""
    district: int
    department: str
    level: int
    office: str
    registered_at: int
    since: int
    """At this level since; a transfer between offices of a level does not start it anew."""
    from_at: int
    """At this office since."""
    due_at: int | None = None
    until: int | None = None
    """When it left; None while it is there."""
    ended_by: str = ""
    """The kind of fact that ended it: `disposed`, `escalated`, `transferred`, ..."""
    seen_at: int | None = None
    """When somebody of the office first opened it."""
    warned_at: int | None = None
    reasons: tuple[Reason, ...] = ()
    restricted: str | None = None
    """The class of cases it is of that not everybody may see."""

    @property
    def field(self) -> str:
        """Its place in the register."""
        return f"{self.case}|{self.seq}"

    def pending_at(self, at: int) -> bool:
        """Whether it was pending just before an instant: the edge of a day belongs to the day it begins."""
        return self.from_at < at and (self.until is None or self.until >= at)

    def reason_at(self, at: int) -> Reason | None:
        """The last reason given before an instant."""
        return next((each for each in reversed(self.reasons) if each.at < at), None)


class Unit(NamedTuple):
    """A unit within its system."""

    district: int
    department: str
    level: int


class Life(NamedTuple):
    """So many cases pending at a unit, registered on a local day (`2026-08-28`)."""

    unit: Unit
    registered: str
    cases: int


def pending(stays: Iterable[Stay], at: int) -> list[Stay]:
    """Those pending just before `at`, the longest at their level first."""
    return sorted((stay for stay in stays if stay.pending_at(at)), key=lambda stay: (stay.since, stay.case))
