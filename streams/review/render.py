"""A document as Markdown, as CSV files, and as one printable HTML page; nothing of it needs a network."""

import csv
import io
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from typing import Final

from streams.review.chart import svg
from streams.review.document import Cell, Chart, Column, Document, Table, csv_name

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a text that begins so for a formula."""


def markdown(document: Document, stem: str) -> str:
    """The document as Markdown; charts are their figures."""
    return "\n".join(_markdown(document, stem))


def _markdown(document: Document, stem: str) -> Iterator[str]:
    yield f"# {document.title}\n"
    yield f"**{document.subtitle}**\n"
    yield from (f"- {name}: {value}" for name, value in document.facts)
    for block in document.blocks:
        table = _as_table(block) if isinstance(block, Chart) else block
        yield f"\n## {table.title}\n"
        yield "| " + " | ".join(_plain(column.heading) for column in table.columns) + " |"
        yield "|" + "|".join("---" if column.align == "left" else "---:" for column in table.columns) + "|"
        for row in _printed(table):
            yield "| " + " | ".join(_plain(text(cell)) for cell in row) + " |"
        yield from (f"\n{line}" for line in _below(document, table, stem))
    yield f"\n## {document.notes_title}\n"
    yield from (f"- {note}" for note in document.notes)
    yield ""


def _plain(cell: str) -> str:
    return cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")


def _as_table(chart: Chart) -> Table:
    columns = (Column("label", "", "left"), *(Column(each.name, each.name) for each in chart.series))
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (label, *(series.values[place] for series in chart.series)) for place, label in enumerate(chart.labels)
    )
    return Table(chart.key, chart.title, columns, rows)


def _printed(table: Table) -> Iterator[tuple[Cell, ...]]:
    yield from table.rows if table.shown is None else table.rows[: table.shown]
    if table.total is not None:
        yield table.total


def _below(document: Document, table: Table, stem: str) -> Iterator[str]:
    if table.note:
        yield table.note
    if table.shown is not None and len(table.rows) > table.shown:
        yield document.rest.format(count=len(table.rows) - table.shown, file=csv_name(stem, table))


def text(cell: Cell) -> str:
    """A cell as it is printed."""
    return "–" if cell is None else f"{cell:,}" if isinstance(cell, int) else cell


def tables(document: Document, stem: str) -> dict[str, str]:
    """File name -> content, a CSV for each table, with all its rows and without totals."""
    return {csv_name(stem, block): _csv(block) for block in document.blocks if isinstance(block, Table)}


def _csv(table: Table) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(column.key for column in table.columns)
    writer.writerows([_safe(cell) for cell in row] for row in table.rows)
    return out.getvalue()


def _safe(cell: Cell) -> str | int:
    if cell is None:
        return ""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell


def page(document: Document, stem: str) -> str:
    """The document as one HTML file for a screen and for A4 paper."""
    return "\n".join(_page(document, stem)) + "\n"


def _page(document: Document, stem: str) -> Iterator[str]:
    yield f'<!doctype html>\n<html lang="{document.language}">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(document.title)}</title>\n<style>\n{_style()}</style>\n</head>\n<body>\n<header>"
    yield f"<h1>{escape(document.title)}</h1>\n<p class=subtitle>{escape(document.subtitle)}</p>\n<dl>"
    yield from (f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in document.facts)
    yield "</dl>\n</header>\n<main>"
    for block in document.blocks:
        yield f'<section id="{block.key}">\n<h2>{escape(block.title)}</h2>'
        yield from _charted(block) if isinstance(block, Chart) else _tabled(document, block, stem)
        yield "</section>"
    yield f"</main>\n<footer>\n<h2>{escape(document.notes_title)}</h2>\n<ul>"
    yield from (f"<li>{escape(note)}</li>" for note in document.notes)
    yield "</ul>\n</footer>\n</body>\n</html>"


def _charted(chart: Chart) -> Iterator[str]:
    yield svg(chart)


def _tabled(document: Document, table: Table, stem: str) -> Iterator[str]:
    yield "<div class=wide><table>\n<thead><tr>"
    yield "".join(f'<th scope=col class="{column.align}">{escape(column.heading)}</th>' for column in table.columns)
    yield "</tr></thead>\n<tbody>"
    printed = table.rows if table.shown is None else table.rows[: table.shown]
    yield from (_row(table, row, "td") for row in printed)
    yield "</tbody>"
    if table.total is not None:
        yield f"<tfoot>{_row(table, table.total, 'th')}</tfoot>"
    yield "</table></div>"
    yield from (f"<p class=note>{escape(line)}</p>" for line in _below(document, table, stem))


def _row(table: Table, row: tuple[Cell, ...], tag: str) -> str:
    cells = (
        f'<{tag} class="{column.align}">{escape(text(cell))}</{tag}>'
        for column, cell in zip(table.columns, row, strict=True)
    )
    return f"<tr>{''.join(cells)}</tr>"


def _style() -> str:
    return files("streams.review").joinpath("page.css").read_text("utf-8")
