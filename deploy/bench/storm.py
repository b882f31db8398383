"""Many cases due at one instant while registrations go on: when each escalation is visible, and what intake waits."""

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from deploy.bench import mix, tally
from deploy.bench.intake import Intake
from deploy.bench.lab import STILL_S, BenchError, Lab, shares
from deploy.bench.meter import Load, Spread, cpu_s, load, percentile, spread
from deploy.bench.onlooker import Onlooker
from deploy.bench.pace import Sent
from deploy.bench.scrape import Effort, efforts, scraped
from deploy.bench.table import fill
from schemas.base import Wake
from schemas.codec import encode
from schemas.topics import CLUSTER_SIGHTED, ESCALATION_RAISED
from streams.case.stage import CASE
from streams.case.state import Case
from streams.profiles.load import profile
from streams.stage import Origin

LEADS_S: Final = (10.0, 30.0, 90.0)
"""So far ahead lies the due instant, for a worker to be ready by then; a longer time where a shorter was not enough."""
LEAD_PER_S: Final = 10_000
"""One second more for so many cases that are written before."""
PARTITIONS: Final = 1
"""One worker on one core: a second lane's transactions cost half as much again, and no more is done at a time."""
INTAKE: Final = 500.0
"""Registrations a second meanwhile."""
CALM_S: Final = 1.0
"""Of intake at least, before the due instant, with which intake meanwhile is compared."""
LOOK_S: Final = 0.02
AHEAD_S: Final = 0.2
"""Before the due instant, for a look at the worker."""
DRAIN_S: Final = 60.0
Tell = Callable[[str], None]


class Size(NamedTuple):
    """Cases due at once, and how often the worker is killed while they are dealt with."""

    cases: int
    kills: int


class Look(NamedTuple):
    """CPU seconds used so far (`load` is this process: intake and the reader), and the worker's own counters."""

    used: dict[str, float]
    counters: Mapping[str, float]


class Waits(Struct, frozen=True):
    """Milliseconds from the instant at which a registration was to be sent until it is visible."""

    sent: int
    p50: float
    p99: float
    most: float


class Run(Struct, frozen=True):
    """One storm; seconds from the due instant until so much was visible to a reader of committed records."""

    cases: int
    kills: int
    first_s: float
    half_s: float
    last_s: float
    calm: Waits
    """Intake before the due instant."""
    meanwhile: Waits
    """Intake from the due instant to the last escalation."""
    worker_cpu_us: float
    """Of the worker, per escalation, registrations meanwhile included."""
    kafka_cpu_us: float
    """Of the broker, likewise."""
    cores: dict[str, float]
    effort: Effort | None
    """Of the worker meanwhile; None where it was killed."""
    load: Load


class Row(Struct, frozen=True):
    cases: int
    kills: int
    first_s: Spread
    half_s: Spread
    last_s: Spread
    calm_p99: Spread
    p50: Spread
    p99: Spread
    most: Spread
    worker_cpu_us: Spread
    kafka_cpu_us: Spread


class Result(Struct, frozen=True):
    """`records`, `bytes_each`: what one escalation writes, its state not counted; of all cases alike."""

    rate: float
    records: float
    bytes_each: float
    rows: list[Row]
    runs: list[Run]


def measure(
    home: Path, due: Sequence[int], kills: int, intake: float | None, runs: int, seed: int, tell: Tell
) -> Result:
    """Raises BenchError when an escalation is missing or comes twice, or a worker does not come back."""
    sizes = [*(Size(count, 0) for count in due), *([Size(due[0], kills)] if kills else [])]
    rate = INTAKE if intake is None else intake
    cases = due_cases(seed)
    done: list[Run] = []
    with Lab(home, None, partitions=PARTITIONS, lasting=runs > 1) as lab:
        for number in range(1, runs + 1):
            for size in sizes:
                done.append(_stormed(lab, f"bench-storm-{len(done) + 1}", size, cases, rate, seed, tell))
                tell(_told(number, done[-1]))
    records, bytes_each = weight(cases)
    return Result(rate, records, bytes_each, [_row(size, done) for size in sizes], done)


def _stormed(lab: Lab, name: str, size: Size, cases: Sequence[Case], rate: float, seed: int, tell: Tell) -> Run:
    for lead in LEADS_S:
        tell(f"writing {size.cases:,} states that fall due in {lead + size.cases / LEAD_PER_S:.0f} s")
        found = Storm(lab, f"{name}-{lead:.0f}", size, cases).run(lead, rate, seed)
        if found is not None:
            return found
        tell("the worker was not ready by then: once more, with more time")
    raise BenchError(f"void: no worker was ready in {LEADS_S[-1]:.0f} s")


def due_cases(seed: int) -> list[Case]:
    """Open cases of a simulated helpline that time takes up."""
    system = profile(mix.SYSTEM)
    return [case for case in mix.standing_cases(seed) if case.status == "open" and system.goes_up(case.level)]


def due_at(cases: Sequence[Case], at: int) -> list[Case]:
    """The same, warned already, as old as they were, due at `at` (UTC ms)."""
    moved = []
    for case in cases:
        assert case.due_at is not None
        by = at - case.due_at
        moved.append(
            replace(case, due_at=at, warn_at=None, registered_at=case.registered_at + by, level_at=case.level_at + by)
        )
    return moved


def weight(cases: Sequence[Case]) -> tuple[float, float]:
    """Records and bytes of values that an escalation by time-out writes, on average."""
    at = 1_800_000_000_000
    outputs = [
        output
        for case in due_at(cases, at)
        for output in CASE.step(case, Wake(case.id, at, at), Origin(CASE.reads, 0, 0, at)).outputs
    ]
    size = sum(len(encode(output.value)) for output in outputs)
    return round(len(outputs) / len(cases), 2), round(size / len(cases))


class Storm:
    """One worker with its states, its load and its reader, on a lab that stays."""

    def __init__(self, lab: Lab, prefix: str, size: Size, cases: Sequence[Case]) -> None:
        self._lab, self._prefix, self._size, self._cases = lab, prefix, size, cases
        self._group = f"{prefix}-case"
        self._service = lab.worker(prefix, "case", instance="storm")
        self._kafka = lab.kafka.nodes[0].pid
        self._spent = 0.0
        """CPU of workers that have been killed, seconds."""

    def run(self, lead: float, rate: float, seed: int) -> Run | None:
        """Run it, the cases due `lead` seconds after they are written; None when the worker is not ready by then."""
        lab, count = self._lab, self._size.cases
        lab.pass_over(self._group, CASE.reads)
        at = round((time.time() + lead + count / LEAD_PER_S) * 1000)
        fill(lab.settings, lab.changelog(self._group, CASE.name), mix.multiplied(due_at(self._cases, at), count))
        begin = lab.ends((ESCALATION_RAISED, CLUSTER_SIGHTED))
        busy = load()
        lab.start(self._service)
        try:
            lab.ready(self._service)
            if at / 1000 - time.time() < CALM_S:
                return None
            with Onlooker(lab.kafka.bootstrap, begin) as onlooker:
                intake = Intake(lab, rate, seed, self._prefix)
                try:
                    looks = self._watch(onlooker, at / 1000)
                finally:
                    sent = intake.end()
                lab.taken(self._group, CASE.reads, DRAIN_S)
                onlooker.wait_for([each.case for each in sent], DRAIN_S)
        finally:
            self._service.stop()
        self._once(begin, at)
        return self._figures(onlooker, sent, at / 1000, looks, busy)

    def _watch(self, onlooker: Onlooker, at: float) -> tuple[Look, Look]:
        """Wait for the last escalation, killing the worker on the way; answers two looks."""
        time.sleep(max(0.0, at - AHEAD_S - time.time()))
        before, count, kills = self._look(), self._size.cases, self._size.kills
        time.sleep(max(0.0, at - time.time()))
        seen, changed, killed = 0, time.monotonic(), 0
        while seen < count:
            time.sleep(LOOK_S)
            onlooker.check()
            now = len(onlooker.escalated)
            if killed < kills and now >= count * (killed + 1) / (kills + 1):
                killed += 1
                self._kill()
            if now != seen:
                seen, changed = now, time.monotonic()
            elif time.monotonic() - changed > STILL_S:
                raise BenchError(
                    f"void: {seen:,} of {count:,} escalations, and no more:\n{self._service.process.tail()}"
                )
            elif self._service.process.ended_with is not None:
                raise BenchError(f"{self._service.name} ended:\n{self._service.process.tail()}")
        if killed < kills:
            raise BenchError(f"void: {killed} of {kills} kills before the last escalation: too few cases")
        return before, self._look()

    def _kill(self) -> None:
        self._spent += self._worker_s()
        self._service.process.kill()
        self._lab.start(self._service)

    def _worker_s(self) -> float:
        pid = self._service.process.pid
        return 0.0 if pid is None else cpu_s(pid)

    def _look(self) -> Look:
        counters = scraped(self._service.url, CASE.name)
        kafka, own = cpu_s(self._kafka or 0), cpu_s(os.getpid())
        return Look({"worker": self._spent + self._worker_s(), "kafka": kafka, "load": own}, counters)

    def _once(self, begin: dict[tuple[str, int], int], at: int) -> None:
        """Read all once more: every case escalated, none twice, and no other."""
        lab = self._lab
        places = {place: offset for place, offset in begin.items() if place[0] == ESCALATION_RAISED}
        found = Counter(message.key().decode() for message in tally.read(lab.kafka.bootstrap, lab.admin, places))
        wanted = {case.id for case in mix.multiplied(due_at(self._cases, at), self._size.cases)}
        missing, other = len(wanted - found.keys()), len(found.keys() - wanted)
        if missing or other or found.total() != len(wanted):
            raise BenchError(
                f"void: of {len(wanted):,} escalations {missing:,} are missing, "
                f"{found.total() - len(found):,} are repeated, {other:,} are of other cases"
            )

    def _figures(
        self,
        onlooker: Onlooker,
        sent: Sequence[Sent],
        at: float,
        looks: tuple[Look, Look],
        busy: Load,
    ) -> Run:
        seen = sorted(onlooker.escalated.values())
        last, count = seen[-1], self._size.cases
        before, after = looks
        waits = [(each.due, (onlooker.registered[each.case] - each.due) * 1000) for each in sent]
        return Run(
            count,
            self._size.kills,
            round(seen[0] - at, 2),
            round(seen[len(seen) // 2] - at, 2),
            round(last - at, 2),
            _waits([wait for due, wait in waits if due < at]),
            _waits([wait for due, wait in waits if at <= due <= last]),
            round((after.used["worker"] - before.used["worker"]) / count * 1e6, 1),
            round((after.used["kafka"] - before.used["kafka"]) / count * 1e6, 1),
            shares(before.used, after.used, last - at),
            None if self._size.kills else efforts(before.counters, after.counters, last - at),
            busy,
        )


def _waits(found: list[float]) -> Waits:
    if not found:
        raise BenchError("no registration in the time that is measured: too short a storm, or too low a rate")
    ordered = sorted(found)
    p50, p99 = (round(percentile(ordered, share), 1) for share in (0.5, 0.99))
    return Waits(len(ordered), p50, p99, round(ordered[-1], 1))


def _row(size: Size, runs: Sequence[Run]) -> Row:
    mine = [run for run in runs if (run.cases, run.kills) == size]
    return Row(
        size.cases,
        size.kills,
        spread([run.first_s for run in mine]),
        spread([run.half_s for run in mine]),
        spread([run.last_s for run in mine]),
        spread([run.calm.p99 for run in mine]),
        spread([run.meanwhile.p50 for run in mine]),
        spread([run.meanwhile.p99 for run in mine]),
        spread([run.meanwhile.most for run in mine]),
        spread([run.worker_cpu_us for run in mine]),
        spread([run.kafka_cpu_us for run in mine]),
    )


def _told(number: int, run: Run) -> str:
    used = ", ".join(f"{name} {share:.2f}" for name, share in run.cores.items())
    return (
        f"run {number}, {run.cases:,} due at once, {run.kills} kills: first {run.first_s} s, half {run.half_s}, "
        f"last {run.last_s}; intake p50 {run.meanwhile.p50:.0f} ms, p99 {run.meanwhile.p99:.0f}, most "
        f"{run.meanwhile.most:.0f} (before: p99 {run.calm.p99:.0f}); {run.worker_cpu_us:.0f} us of the worker's CPU "
        f"each, {run.kafka_cpu_us:.0f} of Kafka's; cores: {used}"
    )
