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


class Named(msgspec.Struct):
    """The part of a record that says through which channel it came."""

    channel: str


_decode_command: Final[Callable[[bytes], Any]] = decoder(c.CaseCommand)
_decode_event: Final[Callable[[bytes], Any]] = decoder(e.Event)
_decode_outcome: Final[Callable[[bytes], Any]] = decoder(IntakeOutcome)
_decode_named: Final = msgspec.json.Decoder(Named).decode
BY_COMMAND: Final = frozenset({*TAKEN, e.CaseRegistered, e.DuplicateLinked, e.CommandRejected})
"""Facts that answer exactly one command."""
SOURCE_OF_INTAKE: Final = "/nivaran/intake"


def submissions(log: Log) -> Result:
    """Each submission registered, linked, repeated, rejected or a dead letter: exactly one of them."""
    findings, figures = Findings(), Counter[str]()
    done = log.done("intake")
    waiting: dict[Place, int] = {}
    channels: dict[Place, str | None] = {}
    for entry in log.read(t.INTAKE_SUBMITTED):
        if any(name == "ce_type" and value.endswith(b".wake.v1") for name, value in entry.headers):
            continue
        if done is None or entry.offset < done.get(entry.partition, 0):
            figures["submissions"] += 1
            waiting[entry.partition, entry.offset] = 0
            channels[entry.partition, entry.offset] = _channel(entry)
        else:
            figures["not folded yet"] += 1
    for outcome, place, where, channel in _outcomes(log):
        if place not in waiting:
            if done is None:
                findings.add(f"{where}: answers no submission")
            continue
        waiting[place] += 1
        figures[outcome] += 1
        if channel is not None and channel != channels[place]:
            findings.add(f"{where}: channel {channel}, submitted by {channels[place]}")
    for (partition, offset), answers in waiting.items():
        if answers != 1:
            findings.add(f"{t.INTAKE_SUBMITTED}/{partition}/{offset}: {answers} answers, not 1")
    return findings.result(
        "submissions", "each accepted, duplicate, repeated, rejected or a dead letter", dict(figures)
    )


def _channel(entry: Entry) -> str | None:
    """The channel a submission, or what intake made of it, names; None of one that cannot be read."""
    try:
        return _decode_named(entry.value or b"").channel
    except msgspec.DecodeError:
        return None


def _outcomes(log: Log) -> Iterator[tuple[str, Place, str, str | None]]:
    """What intake answered, the submission's place, where the answer stands, and the channel it names."""
    for entry in log.read(t.CASE_COMMANDS):
        if header(entry, "ce_source") == SOURCE_OF_INTAKE:
            _, partition, offset, _ = header(entry, "ce_id").rsplit("-", 3)
            opened = header(entry, "ce_type").endswith("case.register.v1")
            place = int(partition), int(offset)
            yield "accepted" if opened else "duplicate", place, entry.place, _channel(entry)
    for entry in log.read(t.INTAKE_REJECTED):
        outcome = _decode_outcome(entry.value or b"")
        _, partition, offset = outcome.cause.split("/")
        yield (
            "rejected" if isinstance(outcome, IntakeRejected) else "repeated",
            (int(partition), int(offset)),
            entry.place,
            None,
        )
    for entry in log.read(dead_letters(t.INTAKE_SUBMITTED)):
        yield "dead-lettered", dead_place(entry), entry.place, None


def dead_place(entry: Entry) -> Place:
    """Where a dead letter came from."""
    return int(header(entry, "x-dlq-original-partition")), int(header(entry, "x-dlq-original-offset"))


class _Questions:
    """Commands as questions, facts as their answers; cases told and recorded, by channel."""

    def __init__(self) -> None:
        self.figures = Counter[str]()
        self.unanswered: defaultdict[str, int] = defaultdict(int)
        self.known: set[str] = set()
        self.told, self.recorded = Counter[str](), Counter[str]()

    def ask(self, entry: Entry) -> None:
        try:
            command = _decode_command(entry.value or b"")
        except msgspec.DecodeError:
            self.figures["unreadable"] += 1
            self.unanswered[entry.place] += 1
            return
        if isinstance(command, Wake):
            return
        self.figures["commands"] += 1
        self.unanswered[command.case] += 1
        if isinstance(command, c.Register | c.LinkDuplicate):
            self.told[f"by {command.channel}"] += 1

    def answer(self, fact: Any) -> None:
        if isinstance(fact, e.CaseRegistered):
            self.known.add(fact.case)
        if isinstance(fact, e.CaseRegistered | e.DuplicateLinked):
            self.recorded[f"by {fact.channel}"] += 1
        if type(fact) in BY_COMMAND or (isinstance(fact, e.FeedbackAttempted) and fact.outcome == "unreachable"):
            self.unanswered[fact.case] -= 1
            self.figures["rejected" if isinstance(fact, e.CommandRejected) else "taken"] += 1

    def problems(self) -> Iterator[str]:
        for case, left in self.unanswered.items():
            if left > 0 and case not in self.known:
                self.figures["waiting"] += left
            elif left:
                yield f"case {case}: {abs(left)} {'commands without' if left > 0 else 'more facts than'} answers"
        for channel in self.told.keys() | self.recorded.keys():
            told, recorded = self.told[channel], self.recorded[channel]
            if not 0 <= told - recorded <= self.figures["waiting"]:
                yield f"{channel}: {told} cases and duplicates told, {recorded} recorded"


def commands(log: Log) -> Result:
    """Each command taken or rejected by one fact of its case, or a dead letter; else it waits for a registration."""
    findings, questions = Findings(), _Questions()
    done = log.done("case")
    dead = {dead_place(entry) for entry in log.read(dead_letters(t.CASE_COMMANDS))}
    for entry in log.read(t.CASE_COMMANDS):
        if done is not None and entry.offset >= done.get(entry.partition, 0):
            questions.figures["not folded yet"] += 1
        elif (entry.partition, entry.offset) in dead:
            questions.figures["dead-lettered"] += 1
        else:
            questions.ask(entry)
    for fact in _facts(log, done):
        questions.answer(fact)
    for problem in questions.problems():
        findings.add(problem)
    promise = "each taken, rejected or a dead letter, by exactly one fact; as many of each channel as came in"
    return findings.result("commands", promise, {**questions.figures, **questions.recorded})


def _facts(log: Log, done: Any) -> Iterator[Any]:
    """Facts of the inputs that count: a fact names its cause."""
    for entry in log.read(t.CASE_EVENTS):
        fact = _decode_event(entry.value or b"")
        if done is not None:
            topic, partition, offset = fact.because.cause.split("/")
            if topic == t.CASE_COMMANDS and int(offset) >= done.get(int(partition), 0):
                continue
        yield fact
