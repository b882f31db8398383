"""Hours, days and months of a time zone as half-open spans of UTC instants; exact where clocks change."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from schemas.sla import Grain

HOUR_MS: Final = 3_600_000
EARLIEST: Final = 31_536_000_000
"""First instant of 1971 (UTC): from here on no span of any zone begins before the epoch."""
LATEST: Final = 221_845_392_000_000
"""First instant of the year 9000 (UTC): later ones are no calendar matter; the functions here raise ValueError."""
# Edges of hours lie on quarters of an hour in every zone in use, so one entry serves a quarter; odd ones are computed.
_QUARTER: Final = 900_000
_CACHED: Final = 65_536
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class Span(NamedTuple):
    """From `start_at` (inclusive) to `end_at` (exclusive), UTC ms."""

    start_at: int
    end_at: int


def bounds(grain: Grain, at: int, zone: str) -> Span:
    """The local hour, day or month of `zone` that holds the instant `at`.

    Spans of a grain neither overlap nor leave a gap, hours lie within days and days within months. An hour that a clock
    change repeats is two spans; a day has 23 or 25 hours then. Raises ValueError for instants outside 1970 to 8999.
    """
    found = _near(grain, zone, at // _QUARTER)
    return found if found.start_at <= at < found.end_at else _computed(grain, at, zone)


@lru_cache(maxsize=_CACHED)
def _near(grain: Grain, zone: str, quarter: int) -> Span:
    return _computed(grain, quarter * _QUARTER, zone)


def _computed(grain: Grain, at: int, zone: str) -> Span:
    if not 0 <= at < LATEST:
        raise ValueError(f"instant {at} lies outside the calendar (1970 to 8999)")
    match grain:
        case "hour":
            return _hour(at, _zone(zone))
        case "day":
            return _between(at, _zone(zone), lambda day: day, lambda day: day + timedelta(days=1))
        case "month":
            return _between(at, _zone(zone), _first_of_month, lambda day: _first_of_month(day + timedelta(days=31)))


def _hour(at: int, zone: ZoneInfo) -> Span:
    offset = _offset(at, zone)
    start = (at + offset) // HOUR_MS * HOUR_MS - offset
    end = start + HOUR_MS
    if _offset(start, zone) != offset:
        start = _change(start, at, zone)
    if _offset(end - 1, zone) != offset:
        end = _change(at, end - 1, zone)
    return Span(start, end)


def _change(before: int, after: int, zone: ZoneInfo) -> int:
    """The instant between the two at which the zone's offset becomes that of `after`."""
    later = _offset(after, zone)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (before, middle) if _offset(middle, zone) == later else (middle, after)
    return after


def _between(at: int, zone: ZoneInfo, first: Callable[[date], date], following: Callable[[date], date]) -> Span:
    day = first(_local(at, zone).date())
    start, end = _midnight(day, zone), _midnight(following(day), zone)
    # a clock put back across midnight shows the old date again: that hour stays with the day that had begun
    if at >= end:
        start, end = end, _midnight(following(following(day)), zone)
    elif at < start:
        start, end = _midnight(first(day - timedelta(days=1)), zone), start
    return Span(start, end)


def _midnight(day: date, zone: ZoneInfo) -> int:
    """The first instant of a date; where a clock change skips midnight, the instant of the change."""
    return (datetime(day.year, day.month, day.day, tzinfo=zone) - _EPOCH) // _MILLISECOND


def _first_of_month(day: date) -> date:
    return day.replace(day=1)


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _local(at: int, zone: ZoneInfo) -> datetime:
    return (_EPOCH + timedelta(milliseconds=at)).astimezone(zone)


def _offset(at: int, zone: ZoneInfo) -> int:
    offset = _local(at, zone).utcoffset()
    assert offset is not None
    return offset // _MILLISECOND


def day_key(at: int, zone: str) -> str:
    """The local date of an instant as `2026-08-28`: names the day whose `bounds` hold it."""
    return _date(bounds("day", at, zone).start_at, zone).isoformat()


def month_key(at: int, zone: str) -> str:
    """The local month of an instant as `2026-08`."""
    return day_key(at, zone)[:7]


def date_text(at: int, zone: str) -> str:
    """The local date of an instant as people in India write it: `28/08/2026`."""
    return _date(bounds("day", at, zone).start_at, zone).strftime("%d/%m/%Y")


def at_time_of(at: int, day: date, zone: str) -> int:
    """The instant on `day` with the local time of day of `at`; where a clock change skips it, as much later."""
    local = _local(at, _zone(zone))
    moved = datetime.combine(day, local.time(), tzinfo=_zone(zone))
    return (moved - _EPOCH) // _MILLISECOND


def midnight(day: str, zone: str) -> int:
    """The first instant of a local date `2026-08-28`; raises ValueError for what is no date."""
    return _midnight(date.fromisoformat(day), _zone(zone))


@lru_cache(maxsize=_CACHED)
def _date(start_at: int, zone: str) -> date:
    return _local(start_at, _zone(zone)).date()


def outside(hours: tuple[int, int], at: int, zone: str) -> int:
    """The earliest instant from `at` on whose local hour lies outside `hours`, [from, to); they may span midnight."""
    first, end = hours
    while _within(_local(at, _zone(zone)).hour, first, end):
        at = bounds("hour", at, zone).end_at
    return at


def _within(hour: int, first: int, end: int) -> bool:
    return first <= hour < end if first <= end else hour >= first or hour < end
