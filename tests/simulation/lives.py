"""What happens to some made-up cases: submissions and commands of a few people, drawn from a seed."""

from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from schemas import commands as c
from schemas.base import Actor, Place, Recording
from schemas.codec import encode
from schemas.intake import Submitted
from schemas.topics import CASE_COMMANDS, INTAKE_SUBMITTED
from streams.ids import case_id
from streams.profiles.profile import DAY_MS, HOUR_MS

START = 1_780_000_000_000
"""A Thursday afternoon, UTC ms."""
GAPS = ((0, HOUR_MS), (HOUR_MS, DAY_MS), (DAY_MS, 3 * DAY_MS), (5 * DAY_MS, 9 * DAY_MS))
PLACES = (("hand-pump", Place(161, {"block": "birdha"})), ("theft", Place(159, {"thana": "palia"})))
OFFICER, CALL_CENTRE = Actor("officer"), Actor("call-centre")
RECORDING = Recording("calls", "r", "ab" * 32, START, 60_000)
MOST_PEOPLE, MOST_STEPS = 3, 5

Head = tuple[str, str, int]
STEPS: tuple[Callable[[Head], Any], ...] = (
    lambda head: c.View(*head, OFFICER),
    lambda head: c.AddNote(*head, OFFICER, "जाँच की गई।"),
    lambda head: c.Dispose(*head, OFFICER, "ठीक कराया गया।"),
    lambda head: c.Dispose(*head, OFFICER, "फिर से ठीक कराया गया।"),
    lambda head: c.CallUnreachable(*head, CALL_CENTRE),
    lambda head: c.ConfirmSatisfied(*head, CALL_CENTRE),
    lambda head: c.ReportDissatisfied(*head, CALL_CENTRE, "not-done", RECORDING),
    lambda head: c.Reopen(*head, CALL_CENTRE, "not-done", RECORDING),
)


class Told(NamedTuple):
    """A record that somebody outside sends: where to, under which key, and when it happened."""

    at: int
    topic: str
    key: str
    record: Any
    value: bytes


def lives(seed: int) -> list[list[Told]]:
    """What each person's case is told, in order of time."""
    draw = Random(f"lives/{seed}")
    return [_life(draw, seed, number) for number in range(draw.randint(1, MOST_PEOPLE))]


def _life(draw: Random, seed: int, number: int) -> list[Told]:
    at = START + draw.randrange(2 * DAY_MS)
    case, (category, place) = case_id("10", "call", f"simulated-{seed}-{number}"), draw.choice(PLACES)
    submitted = Submitted(
        id=f"submission-{number}",
        case=case,
        system="up-1076",
        at=at,
        received_at=at,
        case_type=draw.choice(("complaint", "complaint", "demand", "information")),
        channel="call",
        category=category,
        place=place,
        citizen=f"ct_{seed % 16**16:016x}{number:016x}",
        text="शिकायत",
    )
    told = [Told(at, INTAKE_SUBMITTED, submitted.citizen, submitted, encode(submitted))]
    for step in range(draw.randint(0, MOST_STEPS)):
        at += draw.randint(*draw.choice(GAPS))
        command = draw.choice(STEPS)((f"command-{number}-{step}", case, at))
        told.append(Told(at, CASE_COMMANDS, case, command, encode(command)))
    return told
