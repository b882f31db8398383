"""`nivaran bench`: what a command and a request cost, how soon an officer is told, how fast a worker is back."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
from confluent_kafka import KafkaException
from rich.console import Console

from agents.cli.shared import json_option, print_json
from deploy.bench import door, drain, latency, metering, recovery
from deploy.bench.lab import BenchError
from deploy.bench.meter import machine
from deploy.bench.report import Report, put, show
from deploy.bench.reports import case_report, door_report, latency_report, metering_report, recovery_report
from deploy.fleet import FleetError
from deploy.local.errors import LocalError
from deploy.local.paths import local_home

DEFAULT: Final = "case"
WIDTH: Final = 160
HELP: Final = frozenset({"-h", "--help"})


class Parts(click.Group):
    """A group whose part `case` is meant where none is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        named = args and (args[0] in HELP or not args[0].startswith("-"))
        return super().parse_args(ctx, args if named else [DEFAULT, *args])


@click.group(cls=Parts)
def bench() -> None:
    """Measure this machine's deployment; without a part, `case`.

    Compare figures within one run only, and run on a quiet machine: CPU time is sound on a busy one, the clock is not.

    \b
    Example:
      nivaran bench
      nivaran bench latency --rate 500 --seconds 30
    """


events_option: Final = click.option(
    "--events", type=click.IntRange(1_000, 5_000_000), default=200_000, show_default=True,
    help="Commands in the topic, about.",
)  # fmt: skip
runs_option: Final = click.option(
    "--runs", type=click.IntRange(1, 20), default=5, show_default=True, help="Of each kind, in turn."
)
seed_option: Final = click.option("--seed", type=int, default=1, show_default=True, help="Of the simulated helpline.")
rates_option: Final = click.option(
    "--rate", "rates", type=click.FloatRange(1, 5000), multiple=True, default=(100.0, 250.0, 500.0), show_default=True,
    help="Complaints a second; may be given several times.",
)  # fmt: skip
seconds_option: Final = click.option(
    "--seconds", type=click.FloatRange(1, 3600), default=20.0, show_default=True, help="Of load counted in each run."
)
partitions_option: Final = click.option(
    "--partitions", type=click.IntRange(1, 64), default=4, show_default=True, help="Of every topic a stage reads."
)
states_option: Final = click.option(
    "--states", type=click.IntRange(1_000, 20_000_000), default=1_000_000, show_default=True, help="In the changelog."
)
page_option: Final = click.option(
    "--write", "page", type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="Put the result between its marks on this page, as docs/benchmarks.md has them.",
)  # fmt: skip


@bench.command("case")
@events_option
@runs_option
@seed_option
@page_option
@json_option
def case_part(events: int, runs: int, seed: int, page: Path | None, as_json: bool) -> None:
    """Drain a prefilled topic of case commands with `worker case`, and with a plain client loop of the same fold.

    Both read the same records, decide with the same stage, write the same outputs, states and offsets in transactions,
    and must have written the same to the last byte, or the run is void. The broker has one core, the program under test
    another; CPU time counts, of the whole process.

    Exit code: 0 measured; 1 void, or a process ended or got stuck; 2 wrong usage.

    \b
    Example:
      nivaran bench case --events 100000 --runs 3
    """
    measured = _Bench(page, as_json)
    result = measured.of(DEFAULT, lambda home, tell: drain.measure(home, events, runs, seed, tell), case_report)
    measured.end()
    _end_if_void(same=result.same)


@bench.command("latency")
@rates_option
@seconds_option
@partitions_option
@runs_option
@seed_option
@page_option
@json_option
def latency_part(
    rates: tuple[float, ...], seconds: float, partitions: int, runs: int, seed: int, page: Path | None, as_json: bool
) -> None:
    """Time complaints from their intended sending to the officer's SMS accepted by the SMS gateway.

    Broker, Redis, workers intake, case and sms, gateway, SMS sandbox and the load itself share two cores. The loop is
    open: each complaint has its instant, and what delays its sending counts. Once through POST /v1/complaints, once
    straight onto the topic behind it. Every case must have its SMS, and one only, or the run is void. NIVARAN_*
    settings of the environment reach the processes.

    Exit code: 0 measured; 1 void, or a process ended or got stuck; 2 wrong usage.

    \b
    Example:
      nivaran bench latency --rate 500 --seconds 30 --runs 3
    """
    measured = _Bench(page, as_json)
    measured.of(
        "latency",
        lambda home, tell: latency.measure(home, rates, seconds, partitions, runs, seed, tell),
        latency_report,
    )
    measured.end()


@bench.command("recovery")
@states_option
@runs_option
@seed_option
@page_option
@json_option
def recovery_part(states: int, runs: int, seed: int, page: Path | None, as_json: bool) -> None:
    """Start `worker case` cold beside a changelog of cases, and time it until it has them all and their due instants.

    The changelog is written in transactions, in the encoding of the stage. After the last start some cases are asked
    for; answers other than the states written lead to make the run void.

    Exit code: 0 measured; 1 void, or a process ended or got stuck; 2 wrong usage.

    \b
    Example:
      nivaran bench recovery --states 100000 --runs 1
    """
    measured = _Bench(page, as_json)
    measured.of("recovery", lambda home, tell: recovery.measure(home, states, runs, seed, tell), recovery_report)
    measured.end()


@bench.command("door")
@seconds_option
@runs_option
@seed_option
@page_option
@json_option
def door_part(seconds: float, runs: int, seed: int, page: Path | None, as_json: bool) -> None:
    """Post complaints with wrk to the gateway, and to a bare handler that makes one durable write of the body.

    In turn, each on a core of its own, with broker, Redis and wrk on the other. Every request has a key of its own,
    and an answer other than 2xx makes the run void. Needs wrk (Debian package wrk).

    Exit code: 0 measured; 1 void, wrk is missing, or a process ended; 2 wrong usage.

    \b
    Example:
      nivaran bench door --seconds 10 --runs 5
    """
    measured = _Bench(page, as_json)
    measured.of("door", lambda home, tell: door.measure(home, seconds, runs, seed, tell), door_report)
    measured.end()


@bench.command("metrics")
@events_option
@runs_option
@seed_option
@page_option
@json_option
def metrics_part(events: int, runs: int, seed: int, page: Path | None, as_json: bool) -> None:
    """Drain a topic of case commands with `worker case` that counts nothing, counts, and is scraped every second.

    In turn, in one run. Off is for this measurement alone (`python -m deploy.bench.unmetered`): the same worker whose
    counters, gauges and histograms keep nothing. What they write must be the same, or the run is void.

    Exit code: 0 measured; 1 void, or a process ended or got stuck; 2 wrong usage.

    \b
    Example:
      nivaran bench metrics --events 100000 --runs 3
    """
    measured = _Bench(page, as_json)
    result = measured.of(
        "metrics", lambda home, tell: metering.measure(home, events, runs, seed, tell), metering_report
    )
    measured.end()
    _end_if_void(same=result.same)


@bench.command("all")
@events_option
@rates_option
@seconds_option
@partitions_option
@states_option
@runs_option
@seed_option
@page_option
@json_option
def all_parts(
    events: int,
    rates: tuple[float, ...],
    seconds: float,
    partitions: int,
    states: int,
    runs: int,
    seed: int,
    page: Path | None,
    as_json: bool,
) -> None:
    """Run `case`, `latency` and `recovery` one after the other.

    Exit code: 0 measured; 1 one is void, or a process ended or got stuck; 2 wrong usage.

    \b
    Example:
      nivaran bench all --write docs/benchmarks.md
    """
    measured = _Bench(page, as_json)
    drained = measured.of(DEFAULT, lambda home, tell: drain.measure(home, events, runs, seed, tell), case_report)
    measured.of(
        "latency",
        lambda home, tell: latency.measure(home, rates, seconds, partitions, runs, seed, tell),
        latency_report,
    )
    measured.of("recovery", lambda home, tell: recovery.measure(home, states, runs, seed, tell), recovery_report)
    measured.end()
    _end_if_void(same=drained.same)


def _end_if_void(*, same: bool) -> None:
    if not same:
        click.echo("void: the runs did not all write the same", err=True)
        sys.exit(1)


class _Bench:
    """Runs parts, shows each when it is done, and prints all of it as JSON at the end where that is asked for."""

    def __init__(self, page: Path | None, as_json: bool) -> None:
        self._page, self._as_json = page, as_json
        console = Console(stderr=as_json)
        # in a file a table has the room it needs
        self._console = console if console.is_terminal else Console(stderr=as_json, width=WIDTH)
        self._found: dict[str, Any] = {"machine": machine()}

    def of(self, part: str, run: Callable[[Path, Callable[[str], None]], Any], report: Callable[[Any], Report]) -> Any:
        home = local_home().parent / "bench" / part
        shutil.rmtree(home, ignore_errors=True)
        try:
            result = run(home, self._tell)
            self._found[part] = result
            show(report(result), self._console)
            if self._page is not None:
                put(self._page, report(result))
        except (BenchError, FleetError, LocalError, KafkaException) as fault:
            raise click.ClickException(str(fault)) from fault
        return result

    def _tell(self, line: str) -> None:
        self._console.print(line, highlight=False, soft_wrap=True)

    def end(self) -> None:
        if self._as_json:
            print_json(self._found)
