"""What is kept of an officer between records, and when something happens to him by itself."""

from typing import Final, Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from schemas.base import CaseId
from schemas.officers import Flag, IdStatus
from streams.calendar import bounds
from streams.profiles.profile import Profile

REMEMBERED: Final = 16
"""Ids kept per officer of what is told of him, logins and minutes apart: those are kept with their day."""
MOST_IN_A_DAY: Final = 500
"""Logins and reports of minutes of one officer and day: a portal that tells more of one person is at fault."""
MOST_TICKETS: Final = 50


class DayTally(Struct, frozen=True, array_like=True):
    """One local day, [start_at, end_at). `flags` and `told_login_at` are as last told; None: not told yet."""

    start_at: int
    end_at: int
    logins: int = 0
    minutes: int = 0
    last_login_at: int | None = None
    seen: tuple[int, ...] = ()
    flags: tuple[Flag, ...] | None = None
    told_login_at: int | None = None


class Proposal(Struct, frozen=True, array_like=True):
    """A step proposed, and the defaulter's days it rests on."""

    preset: str
    step: str
    days: tuple[str, ...]


class Ticket(Struct, frozen=True, array_like=True):
    """An open ticket. `due_at`: when the desk's time, or the officer's, is over; None: it is overdue."""

    category: str
    status: Literal["open", "answered"]
    due_at: int | None


class Officer(Struct, frozen=True, array_like=True):
    """An officer, folded. Instants are UTC ms."""

    system: str
    officer: str
    status: IdStatus = "listed"
    office: str = ""
    designation: str = ""
    seq: int = 0
    generated_at: int | None = None
    logged_in: bool = False
    """Ever."""
    earlier_login_at: int | None = None
    """The last login before the days that are kept."""
    cut_to: int = 0
    """All days that end at or before it are told."""
    days: tuple[DayTally, ...] = ()
    """Those not told, and those that may still be revised; in order."""
    defaulted: dict[str, dict[str, tuple[CaseId, ...]]] = {}
    """Local day -> office -> cases: the days on which he was a defaulter."""
    proposals: tuple[Proposal, ...] = ()
    highest: int = 0
    """Steps of the ladder taken so far: the number of the highest, from 1."""
    tickets: dict[str, Ticket] = {}
    seen: tuple[int, ...] = ()


class Due(NamedTuple):
    """Something that happens by itself: the end of a day (`ticket` None), or of a ticket's time."""

    at: int
    ticket: str | None = None


def next_due(officer: Officer, profile: Profile) -> Due | None:
    """The first of them."""
    dues = [Due(ticket.due_at, name) for name, ticket in officer.tickets.items() if ticket.due_at is not None]
    if officer.status == "generated":
        end = bounds("day", officer.cut_to, profile.zone).end_at
        dues.append(Due(end + profile.windows.lateness_ms))
    return min(dues, key=lambda due: (due.at, due.ticket or ""), default=None)


def put_day(officer: Officer, day: DayTally) -> Officer:
    """With this day in its place."""
    others = [each for each in officer.days if each.start_at != day.start_at]
    return replace(officer, days=tuple(sorted([*others, day], key=lambda each: each.start_at)))


def day_of(officer: Officer, at: int, zone: str) -> DayTally:
    """The day that holds an instant, as far as it is known."""
    span = bounds("day", at, zone)
    return next((each for each in officer.days if each.start_at == span.start_at), DayTally(*span))
