"""A printable document as a value: headings, tables, charts and notes; what renders it knows nothing of grievances."""

from typing import Literal, NamedTuple

Cell = str | int | None
"""None: there is nothing that could be a value."""
Align = Literal["left", "right"]


class Column(NamedTuple):
    key: str
    """Stable name, for the CSV."""
    heading: str
    align: Align = "right"


class Table(NamedTuple):
    """Rows below a heading. `shown` rows are printed, the CSV has all."""

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: tuple[Cell, ...] | None = None
    shown: int | None = None
    note: str = ""


class Series(NamedTuple):
    name: str
    values: tuple[int, ...]


class Chart(NamedTuple):
    """Vertical bars side by side, one group per label."""

    key: str
    title: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]


Block = Table | Chart


class Document(NamedTuple):
    """A whole pack in one language."""

    language: str
    title: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    blocks: tuple[Block, ...]
    notes_title: str
    notes: tuple[str, ...]
    rest: str
    """How what is not printed is told: `{count}`, `{file}`."""


def csv_name(stem: str, table: Table) -> str:
    """The CSV file of a table."""
    return f"{stem}.{table.key}.csv"
