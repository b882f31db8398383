"""The open windows of one unit, as values: add a fact, close what is over, and say when the next closes."""

from collections.abc import Iterator, Mapping
from typing import Final, get_args

from msgspec import Struct
from msgspec.structs import replace

from schemas.sla import Counts, Grain, Measure, SlaFact, SlaWindow, Unit
from streams.calendar import bounds
from streams.sla.histogram import bucket, merge

GRAINS: Final[tuple[Grain, ...]] = ("hour", "day", "month")
"""From the smallest: a closed window's content goes on into the next grain's, in which it lies."""
LADDER: Final[tuple[tuple[Grain, Grain | None], ...]] = (("hour", "day"), ("day", "month"), ("month", None))
MEASURES: Final[tuple[Measure, ...]] = get_args(Measure)
PENDENCY: Final[Mapping[Measure, int]] = {"received": 1, "returned": 1, "left": -1}
"""How a measure changes the number of cases pending at the unit."""


def unit_key(unit: Unit) -> str:
    """The key of a unit's facts and windows."""
    return f"{unit.system}|{unit.district}|{unit.department}|{unit.level}"


class Tally(Struct, frozen=True, array_like=True, gc=False):
    """What one window holds so far."""

    start_at: int
    end_at: int
    counts: Counts = {}
    disposals: int = 0
    disposal_ms: int = 0
    histogram: dict[int, int] = {}


class Windows(Struct, frozen=True, array_like=True, gc=False):
    """A unit's windows that are not closed. All windows that end at or before `closed_at` are."""

    system: str
    district: int
    department: str
    level: int
    closed_at: int = 0
    hours: dict[int, Tally] = {}
    days: dict[int, Tally] = {}
    months: dict[int, Tally] = {}

    def of(self, grain: Grain) -> dict[int, Tally]:
        match grain:
            case "hour":
                return self.hours
            case "day":
                return self.days
            case "month":
                return self.months

    def first_end(self) -> int | None:
        """When the first of them ends (UTC ms); None while none is open."""
        return min((tally.end_at for grain in GRAINS for tally in self.of(grain).values()), default=None)


def empty(unit: Unit) -> Windows:
    return Windows(unit.system, unit.district, unit.department, unit.level)


def difference(fact: SlaFact, start_at: int, end_at: int) -> Tally:
    """One fact as the content of a window. Its age counts once for each disposal it counts (usually one)."""
    times = fact.counts.get("disposed", 0) if fact.disposal_ms is not None else 0
    if fact.disposal_ms is None or not times:
        return Tally(start_at, end_at, fact.counts)
    age = fact.disposal_ms
    return Tally(start_at, end_at, fact.counts, times, times * age, {bucket(age): times})


def added(tally: Tally, other: Tally) -> Tally:
    """Both together, as `tally`'s window."""
    counts = dict(tally.counts)
    for measure, count in other.counts.items():
        counts[measure] = counts.get(measure, 0) + count
    if not other.disposals and not other.histogram:
        return Tally(tally.start_at, tally.end_at, counts, tally.disposals, tally.disposal_ms, tally.histogram)
    return Tally(
        tally.start_at,
        tally.end_at,
        counts,
        tally.disposals + other.disposals,
        tally.disposal_ms + other.disposal_ms,
        merge(tally.histogram, other.histogram),
    )


def put(windows: Windows, grain: Grain, tally: Tally) -> Windows:
    """Add to the open window of `grain` that starts where `tally` does."""
    held = windows.of(grain)
    before = held.get(tally.start_at)
    held = {**held, tally.start_at: tally if before is None else added(before, tally)}
    match grain:
        case "hour":
            return replace(windows, hours=held)
        case "day":
            return replace(windows, days=held)
        case "month":
            return replace(windows, months=held)


def told(windows: Windows, fact: SlaFact, zone: str) -> tuple[Windows, list[tuple[Grain, Tally]]]:
    """Add a fact to the smallest window still open; answers with it the differences to windows already closed."""
    late: list[tuple[Grain, Tally]] = []
    for grain in GRAINS:
        content = difference(fact, *bounds(grain, fact.at, zone))
        if content.end_at > windows.closed_at:
            return put(windows, grain, content), late
        late.append((grain, content))
    return windows, late


def closed(windows: Windows, until: int, zone: str) -> tuple[Windows, list[tuple[Grain, Tally]]]:
    """Close every window that ends at or before `until` (UTC ms); answers with it what was in them, hours first."""
    over: list[tuple[Grain, Tally]] = []
    for grain, larger in LADDER:
        for tally in _ended(windows, grain, until):
            over.append((grain, tally))
            if larger is not None:
                windows = put(windows, larger, _inside(tally, larger, zone))
    return _kept(windows, until), over


def _ended(windows: Windows, grain: Grain, until: int) -> Iterator[Tally]:
    held = windows.of(grain)
    return (held[start] for start in sorted(held) if held[start].end_at <= until)


def _inside(tally: Tally, grain: Grain, zone: str) -> Tally:
    start, end = bounds(grain, tally.start_at, zone)
    return replace(tally, start_at=start, end_at=end)


def _kept(windows: Windows, until: int) -> Windows:
    hours, days, months = (
        {start: tally for start, tally in windows.of(grain).items() if tally.end_at > until} for grain in GRAINS
    )
    return replace(windows, closed_at=max(windows.closed_at, until), hours=hours, days=days, months=months)


def published(windows: Windows, grain: Grain, tally: Tally, *, final: bool, at: int) -> SlaWindow:
    """A window's content as the record that tells it."""
    return SlaWindow(
        system=windows.system,
        district=windows.district,
        department=windows.department,
        level=windows.level,
        grain=grain,
        start_at=tally.start_at,
        end_at=tally.end_at,
        result="final" if final else "revised",
        counts={measure: tally.counts[measure] for measure in MEASURES if tally.counts.get(measure)},
        disposals=tally.disposals,
        disposal_ms=tally.disposal_ms,
        histogram={str(index): tally.histogram[index] for index in sorted(tally.histogram)},
        open_change=sum(sign * tally.counts.get(measure, 0) for measure, sign in PENDENCY.items()),
        at=at,
    )
