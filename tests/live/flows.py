"""Flows that chaos can be let loose on: their stages, how workers of them are started, what is sent to them."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from agents.app import ROLES
from agents.simulate.door import Door, stand_in_identity
from agents.simulate.generate import Simulation
from schemas.base import Record
from schemas.registry import topics
from streams.profiles.load import departments, profile
from streams.stage import Stage
from streams.topology import STAGES
from tests.live.toy import Add, Forget, toy
from tests.live.toy import topics as toy_topics

REMIND_MS = 4000
LINES_PER_COMPLAINT = 5


class Input(NamedTuple):
    """`at`: the record's timestamp, and where simulated time is when it is written; None for wall time."""

    topic: str
    key: str
    value: Record | bytes
    at: int | None


@dataclass(frozen=True)
class Flow:
    """A flow and what is sent to it; with `simulated` time the clock moves along with the inputs."""

    stages: tuple[Stage[Any], ...]
    topics: tuple[str, ...]
    workers: dict[str, Sequence[str]]
    """Role -> arguments of `python -m` that run it; its group is `<prefix>-<role>`."""
    role_of: dict[str, str]
    """Stage -> role."""
    inputs: Callable[[int, int], Iterator[Input]]
    """Seed and how many -> inputs."""
    simulated: bool = False
    partitions: int = 4


def toy_flow(prefix: str) -> Flow:
    """The toy: reminders after four seconds of wall time, refused and undecodable records among the inputs."""
    named = toy_topics(prefix)

    def inputs(seed: int, count: int) -> Iterator[Input]:
        draw = random.Random(seed)
        for number in range(count):
            now = time.time_ns() // 1_000_000
            key = f"key-{draw.randrange(count // 5 + 1)}"
            yield Input(named.reads, key, _toy_record(draw, number, now), None)

    return Flow((toy(prefix),), named.all, {"toy": ("tests.live.toy", prefix)}, {"toy": "toy"}, inputs)


def _toy_record(draw: random.Random, number: int, now: int) -> Record | bytes:
    match draw.random():
        case dice if dice < 0.02:
            return b'{"type":"toy.unknown.v9"}'
        case dice if dice < 0.04:
            return Add(13, now)
        case dice if dice < 0.08:
            return Forget(now)
        case dice:
            return Add(draw.randrange(12), now, REMIND_MS if dice < 0.3 else 0, f"record {number}")


def helpline_flow(_: str) -> Flow:
    """The product's stages on a simulated UP 1076; nobody sends the SMS, so their retries fall due as well."""
    roles = {role: parts for role, parts in ROLES.items() if parts.stages}

    def inputs(seed: int, count: int) -> Iterator[Input]:
        simulation = Simulation(profile("up-1076"), seed, scale=max(0.01, count / LINES_PER_COMPLAINT / 20_000))
        door = Door(stand_in_identity())
        for line in simulation:
            entry = door.take(line).entry
            if entry is not None:
                yield Input(entry.topic, entry.key, entry.value, entry.written_at)

    return Flow(
        stages=STAGES,
        topics=tuple(topics(departments())),
        workers={role: ("tests.live.stage_worker", role) for role in roles},
        role_of={stage.name: role for role, parts in roles.items() for stage in parts.stages},
        inputs=inputs,
        simulated=True,
    )


FLOWS: dict[str, Callable[[str], Flow]] = {"toy": toy_flow, "helpline": helpline_flow}
