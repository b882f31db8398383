"""A district's live board (R12): departments, levels and ages, today's counts, defaulters, who has not looked."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec import Struct

from streams.profiles.profile import DAY_MS, Name
from streams.review.registers import Defaulter, Stay

AGES_DAYS: Final = (1, 3, 7, 15, 30)
"""Upper bounds of the age classes, in days at the level; the last class is open."""
SOON_MS: Final = DAY_MS
"""What falls due within this time is named, so that it need not become a defaulter."""
Counts = Mapping[tuple[str, int], Mapping[str, int]]
"""Department and level -> measure -> count."""


class Row(Struct, frozen=True):
    """One department at one level. `today` are the counts of the day so far, by measure."""

    department: str
    name: Name
    level: int
    pending: int
    ages: tuple[int, ...]
    """Pending cases by age class of AGES_DAYS, youngest first, one class more than bounds."""
    oldest_since: int | None
    """UTC ms; None while nothing is pending."""
    due_soon: int
    """Will be defaulters within a day."""
    overdue: int
    """Past their due instant and still there: the last level keeps them."""
    unseen: int
    """Nobody of the office has opened them."""
    received: int
    disposed: int
    defaulters: int
    today: Mapping[str, int]


class NotLooked(Struct, frozen=True):
    """An office with cases that nobody of it has opened."""

    office: str
    department: str
    level: int
    unseen: int
    pending: int
    waiting_since: int
    """Since when the first of them waits, UTC ms."""


class Blot(Struct, frozen=True):
    """A due instant let pass today."""

    case: str | None
    """None where the case is of a class that the reader may not see."""
    department: str
    level: int
    office: str
    due_at: int
    restricted: str | None = None
    """The class of a case whose number is shown though not everybody may see it."""


class DistrictBoard(Struct, frozen=True):
    """One system's cases in one district at an instant."""

    system: str
    district: int
    name: Name
    at: int
    """When it was looked at, UTC ms."""
    day: str
    ages_days: tuple[int, ...]
    rows: tuple[Row, ...]
    pending: int
    received: int
    disposed: int
    due_soon: int
    defaulters_today: tuple[Blot, ...]
    defaulters_month: int
    """Due instants let pass this month; disposing of a case does not lower it."""
    not_looked: tuple[NotLooked, ...]


def district_board(
    system: str,
    district: int,
    names: Mapping[str, Name],
    name: Name,
    at: int,
    day: str,
    day_start_at: int,
    stays: Iterable[Stay],
    today: Counts,
    defaulters: Iterable[Defaulter],
    visible: Callable[[str | None], bool],
) -> DistrictBoard:
    """The board at an instant, from what is pending, the day's counts and the month's defaulters.

    `visible` answers whether the reader may see cases of a restricted class (None: of none).
    """
    units: defaultdict[tuple[str, int], list[Stay]] = defaultdict(list)
    for stay in stays:
        units[stay.department, stay.level].append(stay)
    rows = tuple(
        _row(unit, names, at, units.get(unit, []), today.get(unit, {})) for unit in sorted(units.keys() | today.keys())
    )
    month = list(defaulters)
    blots = tuple(_blot(line, shown=visible(line.restricted)) for line in month if line.due_at >= day_start_at)
    return DistrictBoard(
        system,
        district,
        name,
        at,
        day,
        AGES_DAYS,
        rows,
        pending=sum(row.pending for row in rows),
        received=sum(row.received for row in rows),
        disposed=sum(row.disposed for row in rows),
        due_soon=sum(row.due_soon for row in rows),
        defaulters_today=blots,
        defaulters_month=len(month),
        not_looked=tuple(_not_looked(stay for each in units.values() for stay in each)),
    )


def _blot(line: Defaulter, *, shown: bool) -> Blot:
    where = line.department, line.level, line.office, line.due_at
    return Blot(line.case, *where, line.restricted) if shown else Blot(None, *where)


def _row(unit: tuple[str, int], names: Mapping[str, Name], at: int, stays: list[Stay], today: Mapping[str, int]) -> Row:
    department, level = unit
    ages = [0] * (len(AGES_DAYS) + 1)
    for stay in stays:
        ages[_age_class(at - stay.since)] += 1
    return Row(
        department,
        names.get(department, Name(department, department)),
        level,
        len(stays),
        tuple(ages),
        min((stay.since for stay in stays), default=None),
        sum(stay.due_at is not None and at < stay.due_at <= at + SOON_MS for stay in stays),
        sum(stay.due_at is not None and stay.due_at <= at for stay in stays),
        sum(stay.seen_at is None for stay in stays),
        today.get("received", 0) + today.get("returned", 0),
        today.get("disposed", 0),
        today.get("defaulters", 0),
        today,
    )


def _age_class(age_ms: int) -> int:
    return next((place for place, days in enumerate(AGES_DAYS) if age_ms < days * DAY_MS), len(AGES_DAYS))


def _not_looked(stays: Iterable[Stay]) -> list[NotLooked]:
    """Offices, those with the most unopened cases first."""
    offices: defaultdict[tuple[str, str, int], list[Stay]] = defaultdict(list)
    for stay in stays:
        offices[stay.office, stay.department, stay.level].append(stay)
    found = []
    for (office, department, level), held in offices.items():
        unopened = [stay for stay in held if stay.seen_at is None]
        if unopened:
            first = min(stay.from_at for stay in unopened)
            found.append(NotLooked(office, department, level, len(unopened), len(held), first))
    return sorted(found, key=lambda each: (-each.unseen, each.waiting_since, each.office))
