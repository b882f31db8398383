"""What is kept of one office: who holds charge since when, what was done and left undone there on which day."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from schemas.base import CaseId
from schemas.officers import Charge, OfficeEntry
from streams.calendar import Span, bounds
from streams.officers.place import located
from streams.profiles.profile import Profile

MOST_CASES: Final = 50
"""Cases named in one day's conduct, the longest overdue; the others are counted."""
NOBODY: Final = ""

Counts = tuple[int, int]
"""Actions by the officer himself, and by a delegate."""


Act = tuple[int, bool]
"""An action's own instant (UTC ms), and whether a delegate did it."""


class Blot(Struct, frozen=True, array_like=True):
    """A case past its due instant at this office from `since` until it left (None: it is still here)."""

    case: CaseId
    since: int
    until: int | None = None

    def on(self, day: Span) -> bool:
        """Whether it counts on a day: the day it fell due, and every day that it began overdue."""
        if self.since >= day.start_at:
            return self.since < day.end_at
        return self.until is None or self.until > day.start_at

    @property
    def last(self) -> int | None:
        """The last instant at which it counts."""
        return None if self.until is None else max(self.since, self.until - 1)


class Office(Struct, frozen=True, array_like=True):
    """An office. All days that end at or before `cut_to` (UTC ms) are told."""

    system: str
    office: str
    listed: bool = False
    name: str = ""
    charges: tuple[Charge, ...] = ()
    blots: tuple[Blot, ...] = ()
    acts: dict[int, dict[str, Counts]] = {}
    """Start of the local day -> officer -> actions that name him."""
    cut_to: int = 0
    vacant_acts: int = 0
    vacant_defaulters: int = 0
    unnamed: dict[int, tuple[Act, ...]] = {}
    """Start of the local day -> actions that name nobody: they count with whoever is known to have held charge."""


class Conduct(NamedTuple):
    """One officer's day at the office."""

    personal: int = 0
    delegated: int = 0
    cases: tuple[CaseId, ...] = ()


def holder(office: Office, at: int) -> str:
    """Who held charge at an instant; NOBODY where nobody did."""
    return next((charge.officer for charge in reversed(office.charges) if charge.from_at <= at), NOBODY)


def conduct(office: Office, day: Span) -> dict[str, Conduct]:
    """Every officer's day. A case overdue counts with whoever held charge when the blot began on that day."""
    cases: defaultdict[str, dict[CaseId, None]] = defaultdict(dict)
    for blot in sorted((each for each in office.blots if each.on(day)), key=lambda each: (each.since, each.case)):
        cases[holder(office, max(blot.since, day.start_at))][blot.case] = None
    acts = dict(office.acts.get(day.start_at, {}))
    for at, delegated in office.unnamed.get(day.start_at, ()):
        who = holder(office, at)
        acts[who] = counted(acts.get(who, (0, 0)), delegated=delegated)
    return {who: Conduct(*acts.get(who, (0, 0)), tuple(cases.get(who, ()))) for who in {**acts, **cases}}


def counted(counts: Counts, *, delegated: bool) -> Counts:
    """One action more."""
    personal, others = counts
    return (personal, others + 1) if delegated else (personal + 1, others)


def days(start_at: int, until: int, zone: str) -> Iterator[Span]:
    """Local days from the one that holds `start_at` on, as far as they end at or before `until`."""
    day = bounds("day", start_at, zone)
    while day.end_at <= until:
        yield day
        day = bounds("day", day.end_at, zone)


def next_day(office: Office, zone: str) -> Span | None:
    """The first day not told that has anything to tell."""
    starts = [start for start in (*office.acts, *office.unnamed) if start >= office.cut_to]
    starts += [
        max(each.since, office.cut_to) for each in office.blots if each.last is None or each.last >= office.cut_to
    ]
    return bounds("day", min(starts), zone) if starts else None


def trimmed(office: Office, first: int) -> Office:
    """Without what no day from `first` on can need."""
    in_force = max((charge.from_at for charge in office.charges if charge.from_at <= first), default=0)
    return replace(
        office,
        charges=tuple(charge for charge in office.charges if charge.from_at >= in_force),
        blots=tuple(blot for blot in office.blots if blot.last is None or blot.last >= first),
        acts={start: acts for start, acts in office.acts.items() if start >= first},
        unnamed={start: acts for start, acts in office.unnamed.items() if start >= first},
    )


def entry(office: Office, at: int, profile: Profile) -> OfficeEntry:
    """The office as the directory shows it."""
    where = located(office.system, office.office)
    post = office.office.partition(":")[0]
    return OfficeEntry(
        system=office.system,
        office=office.office,
        at=at,
        listed=office.listed,
        name=office.name,
        district=0 if where is None else where.district,
        department=post if where is None else where.department,
        unit=profile.fallback.unit if where is None else where.unit,
        scope="" if where is None else where.scope,
        charges=office.charges,
        vacant_acts=office.vacant_acts,
        vacant_defaulters=office.vacant_defaulters,
    )
