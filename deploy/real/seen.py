"""What the product said about the real cases: its windows added up as any reader would, its facts counted by kind."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from schemas import events as e
from schemas.base import Record
from schemas.intake import IntakeRejected, IntakeRepeated
from schemas.sla import Measure, SlaWindow
from streams.sla.histogram import Histogram, merge

Counts = Counter[Measure]
UnitMonth = tuple[int, str, int, int]
"""District, department, level, first instant of the month."""
UnitDay = tuple[str, int, int]
"""Department, level, first instant of the day."""
DepartmentMonth = tuple[str, int]
_DAYS_CACHED: Final = 131_072


@dataclass(slots=True)
class Ages:
    """Ages at disposal of one department in one month."""

    disposals: int = 0
    sum_ms: int = 0
    histogram: Histogram = field(default_factory=dict)


class Seen:
    """Sums over the outputs of one run."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self.months: defaultdict[UnitMonth, Counts] = defaultdict(Counter)
        self.days: defaultdict[UnitDay, Counts] = defaultdict(Counter)
        self.hours: defaultdict[UnitDay, Counts] = defaultdict(Counter)
        """Hours added up to their days."""
        self.open_change: Counter[DepartmentMonth] = Counter()
        self.ages: defaultdict[DepartmentMonth, Ages] = defaultdict(Ages)
        self.spans: set[tuple[str, int, int]] = set()
        """Grain, start and end of every window that was told."""
        self.finals: Counter[tuple[int, str, int, str, int]] = Counter()
        """How often each window of each unit was final: once, or the product is wrong."""
        self.windows: Counter[str] = Counter()
        self.facts: Counter[str] = Counter()

    def record(self, record: Record) -> None:
        """Take note of one output record; those that say nothing to be compared are passed over."""
        match record:
            case SlaWindow():
                self._window(record)
            case e.CaseRegistered():
                self.facts["cases"] += 1
            case e.CaseDisposed():
                self.facts["disposed"] += 1
            case e.CaseEscalated(cause="time-out", from_level=level):
                self.facts[f"escalated from level {level}"] += 1
            case e.BecameDefaulter(level=level):
                self.facts[f"time-outs of level {level}"] += 1
            case e.CaseClosed(outcome=outcome):
                self.facts[f"closed: {outcome}"] += 1
            case e.CommandRejected(command=command, reason=reason):
                self.facts[f"rejected: {command} {reason}"] += 1
            case IntakeRejected(reason=reason):
                self.facts[f"refused: {reason}"] += 1
            case IntakeRepeated():
                self.facts["repeated"] += 1
            case _:
                pass

    def _window(self, window: SlaWindow) -> None:
        self.spans.add((window.grain, window.start_at, window.end_at))
        self.windows[f"{window.grain} {window.result}"] += 1
        if window.result == "final":
            self.finals[window.district, window.department, window.level, window.grain, window.start_at] += 1
        match window.grain:
            case "month":
                self._month(window)
            case "day":
                _add(self.days[window.department, window.level, window.start_at], window)
            case "hour":
                _add(self.hours[window.department, window.level, midnight(window.start_at, self.zone)], window)

    def _month(self, window: SlaWindow) -> None:
        month = (window.department, window.start_at)
        _add(self.months[window.district, window.department, window.level, window.start_at], window)
        self.open_change[month] += window.open_change
        ages = self.ages[month]
        ages.disposals += window.disposals
        ages.sum_ms += window.disposal_ms
        ages.histogram = merge(ages.histogram, {int(bucket): count for bucket, count in window.histogram.items()})


class Run(NamedTuple):
    """What came of a run."""

    seen: Seen
    records: int
    """Written to all topics, wakes included."""
    dead: int
    """Records a stage could not take."""


def _add(counts: Counts, window: SlaWindow) -> None:
    for measure, count in window.counts.items():
        counts[measure] += count


@lru_cache(maxsize=_DAYS_CACHED)
def midnight(at: int, zone: ZoneInfo) -> int:
    """First instant of the local day of `at`, UTC ms; written without the product's calendar, which is under test."""
    local = datetime.fromtimestamp(at / 1000, zone)
    return round(local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1000)
