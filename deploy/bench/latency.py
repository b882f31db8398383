"""From a complaint to its officer's SMS: a whole deployment under an open loop, timed by the SMS gateway's ledger."""

import math
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple, get_args

import uvloop
from msgspec import Struct

from agents.settings import Settings
from agents.sms.ledger import entries
from deploy.bench import mix
from deploy.bench.lab import BenchError, shares
from deploy.bench.meter import Load, Spread, cores, cpu_s, load, spread
from deploy.bench.pace import Http, Log, Sent, Way, paced
from deploy.bench.scrape import Effort, efforts, scraped
from deploy.demo.secrets import Secrets, drawn
from deploy.fleet import Fleet

ROLES: Final = {"intake": 1, "case": 1, "sms": 1}
WARM_S: Final = 5.0
"""At the beginning of each run, not counted."""
COLD_S: Final = 20.0
"""Of load before the first run: the broker compiles what is hot."""
SETTLE_S: Final = 120.0
AUDIENCE: Final = "officer"
OWN: Final = "load"
Door = Literal["gateway", "topic"]
DOORS: Final[tuple[Door, ...]] = get_args(Door)
Tell = Callable[[str], None]


class Run(Struct, frozen=True):
    """One run: milliseconds from the intended sending to the instant the SMS gateway noted that it accepts."""

    door: Door
    rate: float
    counted: int
    p50: float
    p99: float
    p999: float
    most: float
    cpu_ms: float
    """CPU of all processes but the load, per complaint of the run, until nothing was left to do."""
    cores: dict[str, float]
    """Cores each process used on average while complaints were sent."""
    stages: dict[str, Effort]
    load: Load


class Row(Struct, frozen=True):
    """All runs of a door at a rate."""

    door: Door
    rate: float
    counted: int
    p50: Spread
    p99: Spread
    p999: Spread
    most: Spread
    cpu_ms: Spread


class Result(Struct, frozen=True):
    seconds: float
    partitions: int
    rows: list[Row]
    runs: list[Run]


class Timing(NamedTuple):
    """What a run sent, and when each case's officer SMS was accepted, UTC ms."""

    sent: list[Sent]
    accepted: dict[str, int]


def measure(
    home: Path, rates: Sequence[float], seconds: float, partitions: int, runs: int, seed: int, tell: Tell
) -> Result:
    """Raises BenchError when an SMS is missing or comes twice, FleetError when a process cannot go on."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(cores()))
    try:
        secrets = drawn()
        with _fleet(home, secrets, partitions) as fleet:
            meter = Meter(fleet, secrets, seed)
            cold = min(COLD_S, 2 * seconds)
            tell(f"warming up for {cold + WARM_S:.0f} s")
            meter.run("gateway", min(rates), cold, "cold")
            done = []
            for number in range(1, runs + 1):
                for rate in rates:
                    for door in DOORS:
                        done.append(meter.run(door, rate, seconds, f"run-{number}"))
                        tell(_told(number, done[-1]))
    finally:
        os.sched_setaffinity(0, before)
    return Result(seconds, partitions, [_row(door, rate, done) for rate in rates for door in DOORS], done)


def _fleet(home: Path, secrets: Secrets, partitions: int) -> Fleet:
    own = {"NIVARAN_RATE": "0", "NIVARAN_OFFICES": "sandbox"}  # all of it comes from one address
    return Fleet(
        home,
        roles=ROLES,
        partitions=partitions,
        lasting=True,
        sandbox=(),
        gateway=True,
        environ={**secrets.environ, **own},
    )


class Meter:
    """Runs loads against a fleet that is up."""

    def __init__(self, fleet: Fleet, secrets: Secrets, seed: int) -> None:
        self._fleet, self._secrets, self._seed = fleet, secrets, seed
        self._settings = Settings(kafka=fleet.kafka.bootstrap, partitions=fleet.partitions, replication=1)
        self._sent = 0

    def run(self, door: Door, rate: float, seconds: float, name: str) -> Run:
        """`seconds` of load after the warm-up, then wait until nothing is left to do."""
        busy, count = load(), round(rate * (seconds + WARM_S))
        bodies = list(mix.complaints(self._sent + count, self._seed))[self._sent :]
        self._sent += count
        used, began, counters = self._used(), time.monotonic(), self._scraped()
        sent = uvloop.run(_send(self._way(door), bodies, rate, f"{name}-{door}-{rate:g}"))
        after, took = self._used(), time.monotonic() - began
        self._fleet.settle(SETTLE_S)
        spent = sum(end - used[name] for name, end in self._used().items() if name != OWN) / count * 1000
        stages = {role: efforts(counters[role], now, took) for role, now in self._scraped().items()}
        timing = Timing(sent, _accepted(self._ledger, {each.case for each in sent}))
        return _figures(door, rate, timing, spent, shares(used, after, took), stages, busy)

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
        return {role: scraped(self._fleet.services[f"{role}-1"].url, role) for role in ROLES}


async def _send(way: Way, bodies: Sequence[Mapping[str, object]], rate: float, name: str) -> list[Sent]:
    async with way:
        return await paced(way, bodies, rate, name)


def _accepted(ledger: Path, cases: set[str]) -> dict[str, int]:
    """When each case's officer SMS was accepted (UTC ms); raises BenchError unless each has one, and one only."""
    found: dict[str, int] = {}
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


def _figures(
    door: Door, rate: float, timing: Timing, spent: float, used: dict[str, float], stages: dict[str, Effort], busy: Load
) -> Run:
    begin = timing.sent[0].due + WARM_S
    counted = sorted(timing.accepted[each.case] - each.due * 1000 for each in timing.sent if each.due >= begin)
    p50, p99, p999 = (round(percentile(counted, share), 1) for share in (0.5, 0.99, 0.999))
    return Run(door, rate, len(counted), p50, p99, p999, round(counted[-1], 1), round(spent, 3), used, stages, busy)


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of figures in order: the least that `share` of them do not exceed."""
    rank = math.ceil(round(share * len(ordered), 6))  # 0.99 of 100 is 99, not the next float
    return ordered[max(1, rank) - 1]


def _row(door: Door, rate: float, runs: Iterable[Run]) -> Row:
    mine = [run for run in runs if (run.door, run.rate) == (door, rate)]
    return Row(
        door,
        rate,
        sum(run.counted for run in mine),
        spread([run.p50 for run in mine]),
        spread([run.p99 for run in mine]),
        spread([run.p999 for run in mine]),
        spread([run.most for run in mine]),
        spread([run.cpu_ms for run in mine]),
    )


def _told(number: int, run: Run) -> str:
    used = ", ".join(f"{name} {share:.2f}" for name, share in sorted(run.cores.items(), key=lambda each: -each[1]))
    stages = "; ".join(f"{role}: {effort}" for role, effort in run.stages.items())
    return (
        f"run {number}, {run.rate:g}/s by the {run.door}: p50 {run.p50:.0f} ms, p99 {run.p99:.0f}, "
        f"p99.9 {run.p999:.0f}, most {run.most:.0f}; {run.cpu_ms:.2f} ms of CPU each; cores: {used}; {stages}"
    )
