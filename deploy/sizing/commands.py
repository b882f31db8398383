"""`nivaran size`: cores, workers, memory, disk and partitions for so many complaints a day."""

from typing import Final

import click
from rich.console import Console
from rich.table import Table

from agents.cli.shared import json_option, print_json
from deploy.sizing.costs import costs
from deploy.sizing.model import Figures, Marked, Size, Used, assumptions, sized, used
from deploy.sizing.publish import number
from streams.profiles.load import profiles

WIDTH: Final = 140


@click.command()
@click.option(
    "--complaints-per-day", type=click.FloatRange(1, 1e9), required=True, help="Of all systems together."
)  # fmt: skip
@click.option(
    "--systems", type=click.Choice(sorted(profiles())), multiple=True,
    help="Whose departments have feeds; may be given several times; default: all.",
)  # fmt: skip
@click.option("--peak", type=click.FloatRange(1, 1000), help="Peak to mean rate of a day, instead of the default.")
@json_option
def size(complaints_per_day: float, systems: tuple[str, ...], peak: float | None, as_json: bool) -> None:
    """Reckon what a deployment needs; every figure that goes into it is shown with its mark and source.

    Marks: M measured by `nivaran bench flow`, S stated in a public page, I inferred from one, D a default of ours. The
    formula is in docs/sizing.md.

    Exit code: 0 reckoned; 2 wrong usage.

    \b
    Example:
      nivaran size --complaints-per-day 20000 --systems up-1076 --systems up-igrs
    """
    figures = assumptions().figures
    if peak is not None:
        figures = _with_peak(figures, peak)
    needed, went_in = sized(complaints_per_day, systems, costs(), figures), used(costs(), figures, systems)
    if as_json:
        print_json({"size": needed, "figures": went_in})
    else:
        _show(needed, went_in)


def _with_peak(figures: Figures, peak: float) -> Figures:
    given = {name: getattr(figures, name) for name in figures.__struct_fields__}
    return Figures(**{**given, "peak_factor": Marked(peak, "D", "given as --peak")})


def _show(needed: Size, went_in: list[Used]) -> None:
    console = Console()
    console = console if console.is_terminal else Console(width=WIDTH)
    table = Table(show_edge=False, pad_edge=False)
    for place, heading in enumerate(("at the peak", "records/s", "cores", "workers", "MiB")):
        table.add_column(heading, justify="right" if place else "left")
    for role in needed.roles:
        cells = (f"{role.records_per_second:,.1f}", f"{role.cores:.2f}", str(role.workers), f"{role.memory_mib:,.0f}")
        table.add_row(f"worker {role.name}", *cells)
    table.add_row("brokers", "", f"{needed.broker_cores:.2f}", "", "")
    table.add_row("Redis", "", f"{needed.redis_cores:.2f}", "", f"{needed.redis_gib * 1024:,.0f}")
    console.print(table)
    for line in (
        f"Cores {needed.cores:,}; memory of workers and Redis {needed.memory_gib:,.1f} GiB.",
        f"Disk of all brokers {needed.disk_gib:,.0f} GiB, with all copies.",
        f"NIVARAN_PARTITIONS {needed.partitions}; {needed.broker_partitions:,} on the brokers, all topics and copies.",
        f"{needed.events_per_second:,.1f} events/s from outside; {needed.cases_in_table:,} cases in the table.",
    ):
        console.print(line, highlight=False, soft_wrap=True)
    figures = Table(show_edge=False, pad_edge=False)
    for heading in ("figure", "value", "mark", "source"):
        figures.add_column(heading, justify="right" if heading == "value" else "left")
    for each in went_in:
        figures.add_row(each.name, number(each.value), each.mark, each.source)
    console.print(figures)
