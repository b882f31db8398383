"""What a fact adds to the SLA table of its unit: a pure projection, merged per unit and instant."""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, cast

from schemas import events as e
from schemas.base import Grade
from schemas.sla import Counts, Measure, SlaFact

GRADES: Final[dict[Grade, Measure]] = {"A": "grade_a", "B": "grade_b", "C": "grade_c"}


class Entry(NamedTuple):
    """Counts for one unit at one instant."""

    district: int
    department: str
    level: int
    at: int
    counts: Counts
    disposal_ms: int | None = None


Here = tuple[int, str, int, int]


def entries(fact: e.Event) -> list[Entry]:
    """What one fact counts, where. Cases without a clock are in no SLA table."""
    counts = COUNTS.get(type(fact))
    return [] if counts is None else counts(fact, (fact.district, fact.department, fact.level, fact.at))


def _routed(fact: e.CaseRouted, here: Here) -> list[Entry]:
    return [] if fact.due_at is None else [Entry(*here, {"received": 1})]


def _transferred(fact: e.CaseTransferred, here: Here) -> list[Entry]:
    left = Entry(fact.from_district, fact.from_department, fact.level, fact.at, {"left": 1})
    return [left, Entry(*here, {"received": 1})]


def _moved(fact: e.CaseMarked | e.CaseSentUp | e.CaseSentBack, here: Here) -> list[Entry]:
    left = Entry(fact.district, fact.department, fact.from_level, fact.at, {"left": 1})
    return [left, Entry(*here, {"received": 1})]


def _disposed(fact: e.CaseDisposed, here: Here) -> list[Entry]:
    return [Entry(*here, _disposal(fact), fact.age_ms)] if fact.timed else []


def _withdrawn(fact: e.EscalationWithdrawn, here: Here) -> list[Entry]:
    taken_back: Counts = {"escalated_timeout": -1, "defaulters": -1, "left": -1}
    if fact.breach:
        taken_back["breach_by_lapse"] = -1
    came = Entry(fact.district, fact.department, fact.from_level, fact.due_at, {"received": -1})
    return [Entry(*here[:3], fact.due_at, taken_back), came]


def _closed(fact: e.CaseClosed, here: Here) -> list[Entry]:
    return [Entry(*here, {"closed_unknown": 1})] if fact.outcome == "satisfaction-unknown" else []


def _forced(fact: e.ForceClosed, here: Here) -> list[Entry]:
    if not fact.timed:
        return []
    return [Entry(*here, {"forced": 1} if fact.was_disposed else {"forced": 1, "left": 1})]


def _graded(fact: e.DisposalGraded, here: Here) -> list[Entry]:
    district, department, _, at = here
    return [Entry(district, department, fact.disposed_level, at, {GRADES[fact.grade]: 1})]


def _disposal(fact: e.CaseDisposed) -> Counts:
    counts: Counts = {"disposed": 1, "left": 1}
    if fact.kind == "partial":
        counts["partial"] = 1
    if fact.relief is not None:
        counts["relief" if fact.relief else "no_relief"] = 1
    return counts


def _escalated(fact: e.CaseEscalated, here: Here) -> list[Entry]:
    # on dissatisfaction it left its level when it was disposed
    below: Counts = {"escalated_dissatisfied": 1}
    if fact.cause == "time-out":
        below = {"escalated_timeout": 1, "left": 1}
        if fact.breach:
            below["breach_by_lapse"] = 1
    came: Counts = {"returned" if fact.from_level == fact.to_level else "received": 1}
    return [Entry(fact.district, fact.department, fact.from_level, fact.at, below), Entry(*here, came)]


def _just(**counts: int) -> Callable[[Any, Here], list[Entry]]:
    fixed = cast("Counts", counts)
    return lambda _, here: [Entry(*here, fixed)]


COUNTS: Final[dict[type[Any], Callable[[Any, Here], list[Entry]]]] = {
    e.CaseRouted: _routed,
    e.CaseTransferred: _transferred,
    e.CaseDisposed: _disposed,
    e.BecameDefaulter: _just(defaulters=1),
    e.CaseEscalated: _escalated,
    e.EscalationWithdrawn: _withdrawn,
    e.CitizenSatisfied: _just(verified=1, satisfied=1),
    e.CitizenDissatisfied: _just(verified=1, dissatisfied=1),
    e.CaseClosed: _closed,
    e.CaseMarked: _moved,
    e.CaseSentUp: _moved,
    e.CaseSentBack: _moved,
    e.CaseRevived: _just(returned=1, revived=1),
    e.SpecialClosed: _just(special=1, left=1),
    e.ForceClosed: _forced,
    e.DisposalGraded: _graded,
}


def facts(decided: list[e.Event]) -> Iterator[SlaFact]:
    """One record per unit and instant for all facts of a decision."""
    merged: dict[Here, Counts] = {}
    disposals: dict[Here, int] = {}
    for fact in decided:
        for district, department, level, at, counts, disposal_ms in entries(fact):
            unit = (district, department, level, at)
            total = merged.get(unit)
            merged[unit] = counts if total is None else _added(total, counts)
            if disposal_ms is not None:
                disposals[unit] = disposal_ms
    for unit, counts in merged.items():
        district, department, level, at = unit
        system = decided[0].system
        yield SlaFact(system, district, department, level, at=at, counts=counts, disposal_ms=disposals.get(unit))


def _added(total: Counts, counts: Counts) -> Counts:
    return total | {measure: total.get(measure, 0) + count for measure, count in counts.items()}
