"""A worker started cold beside a changelog full of cases: how fast its table is back, and what it weighs."""

import time
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct

from deploy.bench import mix, tally
from deploy.bench.lab import START_S, BenchError, Lab
from deploy.bench.meter import MIB, Load, Spread, cpu_s, load, memory, spread
from deploy.bench.scrape import scraped
from deploy.bench.table import fill
from schemas.base import Actor
from schemas.codec import decoder, encode
from schemas.commands import View
from streams.case.stage import CASE
from streams.case.state import Case
from streams.stage import Origin

ANSWER_S: Final = 30.0
LEAST_PER_S: Final = 40_000
"""States a second, due instants included, below which a start is given up."""
ASKED: Final = 500
"""Cases that are asked for afterwards, so that a table restored wrongly is not called fast."""
Tell = Callable[[str], None]
_decode: Final = decoder(CASE.records)


class Start(NamedTuple):
    """A worker's start: seconds to states, due instants, ready; of CPU; MiB; records read, states held."""

    restoring: float
    indexing: float
    ready: float
    cpu: float
    rss_mib: float
    records: int
    states: int


class Restore(Struct, frozen=True):
    """One cold start.

    `restore_s`: from the assignment to states as the log has them, when folding begins; `index_s`: to all due instants
    of them. CPU and memory are those beyond a start with an empty changelog.
    """

    restore_s: float
    index_s: float
    ready_s: float
    per_second: float
    cpu_us: float
    bytes_per_state: float
    load: Load


class Result(Struct, frozen=True):
    states: int
    bytes_encoded: float
    per_second: Spread
    cpu_us: Spread
    restore_s: Spread
    index_s: Spread
    ready_s: Spread
    bytes_per_state: Spread
    runs: list[Restore]


def measure(home: Path, states: int, runs: int, seed: int, tell: Tell) -> Result:
    """Raises BenchError when a worker does not come back, or not as it was."""
    with Lab(home, mix.begins_at(seed), lasting=runs > 1) as lab:
        prefix = "bench-recovery"
        group = f"{prefix}-case"
        cases = mix.standing_cases(seed)
        tell(f"writing {states:,} states")
        size = fill(lab.settings, lab.changelog(group, CASE.name), mix.multiplied(cases, states))
        step = max(1, states // ASKED)
        known = {case.id: case for case in islice(mix.multiplied(cases, states), 0, states, step)}
        done: list[Restore] = []
        for number in range(1, runs + 1):
            empty = _start(lab, f"bench-empty-{number}", 0, {})
            busy = load()
            asked = known if number == runs else {}  # what is asked for changes the table
            done.append(_figures(_start(lab, prefix, states, asked), empty, busy))
            tell(_told(number, done[-1]))
    return Result(
        states,
        round(size / states, 1),
        spread([each.per_second for each in done]),
        spread([each.cpu_us for each in done]),
        spread([each.restore_s for each in done]),
        spread([each.index_s for each in done]),
        spread([each.ready_s for each in done]),
        spread([each.bytes_per_state for each in done]),
        done,
    )


def _start(lab: Lab, prefix: str, states: int, known: dict[str, Case]) -> Start:
    """Start a worker cold, wait until it is ready, ask for some of its cases, and stop it."""
    service = lab.worker(prefix, "case")
    began = time.monotonic()
    pid = lab.start(service)
    try:
        lab.ready(service, START_S + states / LEAST_PER_S)
        ready, cpu, rss = time.monotonic() - began, cpu_s(pid), memory(pid).now
        told = scraped(service.url, CASE.name)
        restoring, indexing = (told[f"nivaran_{name}_seconds_sum"] for name in ("recovery", "indexing"))
        records, held = (int(told.get(name, 0)) for name in ("nivaran_restored_states_total", "nivaran_table_states"))
        if (records, held) != (states, states):
            raise BenchError(f"void: {records} records restored and {held} states held, {states} were written")
        if known:
            _ask(lab, f"{prefix}-case", known)
    finally:
        service.stop()
    return Start(restoring, indexing, ready, cpu, rss, records, held)


def _ask(lab: Lab, group: str, known: dict[str, Case]) -> None:
    """Look at some cases; what the worker writes must be what the stage makes of the states that were written."""
    begin, inputs = lab.ends(CASE.writes), lab.ends([CASE.reads])
    at = max(case.level_at for case in known.values())
    by = Actor("officer", "bench", "bench")
    views = ((case.encode(), encode(View(f"view-{at}-{case}", case, at, by=by)), at) for case in known)
    lab.write(CASE.reads, views)
    lab.taken(group, CASE.reads, ANSWER_S)
    found = Counter((m.topic(), m.key(), m.value()) for m in tally.read(lab.kafka.bootstrap, lab.admin, begin))
    expected: Counter[tuple[str, bytes, bytes]] = Counter()
    for message in tally.read(lab.kafka.bootstrap, lab.admin, inputs):
        key, (_, stamped) = message.key().decode(), message.timestamp()
        origin = Origin(CASE.reads, message.partition(), message.offset(), stamped)
        outputs = CASE.step(known[key], _decode(message.value()), origin).outputs
        expected.update((output.topic, output.key.encode(), encode(output.value)) for output in outputs)
    if found != expected:
        raise BenchError(f"void: {(found - expected).total()} records are not what the states written lead to")


def _figures(full: Start, empty: Start, busy: Load) -> Restore:
    return Restore(
        round(full.restoring, 3),
        round(full.indexing, 3),
        round(full.ready, 2),
        round(full.records / full.restoring),
        round((full.cpu - empty.cpu) / full.records * 1e6, 2),
        round((full.rss_mib - empty.rss_mib) * MIB / full.states, 1),
        busy,
    )


def _told(number: int, run: Restore) -> str:
    return (
        f"run {number}: {run.per_second:,.0f} records a second, {run.cpu_us} us of CPU each, "
        f"ready after {run.ready_s} s, {run.bytes_per_state:.0f} bytes a state"
    )
