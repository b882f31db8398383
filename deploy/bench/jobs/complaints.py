"""A helpline's complaints in short: one state machine, a deadline for each that is open, outputs to two topics.

Small enough to be written for any engine: what is measured is the engine, not the rules of a state. Four commands tell
of a complaint that is disposed of (registered, noted, disposed, answered), two of one that is not; in the end time
moves past all deadlines, and what is open then is escalated.
"""

from functools import partial
from typing import Any, Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from schemas.base import Record, Wake
from streams.profiles.profile import DAY_MS
from streams.stage import Origin, Output, Stage, Step

DUE_MS: Final = 3 * DAY_MS
"""From registration, or from a dissatisfied answer, until it is escalated."""


class Registered(Record, frozen=True, tag="bench.registered.v1"):
    case: str
    at: int
    district: int
    category: str
    text: str


class Noted(Record, frozen=True, tag="bench.noted.v1"):
    case: str
    at: int
    text: str


class Disposed(Record, frozen=True, tag="bench.disposed.v1"):
    case: str
    at: int
    officer: str
    text: str


class Answered(Record, frozen=True, tag="bench.answered.v1"):
    """What the citizen says of the disposal."""

    case: str
    at: int
    satisfied: bool
    text: str


class Clock(Record, frozen=True, tag="bench.clock.v1"):
    """Time moves to `at`: for engines that know it from the records alone. Workers have a topic for it."""

    at: int


class Told(Record, frozen=True, tag="bench.told.v1"):
    """What became of a complaint; `number` of its command."""

    case: str
    at: int
    kind: str
    district: int
    category: str
    level: int
    due_at: int
    number: int


class Sms(Record, frozen=True, tag="bench.sms.v1"):
    """To the officer, when a complaint is registered."""

    case: str
    at: int
    office: str


class Complaint(Struct, frozen=True, array_like=True):
    """`due_at` is 0 where nothing is due."""

    district: int
    category: str
    status: str
    due_at: int
    opened_at: int
    touched_at: int
    level: int = 1
    commands: int = 1


Command = Registered | Noted | Disposed | Answered


class Topics(NamedTuple):
    reads: str
    told: str
    sms: str

    @classmethod
    def named(cls, prefix: str) -> "Topics":
        return cls(f"{prefix}.commands", f"{prefix}.told", f"{prefix}.sms")


def stages(topics: Topics) -> tuple[Stage[Any], ...]:
    kinds = Command | Clock | Wake
    step, writes = partial(_step, topics), (topics.told, topics.sms)
    return (Stage("complaints", topics.reads, writes, kinds, Complaint, step, lambda state: state.due_at or None),)


def _step(topics: Topics, state: Complaint | None, record: Command | Clock | Wake, _: Origin) -> Step[Complaint]:
    match record:
        case Registered() if state is None:
            new = Complaint(record.district, record.category, "open", record.at + DUE_MS, record.at, record.at)
            sms = Output(topics.sms, record.case, Sms(record.case, record.at, f"office-{record.district}"), record.at)
            return Step(new, [_told(topics, record.case, record.at, "registered", new), sms])
        case Wake() if state is not None and state.due_at == record.due_at:
            new = replace(state, level=state.level + 1, due_at=0)
            return Step(new, [_told(topics, record.key, record.due_at, "escalated", new)])
        case Noted() | Disposed() | Answered() if state is not None:
            return _counted(topics, state, record)
        case _:
            return Step(state, [])


def _counted(topics: Topics, state: Complaint, record: Noted | Disposed | Answered) -> Step[Complaint]:
    new, kind = replace(state, touched_at=record.at, commands=state.commands + 1), ""
    match record:
        case Disposed() if state.status == "open":
            kind, new = "disposed", replace(new, status="disposed", due_at=0)
        case Answered(satisfied=True) if state.status == "disposed":
            kind, new = "closed", replace(new, status="closed")
        case Answered() if state.status == "disposed":
            kind, new = "reopened", replace(new, status="open", due_at=record.at + DUE_MS)
        case _:
            pass
    return Step(new, [_told(topics, record.case, record.at, kind, new)] if kind else [])


def _told(topics: Topics, case: str, at: int, kind: str, state: Complaint) -> Output:
    told = Told(case, at, kind, state.district, state.category, state.level, state.due_at, state.commands)
    return Output(topics.told, case, told, at)
