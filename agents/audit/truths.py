"""Compares the logs of a system with the ground truth of the simulated input it was fed."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from agents.audit.log import Entry, Log, header
from agents.audit.report import Findings, Result
from agents.audit.tally import Tally
from agents.simulate.truth import Truth, differences
from schemas import commands as c
from schemas import events as e
from schemas.codec import decoder
from schemas.intake import IntakeOutcome
from schemas.registry import dead_letters
from schemas.sms import SmsInput
from schemas.topics import CASE_COMMANDS, CASE_EVENTS, INTAKE_REJECTED, INTAKE_SUBMITTED, SMS_REQUESTED

READ: Final[dict[str, Callable[[bytes], Any]]] = {
    CASE_EVENTS: decoder(e.Event),
    INTAKE_REJECTED: decoder(IntakeOutcome),
    SMS_REQUESTED: decoder(SmsInput),
}
_decode_command: Final[Callable[[bytes], Any]] = decoder(c.CaseCommand)


def tallied(log: Log) -> Tally:
    """What the logs say, in the terms of a ground truth."""
    tally = Tally()
    dead: set[tuple[str, int, int]] = set()
    for topic in (INTAKE_SUBMITTED, CASE_COMMANDS):
        for entry in log.read(dead_letters(topic)):
            tally.dead(topic, header(entry, "x-dlq-error-class"))
            dead.add((topic, *_place(entry)))
    for entry in _alive(log, dead):
        tally.see(entry.topic, _decode_command(entry.value or b""))
    for topic, decode in READ.items():
        for entry in log.read(topic):
            tally.see(topic, decode(entry.value or b""))
    return tally


def _place(entry: Entry) -> tuple[int, int]:
    return int(header(entry, "x-dlq-original-partition")), int(header(entry, "x-dlq-original-offset"))


def _alive(log: Log, dead: set[tuple[str, int, int]]) -> Iterator[Entry]:
    return (each for each in log.read(CASE_COMMANDS) if (each.topic, each.partition, each.offset) not in dead)


def compared(log: Log, truth: Truth) -> Result:
    """Every count of the ground truth, found in the logs."""
    findings = Findings()
    expected, found = truth.shown(), tallied(log).shown()
    for difference in differences(expected, found):
        findings.add(difference)
    figures = {"counts compared": sum(len(counts) for counts in expected.values())}
    return findings.result("ground truth", "every count is as the plan of the simulated input says", figures)
