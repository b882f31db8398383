"""What complaints wait while workers of a group come, go, die and are restarted."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from msgspec import Struct

from agents.settings import Settings
from agents.settings import load as settings_of
from deploy.bench.intake import Intake
from deploy.bench.lab import PARTITIONS, BenchError, Lab
from deploy.bench.meter import Load, Spread, load, spread
from deploy.bench.onlooker import Onlooker
from deploy.fleet.service import Service, end_all
from schemas.topics import CLUSTER_SIGHTED
from streams.case.stage import CASE

WORKERS: Final = 3
INTAKE: Final = 100.0
"""Registrations a second meanwhile."""
"""At most; two where nobody has joined."""
CALM_S: Final = 1.0
"""Between two events, and as an event of its own, for comparison."""
BEFORE_S: Final = 0.5
"""Complaints due so long before an event may wait for it to pass."""
SETTLE_S: Final = 120.0
LOOK_S: Final = 0.05
CALM: Final = "nothing happens"
JOIN: Final = "a worker joins"
LEAVE: Final = "a worker leaves (SIGTERM)"
KILL: Final = "a worker dies (kill -9)"
RESTART: Final = "static member restarted (SIGTERM, start)"
REVIVE: Final = "static member killed and started (kill -9, start)"
MOVES: Final = (JOIN, LEAVE)
"""What every rolling change of the number of workers does."""
ALONE: Final = (RESTART, REVIVE)
"""What the other workers must not notice."""
Tell = Callable[[str], None]


class Event(NamedTuple):
    """From when to when (UTC, seconds) it lasted, what the struck worker had, and whether others saw a rebalance."""

    name: str
    begin: float
    end: float
    struck: frozenset[int]
    rebalanced: bool


class Pause(Struct, frozen=True):
    """The longest wait of a complaint, seconds, from its intended sending until what it led to is visible."""

    event: str
    struck_s: float
    """Of partitions of the worker that came, went or died; of all where none did."""
    others_s: float
    rebalanced: bool
    load: Load


class Row(Struct, frozen=True):
    event: str
    struck_s: Spread
    others_s: Spread
    rebalanced: int
    """Runs in which the other workers saw a rebalance."""


class Result(Struct, frozen=True):
    rate: float
    session_timeout: float
    rows: list[Row]
    runs: list[Pause]


def measure(home: Path, intake: float | None, runs: int, seed: int, tell: Tell) -> Result:
    """Raises BenchError when a group does not settle or a complaint is lost, SettingsError."""
    timeout = settings_of(Settings).session_timeout
    rate = INTAKE if intake is None else intake
    done: list[Pause] = []
    with Lab(home, None, workers=WORKERS, lasting=runs > 1) as lab:
        for number in range(1, runs + 1):
            for static, play in ((False, _dynamic), (True, _static)):
                group = Group(lab, f"bench-pauses-{number}-{'static' if static else 'dynamic'}", static=static)
                done += _played(lab, group, play, rate, seed, tell)
    names = dict.fromkeys(pause.event for pause in done)
    return Result(rate, timeout, [_row(name, done) for name in names], done)


class Group:
    """The workers of one group, and what has happened to them."""

    def __init__(self, lab: Lab, prefix: str, *, static: bool) -> None:
        self._lab, self.name = lab, f"{prefix}-case"
        self.workers = [
            lab.worker(prefix, "case", number=number, instance=f"{number}" if static else "")
            for number in range(WORKERS)
        ]
        self.up: list[Service] = []
        self.events: list[Event] = []

    def begin(self, *workers: Service) -> None:
        """Start them, and wait until they share the partitions."""
        for worker in workers:
            self.start(worker)
        self._settle()

    def start(self, worker: Service) -> None:
        self._lab.start(worker)
        self.up.append(worker)

    def take(self, worker: Service) -> Service:
        """It is not waited for any more."""
        self.up.remove(worker)
        return worker

    def stop(self) -> None:
        end_all(self.workers)

    @contextmanager
    def event(self, name: str, struck: Service | None = None) -> Iterator[None]:
        """What is done within is an event; it ends when the workers that are up share the partitions again."""
        time.sleep(CALM_S)
        before = self._settle()
        begin = time.time()
        yield
        after = self._settle()
        had = range(PARTITIONS) if struck is None else _partitions(before.get(struck.name) or after[struck.name])
        others = [worker for worker in before.keys() & after.keys() if struck is None or worker != struck.name]
        moved = any(before[other]["generation"] != after[other]["generation"] for other in others)
        self.events.append(Event(name, begin - BEFORE_S, time.time(), frozenset(had), moved))

    def _settle(self) -> dict[str, Any]:
        """Wait until they are ready, of one generation, and every partition is one worker's; answers what they say."""
        deadline = time.monotonic() + SETTLE_S
        while True:
            told = {worker.name: worker.get("/quiesced") for worker in self.up}
            if _settled(list(told.values())):
                return told
            if time.monotonic() > deadline:
                raise BenchError(f"the group does not settle in {SETTLE_S:.0f} s: {told}")
            for worker in self.up:
                if worker.process.ended_with is not None:
                    raise BenchError(f"{worker.name} ended:\n{worker.process.tail()}")
            time.sleep(LOOK_S)


def _settled(told: Sequence[Any]) -> bool:
    if not all(answer and answer["ready"] for answer in told):
        return False
    shared = sorted(partition for answer in told for partition in _partitions(answer))
    alike = len({answer["generation"] for answer in told}) == 1
    return alike and shared == list(range(PARTITIONS)) and all(_partitions(answer) for answer in told)


def _partitions(answer: Mapping[str, Any]) -> list[int]:
    places = (place.rpartition("-") for place in answer.get("positions", {}))
    return [int(partition) for topic, _, partition in places if topic == CASE.reads]


def _dynamic(group: Group) -> None:
    third = group.workers[2]
    with group.event(CALM):
        time.sleep(CALM_S)
    with group.event(JOIN, third):
        group.start(third)
    with group.event(LEAVE, third):
        group.take(third).ask_to_stop()
    third.see_out()
    group.begin(third)
    with group.event(KILL, third):
        group.take(third).process.kill()


def _static(group: Group) -> None:
    second = group.workers[1]
    with group.event(RESTART, second):
        group.take(second).stop()
        group.start(second)
    with group.event(REVIVE, second):
        group.take(second).process.kill()
        group.start(second)


def _played(
    lab: Lab, group: Group, play: Callable[[Group], None], rate: float, seed: int, tell: Tell
) -> Iterator[Pause]:
    busy = load()
    lab.changelog(group.name, CASE.name)
    lab.pass_over(group.name, CASE.reads)
    try:
        group.begin(*group.workers[:2])
        with Onlooker(lab.kafka.bootstrap, lab.ends((CLUSTER_SIGHTED,))) as onlooker:
            intake = Intake(lab, rate, seed, group.name)
            try:
                play(group)
            finally:
                sent = intake.end()
            onlooker.wait_for([each.case for each in sent], SETTLE_S)
    finally:
        group.stop()
    waits = [(each.due, intake.partitions[each.case], onlooker.registered[each.case] - each.due) for each in sent]
    for event in group.events:
        within = [(partition, wait) for due, partition, wait in waits if event.begin <= due <= event.end]
        struck = max((wait for partition, wait in within if partition in event.struck), default=0.0)
        others = max((wait for partition, wait in within if partition not in event.struck), default=0.0)
        pause = Pause(event.name, round(struck, 2), round(others, 2), event.rebalanced, busy)
        tell(f"{pause.event}: {pause.struck_s} s, others {pause.others_s} s, rebalanced: {pause.rebalanced}")
        yield pause


def _row(event: str, runs: Sequence[Pause]) -> Row:
    mine = [pause for pause in runs if pause.event == event]
    return Row(
        event,
        spread([pause.struck_s for pause in mine]),
        spread([pause.others_s for pause in mine]),
        sum(pause.rebalanced for pause in mine),
    )
