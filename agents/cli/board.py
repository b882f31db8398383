"""`nivaran board`: a district's live board in the terminal."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from agents.cli.reviewing import answered, district_of, redis_option, sees_option, told
from agents.cli.shared import json_option, kafka_option, print_json, settings_with
from agents.clock import clock_of
from agents.readmodel.district import read_board, systems_of
from agents.readmodel.source import Source
from streams.profiles.load import profiles
from streams.review.live import AGES_DAYS, DistrictBoard

SHOWN: Final = 8


@click.command()
@click.option("--district", type=int, required=True, metavar="LGD", help="The district's code.")
@click.option("--system", help="Only this system; default: every one that serves the district.")
@click.option(
    "--every", type=click.FloatRange(0.2, 3600), default=2.0, show_default=True, help="Seconds between looks."
)
@click.option("--once", is_flag=True, help="Look once, also on a terminal.")
@sees_option
@redis_option
@kafka_option
@json_option
def board(
    district: int,
    system: str | None,
    every: float,
    once: bool,
    sees: tuple[str, ...],
    redis_url: str | None,
    kafka: str | None,
    as_json: bool,
) -> None:
    """Show a district now: department x level x age, today's counts, defaulters, and offices that have not looked.

    Live on a terminal until Ctrl-C; once with --json or where there is no terminal. Fresh as the read model is.

    Exit code: 0 shown; 1 Redis or the clock is away; 2 no system serves the district, or wrong usage.

    \b
    Example:
      nivaran board --district 159
      nivaran board --district 159 --json
    """
    systems = _systems(district, system)
    clock = clock_of(settings_with(kafka))
    clock.start()
    try:
        told(clock)

        def look() -> list[DistrictBoard]:
            at = told(clock)

            async def ask(source: Source) -> list[DistrictBoard]:
                return [await read_board(source, each, district, at, frozenset(sees)) for each in systems]

            return answered(ask, "board", redis_url, kafka)

        console = Console()
        if as_json:
            print_json({"district": district, "systems": look()})
        elif once or not console.is_terminal:
            console.print(_shown(look()))
        else:
            _watch(look, every, console)
    finally:
        clock.stop()


def _systems(district: int, system: str | None) -> list[str]:
    there = systems_of(district)
    if not there:
        district_of(next(iter(profiles().values())), district)
    if system is not None and system not in there:
        raise click.BadParameter(f"the district is served by {', '.join(there)}", param_hint="--system")
    return there if system is None else [system]


def _watch(look: Callable[[], list[DistrictBoard]], every: float, console: Console) -> None:
    try:
        with Live(_shown(look()), console=console, screen=True, auto_refresh=False) as live:
            while True:
                time.sleep(every)
                live.update(_shown(look()), refresh=True)
    except KeyboardInterrupt:
        return


def _shown(boards: list[DistrictBoard]) -> Group:
    return Group(*(part for each in boards for part in (_rows(each), _offices(each))))


def _rows(board: DistrictBoard) -> Table:
    zone = ZoneInfo(profiles()[board.system].zone)
    at = datetime.fromtimestamp(board.at / 1000, UTC).astimezone(zone)
    title = (
        f"{board.name.hi} ({board.name.en}), {board.system}, {at:%d %b %Y %H:%M:%S}\n"
        f"pending {board.pending:,}, due within a day {board.due_soon:,}, today received {board.received:,}, "
        f"disposed {board.disposed:,}, defaulters {len(board.defaulters_today):,} (month {board.defaulters_month:,})"
    )
    table = Table(title=title, title_justify="left", title_style="bold", show_edge=False, pad_edge=False)
    table.add_column("department")
    lows = (0, *AGES_DAYS)
    ages = (*(f"{low}-{high} d" for low, high in zip(lows, AGES_DAYS, strict=False)), f"> {AGES_DAYS[-1]} d")
    for heading in ("level", "pending", *ages, "due soon", "overdue", "unseen", "received", "disposed", "defaulters"):
        table.add_column(heading, justify="right")
    for row in board.rows:
        counts = (row.pending, *row.ages, row.due_soon, row.overdue, row.unseen, row.received, row.disposed,
                  row.defaulters)  # fmt: skip
        table.add_row(row.name.hi, f"L{row.level}", *(f"{count:,}" if count else "·" for count in counts))
    return table


def _offices(board: DistrictBoard) -> Table:
    zone = ZoneInfo(profiles()[board.system].zone)
    left = len(board.not_looked) - SHOWN
    title = "Not looked yet" + (f", and {left} offices more" if left > 0 else "")
    table = Table(title=title, title_justify="left", title_style="bold", show_edge=False, pad_edge=False)
    for heading in ("office", "unseen", "of", "waiting since"):
        table.add_column(heading)
    for each in board.not_looked[:SHOWN]:
        since = datetime.fromtimestamp(each.waiting_since / 1000, UTC).astimezone(zone)
        table.add_row(each.office, f"{each.unseen:,}", f"{each.pending:,}", f"{since:%d %b %H:%M}")
    return table
