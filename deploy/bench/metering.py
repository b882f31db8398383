"""What a worker's metrics cost: the same commands drained without them, with them, and with somebody who scrapes."""

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from deploy.bench import mix
from deploy.bench.drain import Contestant, Drain, Tell, filled, run, told
from deploy.bench.lab import Lab
from deploy.bench.meter import Spread, spread
from streams.case.stage import CASE

SCRAPE_S: Final = 1.0
"""Fifteen times as often as deploy/prometheus has it."""
ANSWER_S: Final = 5.0
ACCEPT: Final = "application/openmetrics-text; version=1.0.0"
OFF, ON, SCRAPED = "off", "on", "scraped"
PROGRAMS: Final = {OFF: "deploy.bench.unmetered", ON: "deploy.cli", SCRAPED: "deploy.cli"}


class Side(Struct, frozen=True):
    """All runs of one of the three."""

    cpu_us: Spread
    steady_cpu_us: Spread
    per_second: Spread


class Result(Struct, frozen=True):
    """`same`: all runs wrote the same; sides in the order off, on, scraped."""

    commands: int
    same: bool
    sides: dict[str, Side]
    runs: list[Drain]


def measure(home: Path, events: int, runs: int, seed: int, tell: Tell) -> Result:
    """Raises BenchError when a process ends or gets stuck."""
    source = mix.simulation(events, seed)
    with Lab(home, source.truth.start_at, lasting=runs > 1) as lab:
        total, _ = filled(lab, source, events, tell)
        done: list[Drain] = []
        for number in range(1, runs + 1):
            for who in PROGRAMS:
                one = _contestant(lab, who, number)
                with _scraping(one.service.url, wanted=who == SCRAPED):
                    done.append(run(lab, who, one, total))
                tell(told(number, done[-1]))
    first = done[0]
    return Result(
        commands=total,
        same=all(each.outputs == first.outputs and each.states == first.states for each in done),
        sides={who: _side([each for each in done if each.who == who]) for who in PROGRAMS},
        runs=done,
    )


def _side(runs: list[Drain]) -> Side:
    return Side(
        spread([each.cpu_us for each in runs]),
        spread([each.steady_cpu_us for each in runs]),
        spread([each.per_second for each in runs]),
    )


def _contestant(lab: Lab, who: str, number: int) -> Contestant:
    prefix = f"bench-{who}-{number}"
    group = f"{prefix}-case"
    worker = lab.worker(prefix, "case", module=PROGRAMS[who])
    return Contestant(worker, group, lab.changelog(group, CASE.name))


@contextmanager
def _scraping(url: str, *, wanted: bool) -> Iterator[None]:
    """Ask for the metrics as Prometheus does, again and again."""
    ended = threading.Event()

    def scrape() -> None:
        request = urllib.request.Request(f"{url}/metrics", headers={"Accept": ACCEPT})  # noqa: S310 - our own http address
        while not ended.wait(SCRAPE_S):
            try:
                with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:  # noqa: S310 - the same
                    answer.read()
            except (urllib.error.URLError, OSError):
                continue  # it is starting, or ending

    thread = threading.Thread(target=scrape, name="scrape", daemon=True)
    if wanted:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if wanted:
            thread.join()
