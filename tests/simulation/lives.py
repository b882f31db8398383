"""What happens to made-up cases, offices and officers: submissions, commands, charges, logins, drawn from a number."""

from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from schemas import commands as c
from schemas import officers as o
from schemas.base import Actor, Place, Recording
from schemas.codec import encode
from schemas.intake import Submitted
from schemas.topics import CASE_COMMANDS, INTAKE_SUBMITTED, OFFICE_ACTIVITY, OFFICER_ACTIVITY
from streams.ids import case_id
from streams.officers.place import office_key
from streams.profiles.profile import DAY_MS, HOUR_MS

START = 1_780_000_000_000
"""A Thursday afternoon, UTC ms."""
HORIZONS = ((2 * DAY_MS, 6), (10 * DAY_MS, 8), (24 * DAY_MS, 4), (60 * DAY_MS, 1))
"""How long a story is looked at, and how often: from the first calls until all is closed or at the last level."""
LONG_AFTER = START + 10 * DAY_MS
"""An officer who stays is told of every day: where there are more of them, each leaves."""
SYSTEM = "up-1076"
GAPS = ((0, HOUR_MS), (HOUR_MS, DAY_MS), (DAY_MS, 3 * DAY_MS), (5 * DAY_MS, 9 * DAY_MS))
MOST_LATE_MS = 5 * DAY_MS
"""A login is told of this much later at most: seven days are allowed."""
MOST_PEOPLE, MOST_STEPS, MOST_LOGINS = 3, 4, 4
CALL_CENTRE = Actor("call-centre")
RECORDING = Recording("calls", "r", "ab" * 32, START, 60_000)


class Told(NamedTuple):
    """A record that somebody outside sends: when, where to, under which key, and when it happened (UTC ms)."""

    told_at: int
    topic: str
    key: str
    record: Any
    value: bytes

    @property
    def at(self) -> int:
        return int(self.record.at)


class Scene(NamedTuple):
    """A kind of case, where it happens, and the offices that have it first, second and last."""

    category: str
    place: Place
    offices: tuple[str, ...]


class Story(NamedTuple):
    """What each person, office and officer tells, each in order of time; what is compared is of before the horizon."""

    lives: tuple[tuple[Told, ...], ...]
    horizon: int

    @property
    def end(self) -> int:
        """Time goes on so far, so that every SMS of before the horizon has its end."""
        return self.horizon + 10 * DAY_MS


SCENES = (
    Scene(
        "hand-pump",
        Place(161, {"block": "birdha"}),
        ("water:district-officer@161", "water:dm@161", "water:principal-secretary@state"),
    ),
    Scene("theft", Place(159, {"thana": "palia"}), ("police:co@159/palia", "police:sp@159", "police:dgp-office@state")),
)
Head = tuple[str, str, int]
STEPS: tuple[Callable[[Head, Actor], Any], ...] = (
    lambda head, by: c.View(*head, by),
    lambda head, by: c.AddNote(*head, by, "जाँच की गई।"),
    lambda head, by: c.Dispose(*head, by, "ठीक कराया गया।"),
    lambda head, by: c.Dispose(*head, by, "फिर से ठीक कराया गया।"),
    lambda head, _: c.CallUnreachable(*head, CALL_CENTRE),
    lambda head, _: c.ConfirmSatisfied(*head, CALL_CENTRE),
    lambda head, _: c.ReportDissatisfied(*head, CALL_CENTRE, "not-done", RECORDING),
    lambda head, _: c.Reopen(*head, CALL_CENTRE, "not-done", RECORDING),
)


def story(number: int) -> Story:
    """The story of that number, always the same."""
    draw = Random(f"lives/{number}")
    [horizon] = draw.choices([START + length for length, _ in HORIZONS], [often for _, often in HORIZONS])
    scenes = draw.choices(SCENES, k=draw.choice((1, 1, 2)))
    watched = draw.random() < 0.5
    most = 2 if watched else MOST_PEOPLE
    people = range(draw.randint(0 if watched else 1, most))
    lives = [_case(draw, number, who, draw.choice(scenes), horizon) for who in people]
    if watched:
        for place, office in draw.sample(list(enumerate(scenes[0].offices)), draw.randint(1, 2)):
            first, second = (f"of-{place}-{who}" for who in ("a", "b"))
            lives += [
                _charges(draw, office, first, second),
                _officer(draw, office, first, leaves=horizon > LONG_AFTER or draw.random() < 0.7),
                [_listed(office, second)],
            ]
    lives = [sorted(each, key=lambda told: told.told_at) for each in lives]
    return Story(tuple(tuple(each) for each in lives), max(horizon, *(each[-1].told_at for each in lives)))


def _told(topic: str, key: str, record: Any, late_ms: int = 0) -> Told:
    return Told(record.at + late_ms, topic, key, record, encode(record))


def _case(draw: Random, number: int, who: int, scene: Scene, until: int) -> list[Told]:
    at = START + draw.randrange(2 * DAY_MS)
    case = case_id("10", "call", f"simulated-{number}-{who}")
    submitted = Submitted(
        id=f"submission-{who}",
        case=case,
        system=SYSTEM,
        at=at,
        received_at=at,
        case_type=draw.choice(("complaint", "complaint", "demand", "information")),
        channel="call",
        category=scene.category,
        place=scene.place,
        citizen=f"ct_{number % 16**16:016x}{who:016x}",
        text="शिकायत",
        against_level=3 if draw.random() < 0.15 else None,
    )
    told = [_told(INTAKE_SUBMITTED, submitted.citizen, submitted)]
    actors = (Actor("officer"), Actor("officer", scene.offices[0], "of-0-b"), Actor("delegate"))
    for step in range(draw.randint(0, MOST_STEPS)):
        at += draw.randint(*draw.choice(GAPS))
        if at > until:
            break
        told.append(
            _told(CASE_COMMANDS, case, draw.choice(STEPS)((f"command-{who}-{step}", case, at), draw.choice(actors)))
        )
    return told


def _charges(draw: Random, office: str, first: str, second: str) -> list[Told]:
    """The one holds charge of the office, and may hand over to the other, who may be told of late or ahead of time."""
    key = office_key(SYSTEM, office)
    told = [_told(OFFICE_ACTIVITY, key, o.TakeCharge(SYSTEM, office, START, first, START - DAY_MS))]
    if draw.random() < 0.5:
        at = START + draw.randrange(8 * DAY_MS)
        from_at = at + draw.randint(-2 * DAY_MS, DAY_MS)
        told.append(_told(OFFICE_ACTIVITY, key, o.TakeCharge(SYSTEM, office, at, second, from_at)))
    return told


def _listed(office: str, officer: str) -> Told:
    listed = o.ListOfficer(f"listing-{officer}", SYSTEM, officer, START, office, "अधिकारी", "listed")
    return _told(OFFICER_ACTIVITY, office_key(SYSTEM, officer), listed)


def _officer(draw: Random, office: str, officer: str, *, leaves: bool) -> list[Told]:
    """A login is applied for and used; a ticket, a step of the ladder; in the end the officer may leave."""
    told, at, key = [_listed(office, officer)], START, office_key(SYSTEM, officer)
    names = iter(range(100))

    def tell(kind: Callable[..., Any], *fields: Any, after_ms: int = 0, late_ms: int = 0) -> None:
        nonlocal at
        at += after_ms
        record = kind(f"told-{officer}-{next(names)}", SYSTEM, officer, at, *fields)
        told.append(_told(OFFICER_ACTIVITY, key, record, late_ms))

    if draw.random() < 0.2:
        return told
    tell(o.RequestId, after_ms=draw.randrange(DAY_MS))
    tell(o.GenerateId, after_ms=draw.randrange(DAY_MS))
    ticket = f"ticket-{officer}"
    others: list[Callable[[], None]] = [
        lambda: tell(o.OpenTicket, ticket, draw.choice(("login", "rain")), "पाठ"),
        lambda: tell(o.AnswerTicket, ticket, "उत्तर"),
        lambda: tell(o.ReopenTicket, ticket, "फिर"),
        lambda: tell(o.CloseTicket, ticket),
        lambda: tell(o.TakeStep, draw.choice(("warning", "charge-sheet")), (case_id("10", "call", officer),)),
    ]
    for _ in range(draw.randint(0, MOST_LOGINS)):
        at += draw.randint(*draw.choice(GAPS[:3]))
        late = draw.choice((0, 0, draw.randrange(MOST_LATE_MS)))
        if draw.random() < 0.7:
            tell(o.Login, late_ms=late)
        else:
            tell(o.PortalTime, draw.randint(1, 20), late_ms=late)
        if draw.random() < 0.4:
            draw.choice(others)()
    if not leaves:
        return told
    leaving = max(each.told_at for each in told) + draw.randrange(DAY_MS)
    left = o.ListOfficer(f"leaving-{officer}", SYSTEM, officer, leaving, office, "अधिकारी", "left")
    return [*told, _told(OFFICER_ACTIVITY, key, left)]
