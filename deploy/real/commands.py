"""`nivaran real`: the real cases through the whole system, beside an independent recount."""

import time
from datetime import date
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from agents.cli.shared import json_option, print_json
from agents.settings import Settings, load
from deploy.fleet import FleetError
from deploy.local.errors import LocalError
from deploy.real.compare import Check, Recount, compare
from deploy.real.feed import Feed
from deploy.real.lines import product_lines, recount_lines
from deploy.real.live import live
from deploy.real.memory import in_memory
from deploy.real.recounted import RecountError, recounted
from deploy.real.seen import Run
from deploy.real.show import departments_table, show
from deploy.real.span import HALF_YEAR, WHOLE, Span

ISO: Final = "%Y-%m-%d"
WIDTH: Final = 116


@click.command()
@click.option("--first", type=click.DateTime([ISO]), help=f"First opening day; default: {WHOLE.first}.")
@click.option("--last", type=click.DateTime([ISO]), help=f"Last opening day; default: {WHOLE.last}.")
@click.option("--half-year", is_flag=True, help=f"The cases of {HALF_YEAR.first} to {HALF_YEAR.last} only.")
@click.option("--memory", is_flag=True, help="In memory, without Kafka.")
@json_option
def real(first: Any, last: Any, half_year: bool, memory: bool, as_json: bool) -> None:
    """Run 276,633 real cases of a city council (2015-2021) and compare with a recount that knows none of the code.

    Kafka and the workers are started for the run and ended with it. The recount is tests/recount/recount.py, in
    SQL over the file; the rules both follow stand in tests/data/README.md.

    Exit code: 0 every value is the same; 1 some differ; 2 wrong usage, or the run could not be made.

    \b
    Example:
      nivaran real
      nivaran real --half-year --memory
    """
    span = HALF_YEAR if half_year else WHOLE
    span = Span(_day(first) or span.first, _day(last) or span.last, span.now)
    try:
        recount = recounted(span)
    except RecountError as fault:
        raise Unfit(str(fault)) from fault
    feed = Feed(span)
    began = time.perf_counter()
    run = in_memory(feed.in_time_order(), span) if memory else _live(feed, span)
    seconds = time.perf_counter() - began
    checks = compare(run.seen, feed.noted, recount)
    outcome = _outcome(run, recount, checks, seconds, "in memory" if memory else "on Kafka")
    if as_json:
        print_json(outcome)
    else:
        show(console(), outcome, checks, departments_table(product_lines(run.seen), recount_lines(recount)))
    if not all(check.held for check in checks) or run.dead:
        raise SystemExit(1)


def console() -> Console:
    """As wide as the table, whatever the terminal."""
    found = Console()
    return found if found.width >= WIDTH else Console(width=WIDTH)


class Unfit(click.ClickException):
    """The run cannot be made here."""

    exit_code = 2


def _day(given: Any) -> date | None:
    return given.date() if given else None


def _live(feed: Feed, span: Span) -> Run:
    """Start everything, run, end everything; progress on standard error."""
    home = Path(load(Settings).data_dir) / "real"
    try:
        return live(feed.in_time_order(), span, home, tell=lambda line: click.echo(line, err=True))
    except (FleetError, LocalError) as fault:
        raise Unfit(str(fault)) from fault


def _outcome(run: Run, recount: Recount, checks: list[Check], seconds: float, where: str) -> dict[str, Any]:
    return {
        "where": where,
        "same": all(check.held for check in checks) and not run.dead,
        "checks": [
            {"name": each.name, "compared": each.compared, "differences": len(each.differences)} for each in checks
        ],
        "rows": {**recount["account"], "dead letters": run.dead},
        "facts": dict(sorted(run.seen.facts.items())),
        "windows": dict(sorted(run.seen.windows.items())),
        "speed": {
            "records": run.records,
            "seconds": round(seconds, 1),
            "records_per_second": round(run.records / seconds),
        },
    }
