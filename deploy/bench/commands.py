"""`nivaran bench`: a command for each part of the table, and one for all of them."""

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import click
from confluent_kafka import KafkaException
from rich.console import Console

from agents.cli.shared import json_option, print_json
from deploy.bench.lab import BenchError
from deploy.bench.meter import machine
from deploy.bench.options import OPTIONS, page_option
from deploy.bench.parts import DEFAULT, PARTS, Part
from deploy.bench.report import put, show
from deploy.fleet import FleetError
from deploy.local.errors import LocalError
from deploy.local.paths import local_home

WIDTH: Final = 160
HELP: Final = frozenset({"-h", "--help"})
FAULTS: Final = (BenchError, FleetError, LocalError, KafkaException)


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


class _Bench:
    """Runs parts, shows each when it is done, and prints all of it as JSON at the end where that is asked for."""

    def __init__(self, page: Path | None, as_json: bool) -> None:
        self._page, self._as_json = page, as_json
        console = Console(stderr=as_json)
        # in a file a table has the room it needs
        self._console = console if console.is_terminal else Console(stderr=as_json, width=WIDTH)
        self._found: dict[str, Any] = {"machine": machine()}
        self._faults: list[str] = []

    def run(self, parts: Iterable[Part], given: dict[str, Any]) -> None:
        for part in parts:
            try:
                self._run(part, {name: given[name] for name in part.options})
            except FAULTS as fault:
                self._faults.append(f"{part.name}: {fault}")
                click.echo(self._faults[-1], err=True)
        if self._as_json:
            print_json(self._found)
        if self._faults:
            sys.exit(1)

    def _run(self, part: Part, options: dict[str, Any]) -> None:
        home = local_home().parent / "bench" / part.name
        shutil.rmtree(home, ignore_errors=True)
        result = part.measure(home, tell=self._tell, **options)
        self._found[part.name] = result
        report = part.report(result)
        show(report, self._console)
        if not part.holds(result):
            raise BenchError("void: the runs did not all write the same")
        if self._page is not None:
            put(self._page, report)

    def _tell(self, line: str) -> None:
        self._console.print(line, highlight=False, soft_wrap=True)


def run_parts(parts: Iterable[Part], given: dict[str, Any], *, page: Path | None, as_json: bool) -> None:
    """Run these with their own among the options given; one that fails leaves the others to be run.

    Exits with 1 where one failed.
    """
    _Bench(page, as_json).run(parts, given)


def _command(part: Part) -> click.Command:
    @page_option
    @json_option
    def run(page: Path | None, as_json: bool, **given: Any) -> None:
        run_parts([part], given, page=page, as_json=as_json)

    for name in reversed(part.options):
        run = OPTIONS[name](run)
    return click.command(part.name, help=part.help)(run)


def _all() -> click.Command:
    @click.option(
        "--from", "first", type=click.Choice([part.name for part in PARTS]), default=PARTS[0].name,
        help="Begin with this part: those before it are on the page already.",
    )  # fmt: skip
    @page_option
    @json_option
    def run(first: str, page: Path | None, as_json: bool, **given: Any) -> None:
        names = [part.name for part in PARTS]
        run_parts(PARTS[names.index(first) :], given, page=page, as_json=as_json)

    for name in reversed(OPTIONS):
        run = OPTIONS[name](run)
    about = ", ".join(f"`{part.name}` ({part.minutes} min)" for part in PARTS)
    text = f"""Run all parts, one after the other; each is put on the page when it is done.

    With the options as they are, on a quiet machine of two cores: {about}.

    Exit code: 0 measured; 1 one is void, or a process ended or got stuck, the others are measured; 2 wrong usage.

    \b
    Example:
      nivaran bench all --write docs/benchmarks.md
      nivaran bench all --write docs/benchmarks.md --from latency
    """
    return click.command("all", help=text)(run)


for _part in PARTS:
    bench.add_command(_command(_part))
bench.add_command(_all())
