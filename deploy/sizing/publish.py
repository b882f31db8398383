"""`python -m deploy.sizing.publish`: writes the tables of docs/sizing.md; a test compares them with this."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deploy.sizing.costs import costs
from deploy.sizing.model import Size, assumptions, sized, used

PAGE: Final = Path(__file__).parents[2] / "docs" / "sizing.md"
BEGIN: Final = "<!-- sizes, written by python -m deploy.sizing.publish -->\n"
END: Final = "<!-- end of sizes -->\n"
HEADINGS: Final = (
    "", "complaints a day", "events/s", "cores", "workers", "memory, GiB", "disk, GiB", "partitions", "on the brokers",
    "cases in the table",
)  # fmt: skip
THOUSAND: Final = 1000


def page(text: str) -> str:
    """Return the page with its tables as they are now; raises ValueError when it has no place for them."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} needs the marks {BEGIN.strip()} and {END.strip()}")
    return head + BEGIN + tables() + END + tail


def tables() -> str:
    """Sizes of all scenarios, and all figures with mark and source, as Markdown."""
    given, measured = assumptions(), costs()
    rows = [
        (each.name, *_cells(sized(each.complaints_per_day.value, each.systems, measured, given.figures)))
        for each in given.scenarios
    ]
    figures = [
        (f"complaints a day, {each.name}", number(each.complaints_per_day.value), each.complaints_per_day.mark,
         each.complaints_per_day.source)
        for each in given.scenarios
    ]  # fmt: skip
    figures += [(each.name, number(each.value), each.mark, each.source) for each in used(measured, given.figures, ())]
    return f"{_table(HEADINGS, rows)}\n{_table(('figure', 'value', 'mark', 'source'), figures)}"


def _cells(size: Size) -> tuple[str, ...]:
    workers = ", ".join(f"{role.name} {role.workers}" for role in size.roles)
    return (
        number(size.complaints_per_day),
        f"{size.events_per_second:,.0f}",
        f"{size.cores:,}",
        workers,
        f"{size.memory_gib:,.1f}",
        f"{size.disk_gib:,.0f}",
        str(size.partitions),
        f"{size.broker_partitions:,}",
        f"{size.cases_in_table:,}",
    )


def number(value: float) -> str:
    """Four figures, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= THOUSAND else f"{value:.4g}"


def _table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = (headings, tuple("---" for _ in headings), *rows)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
