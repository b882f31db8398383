"""Counts closed windows again, from the units' facts and from the cases' own, and compares with what was published."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from agents.audit.log import Log
from agents.audit.report import Findings, Result
from schemas import events as e
from schemas.base import Wake
from schemas.codec import decoder
from schemas.sla import Grain, SlaFact, SlaInput, SlaWindow
from schemas.topics import CASE_EVENTS, SLA_FACTS, SLA_WINDOW
from streams.profiles.load import profiles
from streams.sla.histogram import bucket

Unit = tuple[str, int, str, int]
Amounts = dict[str, int]
Name = tuple[Unit, Grain, str]
GRAINS: Final[tuple[Grain, ...]] = ("hour", "day", "month")
HOUR_MS: Final = 3_600_000
_decode_event: Final[Callable[[bytes], Any]] = decoder(e.Event)
_decode_fact: Final[Callable[[bytes], Any]] = decoder(SlaInput)
_decode_window: Final[Callable[[bytes], SlaWindow]] = decoder(SlaWindow)


class Balance:
    """Counts on one side, published windows on the other; what is left over is wrong."""

    def __init__(self, until: int) -> None:
        self._left: dict[tuple[int, int], int] = {}
        self._names: dict[Name, int] = {}
        self._until = until

    def count(self, unit: Unit, at: int, amounts: Amounts) -> None:
        """Add a fact to its three windows, as far as they must be closed by now."""
        profile = profiles()[unit[0]]
        for grain in GRAINS:
            start, end = span(grain, at, profile.zone)
            if end + profile.windows.lateness_ms <= self._until:
                self._add(unit, grain, start, amounts, 1)

    def publish(self, window: SlaWindow, amounts: Amounts) -> None:
        unit = (window.system, window.district, window.department, window.level)
        self._add(unit, window.grain, window.start_at, amounts, -1)

    def left(self) -> Iterator[str]:
        """Every figure that is not as counted."""
        names = {number: name for name, number in self._names.items()}
        for (cell, start), amount in self._left.items():
            if amount:
                unit, grain, what = names[cell]
                yield f"{'|'.join(map(str, unit))}, {grain} from {start}: {what} is {-amount:+d} off"

    def _add(self, unit: Unit, grain: Grain, start: int, amounts: Amounts, sign: int) -> None:
        for what, amount in amounts.items():
            cell = self._names.setdefault((unit, grain, what), len(self._names))
            left = self._left.get((cell, start), 0) + sign * amount
            if left:
                self._left[cell, start] = left
            else:
                self._left.pop((cell, start), None)


@lru_cache(maxsize=65_536)
def _local_span(grain: Grain, quarter: int, zone: str) -> tuple[int, int]:
    """Through the calendar of the standard library: nothing of streams/calendar.py."""
    local = datetime.fromtimestamp(quarter * 900, ZoneInfo(zone))
    if grain == "hour":
        # by the real clock: an hour that is repeated is two
        start = int(local.timestamp()) - local.minute * 60 - local.second
        return start * 1000, start * 1000 + HOUR_MS
    first = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    following = first + timedelta(days=1)
    if grain == "month":
        first = first.replace(day=1)
        following = (first + timedelta(days=32)).replace(day=1)
    return int(first.timestamp() * 1000), int(following.timestamp() * 1000)


def span(grain: Grain, at: int, zone: str) -> tuple[int, int]:
    """The local hour, day or month that holds an instant, UTC ms."""
    return _local_span(grain, at // 900_000, zone)


Told = Iterator[tuple[Unit, int, Amounts]]


def _unit(fact: Any) -> Unit:
    return (fact.system, fact.district, fact.department, fact.level)


def _routed(fact: e.CaseRouted) -> Told:
    if fact.due_at is not None:
        yield _unit(fact), fact.at, {"received": 1}


def _transferred(fact: e.CaseTransferred) -> Told:
    yield (fact.system, fact.from_district, fact.from_department, fact.level), fact.at, {"left": 1}
    yield _unit(fact), fact.at, {"received": 1}


def _disposed(fact: e.CaseDisposed) -> Told:
    if not fact.timed:
        return
    yield _unit(fact), fact.at, {"disposed": 1, "left": 1, "disposals": 1, "disposal_ms": fact.age_ms}
    if fact.kind == "partial":
        yield _unit(fact), fact.at, {"partial": 1}
    if fact.relief is not None:
        yield _unit(fact), fact.at, {"relief" if fact.relief else "no_relief": 1}


def _escalated(fact: e.CaseEscalated) -> Told:
    below = (fact.system, fact.district, fact.department, fact.from_level)
    if fact.cause == "time-out":
        yield below, fact.at, {"escalated_timeout": 1, "left": 1, "breach_by_lapse": int(fact.breach)}
    else:
        yield below, fact.at, {"escalated_dissatisfied": 1}
    yield _unit(fact), fact.at, {"returned" if fact.from_level == fact.to_level else "received": 1}


def _withdrawn(fact: e.EscalationWithdrawn) -> Told:
    taken_back = {"escalated_timeout": -1, "defaulters": -1, "left": -1, "breach_by_lapse": -int(fact.breach)}
    yield _unit(fact), fact.due_at, taken_back
    yield (fact.system, fact.district, fact.department, fact.from_level), fact.due_at, {"received": -1}


def _closed(fact: e.CaseClosed) -> Told:
    if fact.outcome == "satisfaction-unknown":
        yield _unit(fact), fact.at, {"closed_unknown": 1}


def _moved(fact: e.CaseMarked | e.CaseSentUp | e.CaseSentBack) -> Told:
    yield (fact.system, fact.district, fact.department, fact.from_level), fact.at, {"left": 1}
    yield _unit(fact), fact.at, {"received": 1}


def _forced(fact: e.ForceClosed) -> Told:
    if fact.timed:
        yield _unit(fact), fact.at, {"forced": 1, "left": int(not fact.was_disposed)}


def _graded(fact: e.DisposalGraded) -> Told:
    measure = f"grade_{fact.grade.lower()}"
    yield (fact.system, fact.district, fact.department, fact.disposed_level), fact.at, {measure: 1}


def _one(*measures: str) -> Callable[[Any], Told]:
    return lambda fact: iter([(_unit(fact), fact.at, dict.fromkeys(measures, 1))])


MEASURED: Final[dict[type[Any], Callable[[Any], Told]]] = {
    e.CaseRouted: _routed,
    e.CaseTransferred: _transferred,
    e.CaseDisposed: _disposed,
    e.BecameDefaulter: _one("defaulters"),
    e.CaseEscalated: _escalated,
    e.EscalationWithdrawn: _withdrawn,
    e.CitizenSatisfied: _one("verified", "satisfied"),
    e.CitizenDissatisfied: _one("verified", "dissatisfied"),
    e.CaseClosed: _closed,
    e.CaseMarked: _moved,
    e.CaseSentUp: _moved,
    e.CaseSentBack: _moved,
    e.CaseRevived: _one("returned", "revived"),
    e.SpecialClosed: _one("special", "left"),
    e.ForceClosed: _forced,
    e.DisposalGraded: _graded,
}
"""What a case's fact adds to which unit: the definition of the measures, written down once more."""


def of_event(fact: Any) -> Told:
    """Units, instants and amounts of one fact; none for a fact that is not measured."""
    measured = MEASURED.get(type(fact))
    return iter(()) if measured is None else measured(fact)


def _of_fact(fact: SlaFact) -> Amounts:
    amounts: Amounts = {str(measure): count for measure, count in fact.counts.items()}
    times = fact.counts.get("disposed", 0) if fact.disposal_ms is not None else 0
    if fact.disposal_ms is not None and times:
        amounts |= {
            "disposals": times,
            "disposal_ms": times * fact.disposal_ms,
            f"bucket {bucket(fact.disposal_ms)}": times,
        }
    return amounts


def _of_window(window: SlaWindow, *, buckets: bool) -> Amounts:
    amounts: Amounts = {str(measure): count for measure, count in window.counts.items()}
    amounts |= {"disposals": window.disposals, "disposal_ms": window.disposal_ms}
    if buckets:
        amounts |= {f"bucket {index}": count for index, count in window.histogram.items()}
    return amounts


def from_units(log: Log) -> Result:
    """Final and revised results equal a recount of the units' facts; one final result at most per window."""
    findings, figures = Findings(), Counter[str]()
    balance = Balance(log.now())
    for entry in log.read(SLA_FACTS):
        fact = _decode_fact(entry.value or b"")
        if not isinstance(fact, Wake):
            figures["facts"] += 1
            balance.count((fact.system, fact.district, fact.department, fact.level), fact.at, _of_fact(fact))
    finals: set[int] = set()
    for entry in log.read(SLA_WINDOW):
        window = _decode_window(entry.value or b"")
        figures[window.result] += 1
        balance.publish(window, _of_window(window, buckets=True))
        if window.result == "final":
            place = hash((entry.key, window.grain, window.start_at))
            if place in finals:
                findings.add(f"{entry.place}: a second final result of its window")
            finals.add(place)
    for problem in balance.left():
        findings.add(problem)
    return findings.result(
        "windows from units", "final and revised results equal a recount of sla.facts", dict(figures)
    )


def from_cases(log: Log) -> Result:
    """The same windows, counted from the cases' own facts by a definition of the measures of its own."""
    findings, figures = Findings(), Counter[str]()
    balance = Balance(log.now())
    for entry in log.read(CASE_EVENTS):
        for unit, at, amounts in of_event(_decode_event(entry.value or b"")):
            figures["counted"] += 1
            balance.count(unit, at, amounts)
    for entry in log.read(SLA_WINDOW):
        window = _decode_window(entry.value or b"")
        figures["windows"] += 1
        balance.publish(window, _of_window(window, buckets=False))
    for problem in balance.left():
        findings.add(problem)
    return findings.result("windows from cases", "the same results equal a recount of case.events", dict(figures))
