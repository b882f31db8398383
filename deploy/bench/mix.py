"""What the measurements feed: commands of a simulated helpline as intake writes them, and cases as they then stand."""

from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from agents.simulate.door import Door, stand_in_identity
from agents.simulate.generate import FIRST_MOBILE, Simulation
from agents.simulate.world import world
from schemas.base import Record
from schemas.codec import decoder, encode
from schemas.intake import Submitted
from schemas.topics import CASE_COMMANDS, INTAKE_SUBMITTED
from streams.case.stage import CASE
from streams.case.state import Case
from streams.ids import case_id
from streams.intake.stage import INTAKE
from streams.profiles.load import profile
from streams.profiles.profile import DAY_MS
from streams.stage import Origin

SYSTEM: Final = "up-1076"
DAYS: Final = 60
"""Of simulated input: most cases come to their end within them."""
PER_CASE: Final = 6.2
"""Commands of a case in the simulation, its registration among them."""
SAMPLE: Final = 8000
"""Commands of the simulation whose first half makes the states, and whose submissions make the bodies, that are
multiplied."""
DUES: Final = ("due_at", "warn_at", "call_at")
LATER_MS: Final = 3650 * DAY_MS
_decode = decoder(CASE.records)


class Given(NamedTuple):
    """A record to write; `at` is UTC ms."""

    key: str
    value: bytes
    at: int


def simulation(commands: int, seed: int) -> Simulation:
    """A helpline whose cases are asked to do about so many things."""
    return helpline(max(1, round(commands / PER_CASE)), seed)


def helpline(cases: int, seed: int, days: int = DAYS, districts: int | None = None) -> Simulation:
    """A helpline to which so many cases come in these days, from its first districts only where that is asked for."""
    volume, system = world().volume, profile(SYSTEM)
    if districts is not None:
        system = replace(system, districts=dict(islice(system.districts.items(), districts)))
    return Simulation(system, seed, scale=cases * volume.days / (days * volume.complaints), days=days)


def begins_at(seed: int) -> int:
    """An instant before anything of the mix falls due, UTC ms."""
    return simulation(1, seed).truth.start_at


def commands(source: Simulation) -> Iterator[Given]:
    """Everything that reaches the case stage, in order of time: registrations and duplicates decided by intake."""
    door, citizens = Door(stand_in_identity()), dict[str, object]()
    for line in source:
        entry = door.take(line).entry
        if entry is None or not isinstance(entry.value, Record):
            continue
        if isinstance(entry.value, Submitted):
            yield from _opened(citizens, entry.value, entry.written_at)
        elif entry.topic == CASE_COMMANDS:
            yield Given(entry.key, encode(entry.value), entry.at)


def _opened(citizens: dict[str, object], submitted: Submitted, at: int) -> Iterator[Given]:
    """What intake writes for a submission; its refusals are no case's business."""
    origin = Origin(INTAKE_SUBMITTED, 0, len(citizens), at)
    known, outputs, _ = INTAKE.step(citizens.get(submitted.citizen), submitted, origin)  # type: ignore[arg-type]  # the stage's own state
    citizens[submitted.citizen] = known
    for output in outputs:
        if output.topic == CASE_COMMANDS:
            yield Given(output.key, encode(output.value), output.at)


def complaints(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Bodies for `POST /v1/complaints` that start a clock when they come, no two from one citizen."""
    timed, door = profile(SYSTEM).timed_types, Door(stand_in_identity())
    bodies = [
        {name: value for name, value in line.body.items() if name != "occurred_at"}
        for line in simulation(SAMPLE, seed)
        if line.way == "http" and line.body and line.body.get("type") in timed and door.take(line).entry is not None
    ]
    for number, body in enumerate(islice(cycle(bodies), count)):
        yield {**body, "mobile": str(FIRST_MOBILE + number)}


def standing_cases(seed: int) -> list[Case]:
    """Cases as they stand in the middle of a simulated helpline."""
    standing: dict[str, Case] = {}
    for offset, given in enumerate(islice(commands(simulation(SAMPLE, seed)), SAMPLE // 2)):
        after = CASE.step(standing.get(given.key), _decode(given.value), Origin(CASE.reads, 0, offset, given.at)).state
        if after is None:
            standing.pop(given.key, None)
        else:
            standing[given.key] = after
    return list(standing.values())


def open_cases(seed: int) -> list[Case]:
    """Those of them that an office or a feedback call still has to do with, each with a due instant."""
    return [case for case in standing_cases(seed) if case.status in ("open", "disposed") and CASE.wake_at(case)]


def put_off(cases: list[Case]) -> list[Case]:
    """The same, of whom nothing falls due for ten years more."""
    return [
        replace(case, **{name: at + LATER_MS for name in DUES if (at := getattr(case, name)) is not None})
        for case in cases
    ]


def multiplied(cases: list[Case], count: int) -> Iterator[Case]:
    """As many, each under an id of its own."""
    code = profile(SYSTEM).code
    for number, case in enumerate(islice(cycle(cases), count)):
        yield replace(case, id=case_id(code, "call", f"bench-{number}"))
