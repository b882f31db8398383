"""Accounts for every input: each submission and each command has one answer, found by position or by case."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from agents.audit.log import Entry, Log, header
from agents.audit.report import Findings, Result
from agents.audit.tally import TAKEN
from schemas import commands as c
from schemas import events as e
from schemas import topics as t
from schemas.base import Wake
from schemas.codec import decoder
from schemas.intake import IntakeOutcome, IntakeRejected
from schemas.registry import dead_letters

Place = tuple[int, int]
"""Partition and offset."""
_decode_command: Final[Callable[[bytes], Any]] = decoder(c.CaseCommand)
_decode_event: Final[Callable[[bytes], Any]] = decoder(e.Event)
_decode_outcome: Final[Callable[[bytes], Any]] = decoder(IntakeOutcome)
BY_COMMAND: Final = frozenset({*TAKEN, e.CaseRegistered, e.DuplicateLinked, e.CommandRejected})
"""Facts that answer exactly one command."""
SOURCE_OF_INTAKE: Final = "/nivaran/intake"


def submissions(log: Log) -> Result:
    """Each submission registered, linked, repeated, rejected or a dead letter: exactly one of them."""
    findings, figures = Findings(), Counter[str]()
    done = log.done("intake")
    waiting: dict[Place, int] = {}
    for entry in log.read(t.INTAKE_SUBMITTED):
        if any(name == "ce_type" and value.endswith(b".wake.v1") for name, value in entry.headers):
            continue
        if done is None or entry.offset < done.get(entry.partition, 0):
            figures["submissions"] += 1
            waiting[entry.partition, entry.offset] = 0
        else:
            figures["not folded yet"] += 1
    for outcome, place, where in _outcomes(log):
        if place not in waiting:
            if done is None:
                findings.add(f"{where}: answers no submission")
            continue
        waiting[place] += 1
        figures[outcome] += 1
    for (partition, offset), answers in waiting.items():
        if answers != 1:
            findings.add(f"{t.INTAKE_SUBMITTED}/{partition}/{offset}: {answers} answers, not 1")
    return findings.result(
        "submissions", "each accepted, duplicate, repeated, rejected or a dead letter", dict(figures)
    )


def _outcomes(log: Log) -> Iterator[tuple[str, Place, str]]:
    for entry in log.read(t.CASE_COMMANDS):
        if header(entry, "ce_source") == SOURCE_OF_INTAKE:
            _, partition, offset, _ = header(entry, "ce_id").rsplit("-", 3)
            opened = header(entry, "ce_type").endswith("case.register.v1")
            yield "accepted" if opened else "duplicate", (int(partition), int(offset)), entry.place
    for entry in log.read(t.INTAKE_REJECTED):
        outcome = _decode_outcome(entry.value or b"")
        _, partition, offset = outcome.cause.split("/")
        yield (
            "rejected" if isinstance(outcome, IntakeRejected) else "repeated",
            (int(partition), int(offset)),
            entry.place,
        )
    for entry in log.read(dead_letters(t.INTAKE_SUBMITTED)):
        yield "dead-lettered", dead_place(entry), entry.place


def dead_place(entry: Entry) -> Place:
    """Where a dead letter came from."""
    return int(header(entry, "x-dlq-original-partition")), int(header(entry, "x-dlq-original-offset"))


def commands(log: Log) -> Result:
    """Each command taken or rejected by one fact of its case, or a dead letter; else it waits for a registration."""
    findings, figures = Findings(), Counter[str]()
    done = log.done("case")
    dead = {dead_place(entry) for entry in log.read(dead_letters(t.CASE_COMMANDS))}
    open_questions: defaultdict[str, int] = defaultdict(int)
    for entry in log.read(t.CASE_COMMANDS):
        if done is not None and entry.offset >= done.get(entry.partition, 0):
            figures["not folded yet"] += 1
        elif (entry.partition, entry.offset) in dead:
            figures["dead-lettered"] += 1
        else:
            _ask(entry, open_questions, figures)
    known: set[str] = set()
    for fact in _facts(log, done):
        if isinstance(fact, e.CaseRegistered):
            known.add(fact.case)
        if type(fact) in BY_COMMAND or (isinstance(fact, e.FeedbackAttempted) and fact.outcome == "unreachable"):
            open_questions[fact.case] -= 1
            figures["rejected" if isinstance(fact, e.CommandRejected) else "taken"] += 1
    for case, left in open_questions.items():
        if left > 0 and case not in known:
            figures["waiting"] += left
        elif left:
            findings.add(f"case {case}: {abs(left)} {'commands without' if left > 0 else 'more facts than'} answers")
    return findings.result("commands", "each taken, rejected or a dead letter, by exactly one fact", dict(figures))


def _ask(entry: Entry, open_questions: defaultdict[str, int], figures: Counter[str]) -> None:
    try:
        command = _decode_command(entry.value or b"")
    except msgspec.DecodeError:
        figures["unreadable"] += 1
        open_questions[entry.place] += 1
        return
    if not isinstance(command, Wake):
        figures["commands"] += 1
        open_questions[command.case] += 1


def _facts(log: Log, done: Any) -> Iterator[Any]:
    """Facts of the inputs that count: a fact names its cause."""
    for entry in log.read(t.CASE_EVENTS):
        fact = _decode_event(entry.value or b"")
        if done is not None:
            topic, partition, offset = fact.because.cause.split("/")
            if topic == t.CASE_COMMANDS and int(offset) >= done.get(int(partition), 0):
                continue
        yield fact
