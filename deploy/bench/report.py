"""A measurement as text: the same lines and table on a terminal and, between its marks, on the page of benchmarks."""

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from rich.console import Console
from rich.table import Table

from deploy.bench.lab import BenchError
from deploy.bench.meter import Load, Machine, spread


class Section(Struct, frozen=True):
    """A further table, and what follows from it. First column: names."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    outcome: tuple[str, ...]


class Report(Struct, frozen=True):
    """What was measured on what, its table, and what follows from it. First column: names."""

    part: str
    about: tuple[str, ...]
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    outcome: tuple[str, ...]
    more: tuple[Section, ...] = ()

    @property
    def sections(self) -> tuple[Section, ...]:
        """All tables in turn, the first without a title."""
        return (Section("", self.headings, self.rows, self.outcome), *self.more)


def show(report: Report, console: Console) -> None:
    """On a terminal."""
    for line in report.about:
        console.print(line, highlight=False, soft_wrap=True)
    for section in report.sections:
        table = Table(show_edge=False, pad_edge=False, title=section.title or None, title_justify="left")
        for number, heading in enumerate(section.headings):
            table.add_column(heading, justify="right" if number else "left")
        for row in section.rows:
            table.add_row(*row)
        console.print(table)
        for line in section.outcome:
            console.print(line, highlight=False, soft_wrap=True)


def put(page: Path, report: Report) -> None:
    """Replace what stands between the marks of the part; raises BenchError when the page has no such marks."""
    before, after = f"<!-- {report.part}, measured -->\n", f"<!-- end of {report.part} -->\n"
    try:
        head, _, rest = page.read_text("utf-8").partition(before)
    except OSError as fault:
        raise BenchError(f"{page}: {fault.strerror}") from fault
    _, end, tail = rest.partition(after)
    if not end:
        raise BenchError(
            f"{page} has no place for `{report.part}`: it needs the marks {before.strip()} {after.strip()}"
        )
    page.write_text(head + before + _markdown(report) + after + tail, "utf-8")


def _markdown(report: Report) -> str:
    return "\n\n".join(("\n".join(report.about), *map(_section, report.sections))) + "\n"


def _section(section: Section) -> str:
    rules = ("---", *("---:" for _ in section.headings[1:]))
    rows = "\n".join(f"| {' | '.join(cells)} |" for cells in (section.headings, rules, *section.rows))
    title = (f"**{section.title}**",) if section.title else ()
    return "\n\n".join((*title, rows, "\n".join(f"- {line}" for line in section.outcome)))


def measured_on(machine: Machine, loads: Sequence[Load]) -> str:
    """The machine, and how much of it others had meanwhile."""
    average, loop = spread([each.average for each in loads]), spread([each.loop_wall_ms for each in loads])
    cpu = spread([each.loop_cpu_ms for each in loads])
    return (
        f"{machine.processor}, {machine.cores} cores, {machine.memory_gib} GiB, Python {machine.python}. "
        f"Load average before each run {average}; "
        f"a fixed loop of integers took {cpu} ms of CPU, {loop} ms by the clock."
    )
