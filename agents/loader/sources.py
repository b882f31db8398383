"""Which reader a file needs: by its name and whether a mapping is given; and how far it has been read."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from agents.gateway.records import Identity
from agents.loader.mapping import MappingError, read_mapping
from agents.loader.rows import Clock, FileError, Told, ndjson, opened
from agents.loader.tables import csv_rows
from agents.loader.workbook import sheet_rows

WORKBOOKS: Final = frozenset({".xlsx", ".xlsm"})


class Choice(NamedTuple):
    """What of a file is asked for."""

    file: Path
    mapping: Path | None
    sheet: str | None
    as_it_happened: bool
    """Lines of NDJSON count as received at their own `at`."""


class Source(NamedTuple):
    """An open file's rows, and the bytes of it that have been read."""

    rows: Callable[[Identity, Clock], Iterator[Told]]
    position: Callable[[], int]


@contextmanager
def source(choice: Choice) -> Iterator[Source]:
    """Open the file; raises MappingError, FileError where the choice cannot be right."""
    workbook = choice.file.suffix.lower() in WORKBOOKS
    if workbook and choice.mapping is None:
        raise MappingError("a workbook needs --mapping, which says what its columns mean")
    if choice.sheet is not None and not workbook:
        raise FileError(f"{choice.file}: only a workbook has sheets")
    mapping = None if choice.mapping is None else read_mapping(choice.mapping)
    with opened(choice.file) as file:
        packed = getattr(file, "fileobj", None) or file  # of a .gz: the bytes as they are on disk

        def rows(identity: Identity, now: Clock) -> Iterator[Told]:
            if mapping is None:
                return ndjson(file, identity, now, as_it_happened=choice.as_it_happened)
            if workbook:
                return sheet_rows(file, mapping, identity, now, choice.sheet)
            return csv_rows(file, mapping, identity, now)

        yield Source(rows, packed.tell)
