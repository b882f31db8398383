"""A prefilled topic of commands drained by the product's worker and by the plain loop, in turn, and compared."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct

from agents.simulate.generate import Simulation
from deploy.bench import mix, tally
from deploy.bench.lab import PARTITIONS, BenchError, Lab, Seen
from deploy.bench.meter import Load, Spread, load, memory, spread
from deploy.fleet.service import Service
from schemas.registry import dead_letters
from streams.case.stage import CASE

WRITTEN: Final = (*CASE.writes, dead_letters(CASE.reads))
Tell = Callable[[str], None]


class Drain(Struct, frozen=True):
    """One run: CPU is user and system time of the whole process, from the first committed batch to the last."""

    who: str
    cpu_us: float
    """Per command."""
    steady_cpu_us: float
    """Per command, over the second half."""
    per_second: float
    """Commands, by the wall clock."""
    rss_mib: float
    outputs: tally.Outputs
    states: tally.Outputs
    load: Load


class Side(Struct, frozen=True):
    """All runs of one program."""

    cpu_us: Spread
    steady_cpu_us: Spread
    per_second: Spread
    per_cpu_second: float
    rss_mib: float


class Result(Struct, frozen=True):
    """`ratio`: the worker's CPU per command to the plain loop's, of medians; `same`: all runs wrote the same."""

    commands: int
    bytes_per_command: float
    outputs_per_command: float
    states: int
    same: bool
    worker: Side
    plain: Side
    ratio: float
    steady_ratio: float
    runs: list[Drain]


class Contestant(NamedTuple):
    """A program to be measured: its group and its changelog, not started yet."""

    service: Service
    group: str
    changelog: str


def measure(home: Path, events: int, runs: int, seed: int, tell: Tell) -> Result:
    """Raises BenchError when a process ends or gets stuck."""
    source = mix.simulation(events, seed)
    with Lab(home, source.truth.start_at) as lab:
        total, size = filled(lab, source, events, tell)
        done: list[Drain] = []
        for number in range(1, runs + 1):
            for make in (_worker, _plain):
                done.append(run(lab, make(lab, number), total))
                tell(told(number, done[-1]))
    return _result(total, size, done)


def filled(lab: Lab, source: Simulation, events: int, tell: Tell) -> tuple[int, int]:
    """Write the commands of a simulation; answers how many there are, and their bytes."""
    sizes: list[int] = []
    tell(f"writing about {events:,} commands")
    return lab.write(CASE.reads, _records(mix.commands(source), sizes)), sum(sizes)


def _records(commands: Iterator[mix.Given], sizes: list[int]) -> Iterator[tuple[bytes, bytes, int]]:
    for key, value, at in commands:
        sizes.append(len(value))
        yield key.encode(), value, at


def _worker(lab: Lab, number: int) -> Contestant:
    prefix = f"bench-worker-{number}"
    group = f"{prefix}-case"
    return Contestant(lab.worker(prefix, "case"), group, f"{group}-{CASE.name}-changelog")


def _plain(lab: Lab, number: int) -> Contestant:
    group = f"bench-plain-{number}"
    changelog = lab.changelog(group, CASE.name)
    return Contestant(lab.program(group, "deploy.bench.plain", group, changelog), group, changelog)


def run(lab: Lab, one: Contestant, total: int) -> Drain:
    """Let one drain the topic, and measure it."""
    busy, begin = load(), lab.ends(WRITTEN)
    pid = lab.start(one.service)
    try:
        looks = lab.watch(one.service, pid, lambda: lab.committed(one.group, CASE.reads), total)
        rss = memory(pid).most
    finally:
        one.service.stop()
    kept: dict[tuple[str, int], int] = {(one.changelog, partition): 0 for partition in range(PARTITIONS)}
    bootstrap = lab.kafka.bootstrap
    wrote, stands = tally.outputs(bootstrap, lab.admin, begin), tally.states(bootstrap, lab.admin, kept)
    return _figures(one.service.name, looks, rss, wrote, stands, busy)


def _figures(who: str, looks: list[Seen], rss: float, wrote: tally.Outputs, stands: tally.Outputs, busy: Load) -> Drain:
    if len(looks) < 3:  # noqa: PLR2004 - a first, a middle and a last
        raise BenchError("too few commands to measure: they are done before anybody looks; give more --events")
    last = looks[-1]
    middle = next(look for look in looks if look.done * 2 >= last.done)
    middle = middle if middle.done < last.done else looks[-2]
    return Drain(
        who.rpartition("-")[0].removeprefix("bench-"),
        round(_cpu_us(looks[0], last), 2),
        round(_cpu_us(middle, last), 2),
        round((last.done - looks[0].done) / (last.at - looks[0].at), 1),
        round(rss, 1),
        wrote,
        stands,
        busy,
    )


def _cpu_us(first: Seen, last: Seen) -> float:
    return (last.cpu - first.cpu) / (last.done - first.done) * 1e6


def _result(total: int, size: int, runs: list[Drain]) -> Result:
    worker, plain = (side([each for each in runs if each.who == who]) for who in ("worker", "plain"))
    first = runs[0]
    return Result(
        commands=total,
        bytes_per_command=round(size / total, 1),
        outputs_per_command=round(first.outputs.count / total, 3),
        states=first.states.count,
        same=all(each.outputs == first.outputs and each.states == first.states for each in runs),
        worker=worker,
        plain=plain,
        ratio=round(worker.cpu_us.median / plain.cpu_us.median, 3),
        steady_ratio=round(worker.steady_cpu_us.median / plain.steady_cpu_us.median, 3),
        runs=runs,
    )


def side(runs: list[Drain]) -> Side:
    """Medians and ranges of all runs of one program."""
    cpu = spread([each.cpu_us for each in runs])
    return Side(
        cpu,
        spread([each.steady_cpu_us for each in runs]),
        spread([each.per_second for each in runs]),
        round(1e6 / cpu.median),
        max(each.rss_mib for each in runs),
    )


def told(number: int, run: Drain) -> str:
    """One run in a line."""
    return (
        f"run {number}, {run.who}: {run.cpu_us} us of CPU a command, {run.per_second:,.0f} a second by the wall clock, "
        f"{run.outputs.count:,} outputs"
    )
