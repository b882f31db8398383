"""The outcome as people read it: departments as both sides count them, the rows, every check, the speed."""

from collections.abc import Sequence
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from deploy.real.compare import Check
from deploy.real.lines import Line
from streams.profiles.profile import DAY_MS

DEPARTMENTS_SHOWN: Final = 12
DIFFERENCES_SHOWN: Final = 5


def departments_table(product: dict[str, Line], recount: dict[str, Line]) -> Table:
    """The largest departments; every figure as the product counts it, the recount's beside it where it differs."""
    table = Table(box=SIMPLE_HEAD, title="The product's windows, added up (the recount beside a figure that differs)")
    table.add_column("department", no_wrap=True)
    for name in ("received", "disposed", "late L1", "L2", "L3", "L4", "open", "median days"):
        table.add_column(name, justify="right", no_wrap=True)
    names = sorted(product.keys() | recount.keys(), key=lambda name: -_received(name, product, recount))
    nothing = Line(0, 0, (0, 0, 0, 0), 0, None)
    for name in names[:DEPARTMENTS_SHOWN]:
        table.add_row(name, *_figures(product.get(name, nothing), recount.get(name, nothing)))
    if len(names) > DEPARTMENTS_SHOWN:
        table.add_row(f"and {len(names) - DEPARTMENTS_SHOWN} more")
    return table


def _received(name: str, *sides: dict[str, Line]) -> int:
    return max(side[name].received for side in sides if name in side)


def _figures(ours: Line, theirs: Line) -> list[str]:
    pairs = [
        (ours.received, theirs.received),
        (ours.disposed, theirs.disposed),
        *zip(ours.timeouts, theirs.timeouts, strict=True),
        (ours.open, theirs.open),
    ]
    medians = " / ".join("-" if each.median_ms is None else f"{each.median_ms / DAY_MS:.2f}" for each in (ours, theirs))
    return [f"{mine:,}" if mine == other else f"[red]{mine:,} ({other:,})[/red]" for mine, other in pairs] + [medians]


def show(console: Console, outcome: dict[str, Any], checks: Sequence[Check], departments: Table) -> None:
    """Print everything; `outcome` is what `--json` prints."""
    console.print(departments)
    console.print()
    for name, count in outcome["rows"].items():
        console.print(f"  {count:>9,}  {name.replace('_', ' ')}")
    console.print()
    for check in checks:
        mark = "[green]same[/green]" if check.held else "[red]DIFFERENT[/red]"
        console.print(f"  {mark}  {check.name}: {check.compared:,} values")
        for difference in check.differences[:DIFFERENCES_SHOWN]:
            console.print(f"        {difference}", highlight=False, markup=False)
        if len(check.differences) > DIFFERENCES_SHOWN:
            console.print(f"        and {len(check.differences) - DIFFERENCES_SHOWN:,} more")
    console.print()
    speed = outcome["speed"]
    rate = f"{speed['records_per_second']:,} a second"
    console.print(f"  {speed['records']:,} records in {speed['seconds']:,.1f} s, {rate}, {outcome['where']}")
