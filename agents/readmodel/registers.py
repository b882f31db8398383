"""What a fact of a case changes in the registers: stays and their numbers, dissatisfaction, defaulters, day counts."""

from typing import Final

from agents.readmodel.keys import DEFAULTERS_KEPT_MS, REGISTERS_KEPT_MS, Keys, unit_field
from agents.readmodel.stays import Moved
from agents.readmodel.writes import Writes
from schemas import events as e
from schemas.codec import encode
from schemas.review import ReviewOutcome
from streams.calendar import day_key, month_key
from streams.case.tally import entries
from streams.profiles.load import profiles
from streams.review.registers import Defaulter, Stay, defaulter_field, dissatisfaction

SERIES: Final = frozenset({"received", "returned", "disposed", "satisfied", "dissatisfied", "defaulters"})
"""What a month's pack shows day by day."""


def write(fact: e.Event, restricted: str | None, keys: Keys, writes: Writes) -> None:
    """Gather what the fact says by itself, of a case of this restricted class (None: of none)."""
    if isinstance(fact, e.CommandRejected):
        return  # it stands in no register, and its system may be unknown
    zone = profiles()[fact.system].zone
    _dissatisfaction(fact, restricted, keys, writes, zone)
    _defaulters(fact, restricted, keys, writes, zone)
    _day(fact, keys, writes, zone)


def write_stays(system: str, moved: Moved, keys: Keys, writes: Writes) -> None:
    """Gather what became of its case's stays."""
    zone = profiles()[system].zone
    for gone in (moved.void, moved.ended):
        if gone is not None:
            writes.fields[keys.stays(system, gone.district)][gone.field] = None
            _live(system, gone, -1, keys, writes, zone)
    if moved.resumed is not None and moved.resumed.until is not None:
        writes.fields[_ended(system, moved.resumed, keys, zone)][moved.resumed.field] = None
        _life(system, moved.resumed, -1, keys, writes, zone)
    if moved.ended is not None:
        key = _ended(system, moved.ended, keys, zone)
        writes.fields[key][moved.ended.field] = encode(moved.ended)
        writes.expiries[key] = REGISTERS_KEPT_MS
        _life(system, moved.ended, 1, keys, writes, zone)
    if moved.begun is not None:
        _live(system, moved.begun, 1, keys, writes, zone)
    for there in (moved.begun, moved.noted):
        if there is not None:
            writes.fields[keys.stays(system, there.district)][there.field] = encode(there)


def _ended(system: str, stay: Stay, keys: Keys, zone: str) -> str:
    return keys.ended(system, stay.district, month_key(stay.until or 0, zone))


def _live(system: str, stay: Stay, by: int, keys: Keys, writes: Writes, zone: str) -> None:
    writes.counts[keys.lives(system)][_days(stay, zone)] += by


def _life(system: str, stay: Stay, by: int, keys: Keys, writes: Writes, zone: str) -> None:
    until = day_key(stay.until or 0, zone)
    key = keys.lives(system, until[:7])
    writes.counts[key][f"{_days(stay, zone)}|{until}"] += by
    writes.expiries[key] = REGISTERS_KEPT_MS
    writes.members[keys.months(system)].add(until[:7])


def _days(stay: Stay, zone: str) -> str:
    unit = unit_field(stay.district, stay.department, stay.level)
    return f"{unit}|{day_key(stay.registered_at, zone)}|{day_key(stay.from_at, zone)}"


def _dissatisfaction(fact: e.Event, restricted: str | None, keys: Keys, writes: Writes, zone: str) -> None:
    line = dissatisfaction(fact, restricted)
    if line is not None:
        key = keys.dissatisfied(fact.system, fact.district, month_key(fact.at, zone))
        writes.fields[key][f"{line.case}|{line.seq}"] = encode(line)
        writes.expiries[key] = REGISTERS_KEPT_MS


def _defaulters(fact: e.Event, restricted: str | None, keys: Keys, writes: Writes, zone: str) -> None:
    match fact:
        case e.BecameDefaulter(due_at=due_at):
            line = Defaulter(fact.case, due_at, fact.department, fact.level, fact.office, restricted)
            key = keys.blots(fact.system, fact.district, month_key(due_at, zone))
            writes.fields[key][line.field] = encode(line)
            writes.expiries[key] = REGISTERS_KEPT_MS
        case e.EscalationWithdrawn(due_at=due_at, to_level=level):
            key = keys.blots(fact.system, fact.district, month_key(due_at, zone))
            writes.fields[key][defaulter_field(fact.case, level, due_at)] = None
        case _:
            pass


def write_outcome(outcome: ReviewOutcome, raw: bytes, keys: Keys, writes: Writes) -> None:
    """Gather an outcome of a review; a later one of the same case in the same sample takes its place."""
    key = keys.reviews(outcome.system, outcome.district, month_key(outcome.at, profiles()[outcome.system].zone))
    writes.fields[key][outcome.id] = raw
    writes.expiries[key] = REGISTERS_KEPT_MS


def _day(fact: e.Event, keys: Keys, writes: Writes, zone: str) -> None:
    for district, department, level, at, counts, _ in entries(fact):
        day = day_key(at, zone)
        key, series = keys.day(fact.system, district, day), keys.series(fact.system, day[:7])
        for measure, count in counts.items():
            writes.counts[key][f"{department}|{level}|{measure}"] += count
            if measure in SERIES:
                writes.counts[series][f"{district}|{day}|{measure}"] += count
        writes.expiries[key] = DEFAULTERS_KEPT_MS
        writes.expiries[series] = REGISTERS_KEPT_MS
