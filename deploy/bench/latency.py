"""From a complaint to what people see of it: a whole deployment under an open loop, each step timed from outside."""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

import uvloop
from msgspec import Struct

from agents.settings import Settings
from agents.sms.ledger import entries
from deploy.bench import mix
from deploy.bench.lab import BenchError, shares
from deploy.bench.meter import Load, Spread, cores, cpu_s, load, percentile, spread
from deploy.bench.milestones import Watch
from deploy.bench.pace import Door, Http, Log, Sent, Way, paced, prepared
from deploy.bench.scrape import Effort, efforts, scraped
from deploy.demo.secrets import Secrets, drawn
from deploy.fleet import Fleet

STAGES: Final = ("intake", "case", "sms")
ROLES: Final = dict.fromkeys((*STAGES, "board"), 1)
WARM_S: Final = 5.0
"""At the beginning of each run, not counted; less where the run is shorter."""
COLD_S: Final = 20.0
"""Of load before the first run: the broker compiles what is hot."""
SETTLE_S: Final = 600.0
"""Beyond what two cores can do in time, the queue is worked off."""
AUDIENCE: Final = "officer"
OWN: Final = "load"
DOORS: Final[tuple[Door, ...]] = get_args(Door)
STEPS: Final = ("accepted", "registered", "on the board", "officer's SMS")
Tell = Callable[[str], None]


class Times(Struct, frozen=True):
    """Milliseconds from the intended sending of a complaint to a step; percentiles by sorting all."""

    counted: int
    p50: float
    p99: float
    p999: float
    most: float


class Run(Struct, frozen=True):
    """One run; `steps` by name."""

    door: Door
    rate: float
    steps: dict[str, Times]
    cpu_ms: float
    """CPU of all processes but the load, per complaint of the run, until nothing was left to do."""
    cores: dict[str, float]
    """Cores each process used on average while complaints were sent."""
    stages: dict[str, Effort]
    load: Load


class Row(Struct, frozen=True):
    """All runs of a door at a rate, to one step."""

    door: Door
    rate: float
    step: str
    counted: int
    p50: Spread
    p99: Spread
    p999: Spread
    most: Spread


class Result(Struct, frozen=True):
    seconds: float
    partitions: int
    rows: list[Row]
    cpu_ms: dict[str, Spread]
    """By door and rate."""
    runs: list[Run]


class Timing(NamedTuple):
    """What a run sent, and the instants (UTC ms) at which each case reached the steps it was looked for at."""

    sent: list[Sent]
    reached: dict[str, Mapping[str, float]]


def measure(
    home: Path, rates: Sequence[float], doors: Sequence[Door], seconds: float, partitions: int, runs: int, seed: int,
    tell: Tell,
) -> Result:  # fmt: skip
    """Raises BenchError when an SMS is missing or comes twice, FleetError when a process cannot go on."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(cores()))
    try:
        secrets = drawn()
        with _fleet(home, secrets, partitions, lasting=runs > 1) as fleet:
            meter = Meter(fleet, secrets, seed)
            cold = min(COLD_S, seconds)
            tell(f"warming up for {cold + _warm(cold):.0f} s")
            meter.run(doors[0], min(rates), cold, "cold")
            done = []
            for number in range(1, runs + 1):
                for rate in rates:
                    for door in doors:
                        done.append(meter.run(door, rate, seconds, f"run-{number}"))
                        tell(_told(number, done[-1]))
    finally:
        os.sched_setaffinity(0, before)
    kinds = [(door, rate) for rate in rates for door in doors]
    return Result(
        seconds,
        partitions,
        [row for door, rate in kinds for row in _rows(_of(door, rate, done))],
        {f"{door}, {rate:g}/s": spread([run.cpu_ms for run in _of(door, rate, done)]) for door, rate in kinds},
        done,
    )


def _fleet(home: Path, secrets: Secrets, partitions: int, *, lasting: bool) -> Fleet:
    own = {"NIVARAN_RATE": "0", "NIVARAN_OFFICES": "sandbox"}  # all of it comes from one address
    return Fleet(
        home,
        roles=ROLES,
        partitions=partitions,
        lasting=lasting,
        sandbox=(),
        gateway=True,
        environ={**secrets.environ, **own},
    )


def _warm(seconds: float) -> float:
    return min(WARM_S, seconds)


class Meter:
    """Runs loads against a fleet that is up."""

    def __init__(self, fleet: Fleet, secrets: Secrets, seed: int) -> None:
        self._fleet, self._secrets, self._seed = fleet, secrets, seed
        self._settings = Settings(kafka=fleet.kafka.bootstrap, partitions=fleet.partitions, replication=1)
        self._sent = 0

    def run(self, door: Door, rate: float, seconds: float, name: str) -> Run:
        """`seconds` of load after the warm-up, then wait until nothing is left to do."""
        busy, count = load(), round(rate * (seconds + _warm(seconds)))
        bodies = list(mix.complaints(self._sent + count, self._seed))[self._sent :]
        self._sent += count
        kafka, redis = self._fleet.kafka.bootstrap, self._fleet.redis.url
        with Watch(kafka, redis, self._fleet.partitions, rate) as watch:
            way = self._way(door)
            ready = list(prepared(way, bodies, f"{name}-{door}-{rate:g}"))
            used, began, counters = self._used(), time.monotonic(), self._scraped()
            sent = uvloop.run(_send(way, ready, rate, watch.board.watch))
            after, took = self._used(), time.monotonic() - began
            self._fleet.settle(SETTLE_S)
            watch.see_out({each.case for each in sent})
        spent = sum(end - used[name] for name, end in self._used().items() if name != OWN) / count * 1000
        stages = {role: efforts(counters[role], now, took) for role, now in self._scraped().items()}
        officers = _accepted(self._ledger, {each.case for each in sent})
        taken = {each.case: each.taken * 1000 for each in sent} if door == "gateway" else {}
        reached = (taken, watch.registered.at, watch.board.at, officers)
        timing = Timing(sent, dict(zip(STEPS, reached, strict=True)))
        steps = _steps(timing, sent[0].due + _warm(seconds))
        return Run(door, rate, steps, round(spent, 3), shares(used, after, took), stages, busy)

    @property
    def _ledger(self) -> Path:
        return self._fleet.home / "sms-sandbox" / "ledger.ndjson"

    def _way(self, door: Door) -> Way:
        match door:
            case "gateway":
                return Http(self._fleet.services["gateway"].url, self._secrets.tokens["citizen-channel"])
            case "topic":
                return Log(self._settings, self._secrets.identity)

    def _used(self) -> dict[str, float]:
        """CPU seconds of each process so far; `load` is this one."""
        pids = {name: service.process.pid for name, service in self._fleet.services.items()}
        pids |= {"kafka": self._fleet.kafka.nodes[0].pid, "redis": self._fleet.redis.process.pid, OWN: os.getpid()}
        return {name: cpu_s(pid) for name, pid in pids.items() if pid is not None}

    def _scraped(self) -> dict[str, Mapping[str, float]]:
        return {role: scraped(self._fleet.services[f"{role}-1"].url, role) for role in STAGES}


async def _send(way: Way, ready: Sequence[Any], rate: float, note: Callable[[Sent], None]) -> list[Sent]:
    async with way:
        return await paced(way, ready, rate, note)


def _accepted(ledger: Path, cases: set[str]) -> dict[str, float]:
    """When each case's officer SMS was accepted (UTC ms); raises BenchError unless each has one, and one only."""
    found: dict[str, float] = {}
    for entry in entries(ledger):
        case, _, rest = entry.id.partition("-")
        audience = rest.rpartition("-")[2]
        if entry.kind == "accepted" and audience == AUDIENCE and case in cases:
            if case in found:
                raise BenchError(f"void: case {case} has two SMS to its officer")
            found[case] = entry.at
    if len(found) < len(cases):
        raise BenchError(f"void: {len(cases) - len(found)} of {len(cases)} SMS to officers are missing")
    return found


def _steps(timing: Timing, begin: float) -> dict[str, Times]:
    """Times of what was due from `begin` (UTC, seconds) on, to each step at which anything was looked for."""
    counted = [each for each in timing.sent if each.due >= begin]
    found = {}
    for step, at in timing.reached.items():
        ordered = sorted(at[each.case] - each.due * 1000 for each in counted if each.case in at)
        if ordered:
            p50, p99, p999 = (round(percentile(ordered, share), 1) for share in (0.5, 0.99, 0.999))
            found[step] = Times(len(ordered), p50, p99, p999, round(ordered[-1], 1))
    return found


def _of(door: Door, rate: float, runs: Iterable[Run]) -> list[Run]:
    return [run for run in runs if (run.door, run.rate) == (door, rate)]


def _rows(runs: Sequence[Run]) -> list[Row]:
    return [_row(runs[0], step, [run.steps[step] for run in runs]) for step in STEPS if step in runs[0].steps]


def _row(run: Run, step: str, times: Sequence[Times]) -> Row:
    return Row(
        run.door,
        run.rate,
        step,
        sum(each.counted for each in times),
        spread([each.p50 for each in times]),
        spread([each.p99 for each in times]),
        spread([each.p999 for each in times]),
        spread([each.most for each in times]),
    )


def _told(number: int, run: Run) -> str:
    used = ", ".join(f"{name} {share:.2f}" for name, share in sorted(run.cores.items(), key=lambda each: -each[1]))
    steps = "; ".join(f"{step} {times.p50:.0f}, {times.p99:.0f}" for step, times in run.steps.items())
    return (
        f"run {number}, {run.rate:g}/s by the {run.door}, p50 and p99 in ms: {steps}; "
        f"{run.cpu_ms:.2f} ms of CPU each; cores: {used}"
    )
