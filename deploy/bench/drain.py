"""A prefilled topic of commands drained by the product's worker, the plain loop and peers, in turn, and compared."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct

from agents.settings import StateStore
from agents.simulate.generate import Simulation
from deploy.bench import mix, peers, tally
from deploy.bench.lab import BenchError, Lab, Seen, stretch
from deploy.bench.meter import Load, Spread, load, memory, spread
from deploy.bench.table import fill
from deploy.fleet.service import Service
from schemas.registry import dead_letters
from streams.case.stage import CASE
from streams.case.state import Case

WRITTEN: Final = (*CASE.writes, dead_letters(CASE.reads))
WORKER: Final = "worker case"
ON_DISK: Final = "worker case, rocksdb"
PLAIN: Final = "plain loop"
OWN: Final = (WORKER, ON_DISK, PLAIN)
"""In the product's formats; others are peers."""
Tell = Callable[[str], None]


class Drain(Struct, frozen=True):
    """One run: CPU is user and system time of the whole process, from the first committed batch to the last."""

    who: str
    cases: int
    """Open in the table beforehand."""
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
    """All runs of one program with so many open cases; `ratio` is of its CPU per command to the plain loop's."""

    who: str
    cases: int
    cpu_us: Spread
    steady_cpu_us: Spread
    per_second: Spread
    per_cpu_second: float
    rss_mib: float
    ratio: float
    steady_ratio: float


class Result(Struct, frozen=True):
    """`same`: all runs wrote the same; peers, whose headers and tables are their own, the same keys and values."""

    commands: int
    bytes_per_command: float
    outputs_per_command: float
    same: bool
    sides: list[Side]
    runs: list[Drain]


class Contestant(NamedTuple):
    """A program to be measured: its group and, where it is in the product's format, its changelog."""

    service: Service
    group: str
    changelog: str | None


Make = Callable[[Lab, str], Contestant]


def measure(
    home: Path, events: int, cases: Sequence[int], store: StateStore, peers: bool, runs: int, seed: int, tell: Tell
) -> Result:
    """Raises BenchError when a process ends or gets stuck."""
    source = mix.simulation(events, seed)
    entries = _entries(sorted(set(cases)), store, _peers(tell) if peers else {})
    with Lab(home, source.truth.start_at, lasting=runs > 1) as lab:
        total, size = filled(lab, source, events, tell)
        standing = mix.open_cases(seed)
        done: list[Drain] = []
        for number in range(1, runs + 1):
            for who, before, make in entries:
                one = make(lab, f"bench-{who.replace(',', '').replace(' ', '-')}-{before}-{number}")
                done.append(run(lab, who, one, total, before, mix.multiplied(standing, before)))
                tell(told(number, done[-1]))
    return _result(total, size, done)


def filled(lab: Lab, source: Simulation, events: int, tell: Tell) -> tuple[int, int]:
    """Write the commands of a simulation; answers how many there are, and their bytes."""
    sizes: list[int] = []
    tell(f"writing about {events:,} commands")
    return lab.write(CASE.reads, _records(mix.commands(source), sizes)), sum(sizes)


def _entries(cases: Sequence[int], store: StateStore, others: dict[str, Make]) -> list[tuple[str, int, Make]]:
    """Peers have as many open cases as the first beside them; filling their tables would take formats of their own."""
    own: dict[str, Make] = {WORKER: _worker, PLAIN: _plain}
    if store == "rocksdb":
        own[ON_DISK] = partial(_worker, store="rocksdb")
    found = [(who, before, make) for before in cases for who, make in own.items()]
    return found + [(who, 0, make) for who, make in others.items()]


def _records(commands: Iterator[mix.Given], sizes: list[int]) -> Iterator[tuple[bytes, bytes, int]]:
    for key, value, at in commands:
        sizes.append(len(value))
        yield key.encode(), value, at


def _worker(lab: Lab, prefix: str, store: StateStore = "memory") -> Contestant:
    group = f"{prefix}-case"
    return Contestant(lab.worker(prefix, "case", store=store), group, lab.changelog(group, CASE.name))


def _plain(lab: Lab, group: str) -> Contestant:
    changelog = lab.changelog(group, CASE.name)
    return Contestant(lab.program(group, "deploy.bench.plain", group, changelog), group, changelog)


def _peers(tell: Tell) -> dict[str, Make]:
    python = peers.installed(tell)

    def maker(module: str) -> Make:
        def make(lab: Lab, group: str) -> Contestant:
            folder = str(lab.home / group / "state")
            return Contestant(lab.program(group, module, group, folder, python=python), group, None)

        return make

    return {who: maker(module) for who, module in peers.PROGRAMS.items()}


def run(lab: Lab, who: str, one: Contestant, total: int, before: int = 0, standing: Iterable[Case] = ()) -> Drain:
    """Let one drain the topic, with `before` cases `standing` open in its table, and measure it."""
    if one.changelog is not None:
        fill(lab.settings, one.changelog, standing)
    kept = {} if one.changelog is None else lab.ends([one.changelog])
    busy, begin = load(), lab.ends(WRITTEN)
    began, pid = time.monotonic(), lab.start(one.service)
    try:
        looks = lab.watch(one.service, pid, lambda: lab.committed(one.group, CASE.reads), total)
        rss = memory(pid).most
    finally:
        one.service.stop()
    if lab.lasting and len(looks) < 3:  # noqa: PLR2004 - a first, a middle and a last; a trial does without
        raise BenchError("too few commands to measure: they are done before anybody looks; give more --events")
    bootstrap = lab.kafka.bootstrap
    wrote, stands = tally.outputs(bootstrap, lab.admin, begin), tally.states(bootstrap, lab.admin, kept)
    whole, steady = stretch(looks, began), stretch(second_half(looks), began)
    rss = round(rss, 1)
    return Drain(who, before, whole.cpu_us, steady.cpu_us, whole.per_second, rss, wrote, stands, busy)


def second_half(looks: Sequence[Seen]) -> Sequence[Seen]:
    """From the first look at which half was done; at all looks, where that was the last one only."""
    late = [look for look in looks if look.done * 2 >= looks[-1].done]
    return late if len(late) > 1 else looks


def _result(total: int, size: int, runs: list[Drain]) -> Result:
    first = runs[0]
    groups: dict[tuple[str, int], list[Drain]] = {}
    for each in runs:
        groups.setdefault((each.who, each.cases), []).append(each)
    return Result(
        commands=total,
        bytes_per_command=round(size / total, 1),
        outputs_per_command=round(first.outputs.count / total, 3),
        same=all(_agree(first, each) for each in runs),
        sides=[_side(mine, groups) for mine in groups.values()],
        runs=runs,
    )


def _agree(first: Drain, other: Drain) -> bool:
    """A table that was filled keeps what was in it; what changed, and what was written, is the same."""
    if other.who in OWN:
        return (other.outputs, other.states) == (first.outputs, first.states)
    return (other.outputs.count, other.outputs.content) == (first.outputs.count, first.outputs.content)


def _side(runs: list[Drain], groups: dict[tuple[str, int], list[Drain]]) -> Side:
    who, cases = runs[0].who, runs[0].cases
    floor = groups.get((PLAIN, cases)) or groups[PLAIN, min(before for kind, before in groups if kind == PLAIN)]
    cpu, steady = spread([each.cpu_us for each in runs]), spread([each.steady_cpu_us for each in runs])
    return Side(
        who,
        cases,
        cpu,
        steady,
        spread([each.per_second for each in runs]),
        round(1e6 / cpu.median),
        max(each.rss_mib for each in runs),
        round(cpu.median / spread([each.cpu_us for each in floor]).median, 3),
        round(steady.median / spread([each.steady_cpu_us for each in floor]).median, 3),
    )


def told(number: int, run: Drain) -> str:
    """One run in a line."""
    return (
        f"run {number}, {run.who}, {run.cases:,} cases before: {run.cpu_us} us of CPU a command, "
        f"{run.per_second:,.0f} a second by the wall clock, {run.outputs.count:,} outputs"
    )
