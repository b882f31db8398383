"""When a level's time is over: days by category, source or type of the case, counted as the profile's clock says."""

from datetime import date, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from schemas.base import CaseType, Slug
from streams.calendar import at_time_of, bounds, day_key
from streams.profiles.profile import Profile
from streams.profiles.rules import DAY_MS

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Kind(NamedTuple):
    """What the days of a case may depend on."""

    case_type: CaseType
    category: Slug
    source: Slug | None = None


def days_of(profile: Profile, level: int, kind: Kind) -> int:
    """Days of a level: those of the category, else of the intake source, else of the case type, else its own."""
    category = profile.categories.get(kind.category)
    if category is not None and category.days:
        return category.days[level - 1]
    source = profile.intake_sources.get(kind.source) if kind.source is not None else None
    if source is not None and source.days:
        return source.days[level - 1]
    days = profile.type_days.get(kind.case_type)
    return profile.levels[level - 1].days if days is None else days[level - 1]


def due_at(profile: Profile, level: int, kind: Kind, at: int) -> int:
    """The due instant (UTC ms) of a level that begins at `at`; raises ValueError beyond the calendar."""
    days = days_of(profile, level, kind)
    if profile.clock.days == "calendar" and profile.clock.due == "same-time":
        return at + days * DAY_MS
    day = date.fromisoformat(day_key(at, profile.zone))
    last = _working(day, days, _off(profile)) if profile.clock.days == "working" else day + timedelta(days)
    then = at_time_of(at, last, profile.zone)
    return then if profile.clock.due == "same-time" else bounds("day", then, profile.zone).end_at - 1


class Off(NamedTuple):
    """Days on which no office works: weekdays as 0 (Monday) to 6, and dates."""

    weekdays: frozenset[int]
    dates: frozenset[date]


@lru_cache(maxsize=64)
def _off_of(weekly: tuple[str, ...], holidays: tuple[str, ...]) -> Off:
    return Off(frozenset(map(WEEKDAYS.index, weekly)), frozenset(map(date.fromisoformat, holidays)))


def _off(profile: Profile) -> Off:
    return _off_of(profile.clock.weekly_off, tuple(profile.holidays))


@lru_cache(maxsize=4096)
def _working(day: date, days: int, off: Off) -> date:
    """The `days`-th working day after `day`."""
    while days:
        day += timedelta(days=1)
        days -= day.weekday() not in off.weekdays and day not in off.dates
    return day
