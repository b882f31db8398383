"""A sheet of an XLSX workbook as rows, read as a stream: values as a person sees them, rows by Excel's own numbers."""

import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from itertools import chain, zip_longest
from typing import IO, Any, Final
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.cell.cell import ERROR_CODES
from openpyxl.utils.exceptions import InvalidFileException

from agents.gateway.problems import FieldError
from agents.gateway.records import Identity
from agents.loader.mapping import Cell, Compiled, columns
from agents.loader.rows import Clock, FileError, Told
from agents.loader.tables import table
from streams.text import nfc

ROWS: Final = 1_048_576
"""As many as Excel's own format has (stated: Excel specifications and limits, Microsoft)."""
SHEET_BYTES: Final = 4 << 30
"""Unpacked; a sheet passes through as a stream."""
HELD_BYTES: Final = 256 << 20
"""Unpacked, of each other part: Excel's table of strings is held in memory while the sheet is read."""
WHOLE_DIGITS: Final = 10**15
"""From here on Excel has lost digits: it keeps 15 (stated: the same page)."""
TITLE_ROWS: Final = 20
"""Rows among which the header is looked for: a list of a camp has titles above it."""
MERGES: Final = 100_000
CHUNK: Final = 1 << 20
MERGE: Final = re.compile(rb'<(?:\w+:)?mergeCell\b[^>]*?\bref="([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})"')
LONGEST_TAG: Final = 200
BROKEN: Final = (
    InvalidFileException, ParseError, zlib.error, EOFError, KeyError, IndexError, ValueError, TypeError, AttributeError,
    NotImplementedError, RuntimeError,
)  # fmt: skip
"""What the reader raises where a workbook is not what its format says."""

Numbered = tuple[int, Sequence[Any]]


def sheet_rows(
    file: IO[bytes], compiled: Compiled, identity: Identity, now: Clock, sheet: str | None = None
) -> Iterator[Told]:
    """Rows of a sheet (the first one, unless named) under its header; raises FileError.

    The header is the first row that has every column of the mapping. What stands above it, rows without anything in
    them and headings merged over several columns are counted as blank.
    """
    with _readable():
        _bounded(file)
        book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
    try:
        page = _page(book, sheet)
        rows = _numbered(page)
        above, header, skipped = _header(rows, compiled)
        for number in skipped:
            yield Told(number, [], [], None)
        headings = _headings(file, page)
        yield from table(header, _cells(chain(above, rows), header, headings), compiled, identity, now)
    finally:
        book.close()


@contextmanager
def _readable() -> Iterator[None]:
    """Faults of the workbook as FileError; the reader's remarks on what it leaves aside are no matter of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except FileError:
            raise
        except zipfile.BadZipFile:
            raise FileError("is no XLSX workbook; save an .xls as .xlsx, and take a password off") from None
        except BROKEN as error:
            raise FileError(f"the workbook is damaged ({type(error).__name__})") from None


def _bounded(file: IO[bytes]) -> None:
    """Refuse what unpacks to more than fits: a part unpacks to no more than it says, or its check sum fails."""
    with zipfile.ZipFile(file) as archive:
        for part in archive.infolist():
            limit = SHEET_BYTES if part.filename.startswith("xl/worksheets/") else HELD_BYTES
            if part.file_size > limit:
                raise FileError(f"a part of the workbook unpacks to more than {limit >> 20} MiB")
    file.seek(0)


def _page(book: Any, name: str | None) -> Any:
    pages = {nfc(each.title).strip(): each for each in book.worksheets}
    if not pages:
        raise FileError("the workbook has no sheet with cells")
    page = next(iter(pages.values())) if name is None else pages.get(nfc(name).strip())
    if page is None:
        raise FileError(f"the workbook has no sheet {name!r}; there are {', '.join(pages)}")
    page.reset_dimensions()  # what a file says of its size may be wrong, and rows beyond it would be left out
    return page


def _numbered(page: Any) -> Iterator[Numbered]:
    rows = enumerate(page.iter_rows(values_only=True), 1)
    while True:
        with _readable():
            number, cells = next(rows, (0, ()))
        if not number:
            return
        if number > ROWS:
            raise FileError(f"the sheet has more than {ROWS:,} rows")
        yield number, cells


def _header(rows: Iterator[Numbered], compiled: Compiled) -> tuple[list[Numbered], list[str], list[int]]:
    """Rows read too far, the header, and the numbers of the rows above it."""
    wanted, seen = columns(compiled.mapping), list[Numbered]()
    for number, cells in rows:
        seen.append((number, cells))
        names = _names(cells)
        if wanted <= set(names):
            return [], names, [each for each, _ in seen[:-1]]
        if number == TITLE_ROWS:
            break
    first = next((index for index, (_, cells) in enumerate(seen) if _filled(cells)), None)
    if first is None:
        raise FileError("the sheet has no header line")
    best = max(range(first, len(seen)), key=lambda index: len(wanted & set(_names(seen[index][1]))))
    return seen[best + 1 :], _names(seen[best][1]), [each for each, _ in seen[:best]]


def _names(cells: Sequence[Any]) -> list[str]:
    """A header's names: lines within a cell are one, and columns without a name at the end are none."""
    names = ["" if cell is None else " ".join(nfc(str(cell)).split()) for cell in cells]
    while names and not names[-1]:
        names.pop()
    return names


def _filled(cells: Sequence[Any]) -> int:
    return sum(cell is not None and cell != "" for cell in cells)


def _cells(
    rows: Iterator[Numbered], header: Sequence[str], headings: frozenset[int]
) -> Iterator[tuple[int, Sequence[Cell] | FieldError]]:
    for number, cells in rows:
        if not _filled(cells) or (number in headings and _filled(cells) == 1):
            yield number, ()
            continue
        told = [_cell(cell) for cell in cells]
        wrong = next(((name, each) for name, each in zip_longest(header, told) if isinstance(each, FieldError)), None)
        if wrong is not None:
            yield number, wrong[1]._replace(detail=f"{wrong[1].detail} (under {wrong[0] or 'no name'})")
            continue
        whole: list[Cell] = [each for each in told if not isinstance(each, FieldError)]
        while len(whole) > len(header) and whole[-1] == "":
            whole.pop()
        yield number, whole + [""] * (len(header) - len(whole))


def _cell(value: Any) -> Cell | FieldError:
    """A value as a person typed it: a telephone number has no `.0`, a day is an instant in the mapping's zone."""
    told: Cell | FieldError
    match value:
        case None:
            told = ""
        case str() if value in ERROR_CODES:
            told = FieldError("", f"has Excel's error {value} in a cell")
        case bool():
            told = str(value).upper()
        case int() | float() if abs(value) >= WHOLE_DIGITS:
            told = FieldError("", "has a number of more than 15 digits: Excel keeps no more; write it as text")
        case float() if value.is_integer():
            told = str(int(value))
        case datetime():
            told = value
        case date():
            told = datetime.combine(value, time())
        case _:
            told = nfc(str(value))
    return told


def _headings(file: IO[bytes], page: Any) -> frozenset[int]:
    """The rows in which cells are merged over columns; said behind the rows of a sheet, so the sheet is read for it."""
    found: set[int] = set()
    with _readable(), zipfile.ZipFile(file) as archive, archive.open(page._worksheet_path) as part:  # noqa: SLF001 - its name in the archive stands nowhere else
        kept = b""
        while block := part.read(CHUNK):
            text = kept + block
            for left, top, right, _ in MERGE.findall(text):
                if left != right:
                    found.add(int(top))
            if len(found) > MERGES:
                raise FileError(f"more than {MERGES:,} rows have merged cells")
            kept = text[-LONGEST_TAG:]
    return frozenset(found)
