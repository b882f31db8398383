"""Tables with a header (a CSV, a sheet of a workbook) as rows: a mapping says what their columns mean."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import IO, Any, Final

import msgspec

from agents.gateway import records
from agents.gateway.log import Entry
from agents.gateway.problems import FieldError
from agents.gateway.records import Identity
from agents.gateway.requests import RegisterLine
from agents.loader.mapping import Cell, Compiled, Unnamed, columns, nested, text_of
from agents.loader.rows import Clock, FileError, Told, action_of, submission
from schemas.intake import Submitted
from streams.text import nfc

FIELD_LIMIT: Final = 1 << 20


def csv_rows(file: IO[bytes], compiled: Compiled, identity: Identity, now: Clock) -> Iterator[Told]:
    """Rows of a CSV with a header; raises FileError where the header lacks what the mapping names."""
    csv.field_size_limit(FIELD_LIMIT)
    text = io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")
    reader = csv.reader(text)
    try:
        header = next(reader, [])
        if not header:
            raise FileError("the file has no header line")
        yield from table(header, _rows(reader), compiled, identity, now)
    except csv.Error as error:
        raise FileError(f"line {reader.line_num}: {error}") from None
    finally:
        text.detach()  # the file is the caller's to close


def table(
    header: Sequence[str],
    rows: Iterable[tuple[int, Sequence[Cell] | FieldError]],
    compiled: Compiled,
    identity: Identity,
    now: Clock,
) -> Iterator[Told]:
    """Rows under a header, each with its number; raises FileError where the header lacks what the mapping names.

    A row in which nothing is written becomes neither a record nor an error, and is counted as blank.
    """
    header = [nfc(_mended(name)) for name in header]
    wanted = columns(compiled.mapping)
    twice = [name for name, times in Counter(header).items() if times > 1 and name in wanted]
    if twice:
        raise FileError(f"the header has a column of the mapping more than once: {', '.join(twice)}")
    missing = wanted - set(header)
    if missing:
        raise FileError(f"the mapping names columns the file has not: {', '.join(sorted(missing))}")
    teller = _Teller(compiled, identity, now)
    for number, cells in rows:
        if isinstance(cells, FieldError):
            yield Told(number, [], [cells], None)
        elif not any(cell if isinstance(cell, datetime) else cell.strip() for cell in cells):
            yield Told(number, [], [], None)
        else:
            row = dict(zip(header, cells, strict=False))
            wrong = _unreadable(cells, header)
            entries, errors = ([], [wrong]) if wrong else teller.tell(row)
            yield Told(number, entries, errors, _shown(row) if errors else None)


def _rows(reader: Any) -> Iterator[tuple[int, list[str] | FieldError]]:
    """Each row with the line it begins on; one that cannot be read is an error, and the next line goes on."""
    while True:
        line = reader.line_num + 1
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, FieldError("", f"cannot be read: {error}")


def _unreadable(cells: Sequence[Cell], header: Sequence[str]) -> FieldError | None:
    if len(cells) != len(header):
        return FieldError("", f"has {len(cells)} columns, the header has {len(header)}")
    return None if _encodes("".join(map(text_of, cells))) else FieldError("", "is no UTF-8")


def _encodes(text: str) -> bool:
    """Not so where bytes stand in it that were no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _mended(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _shown(row: dict[str, Cell]) -> dict[str, str]:
    return {name: _mended(text_of(value)) for name, value in row.items()}


class _Teller:
    """Turns rows of one table into entries."""

    def __init__(self, compiled: Compiled, identity: Identity, now: Clock) -> None:
        self._compiled, self._identity, self._now = compiled, identity, now

    def tell(self, row: dict[str, Cell]) -> tuple[list[Entry], list[FieldError]]:
        key, occurred_at = self._compiled.key(row), self._compiled.occurred(row)
        errors = [] if key else [FieldError("key", "is blank")]
        errors += [] if isinstance(occurred_at, int) else [FieldError("occurred", "is no date of the mapping's format")]
        if errors:
            return [], errors
        received_at = occurred_at if self._as_it_happened else self._now()
        body = self._compiled.body(row) | {"occurred_at": occurred_at}
        submitted, errors = self._submitted(body, str(key), received_at)
        case = "" if submitted is None else submitted.case
        actions = [self._action(row, name, at, fields, str(key), case) for name, at, fields in self._compiled.actions]
        errors += [error for _, wrong in actions for error in wrong]
        if submitted is None or errors:
            return [], errors
        return [submission(submitted), *(entry for entry, _ in actions if entry is not None)], []

    @property
    def _as_it_happened(self) -> bool:
        return self._compiled.mapping.received == "occurred"

    def _submitted(self, body: dict[str, Any], key: str, received_at: int) -> tuple[Submitted | None, list[FieldError]]:
        try:
            request = msgspec.convert(body, RegisterLine)
        except msgspec.ValidationError:
            flat = body | {"place": _flat(body.get("place"))}
            submitted, errors = records.complaint(flat, key, received_at, self._identity, kind=RegisterLine)
            unnamed = {name: value.detail for name, value in _leaves(flat) if isinstance(value, Unnamed)}
            return submitted, [FieldError(each.field, unnamed.get(each.field, each.detail)) for each in errors]
        errors = records.profile_errors(request, received_at)
        return (None, errors) if errors else (records.submitted(request, key, received_at, self._identity), [])

    def _action(
        self, row: dict[str, Cell], name: str, at: Any, fields: Any, key: str, case: str
    ) -> tuple[Entry | None, list[FieldError]]:
        occurred_at = at(row)
        if occurred_at is None:
            return None, []
        if not isinstance(occurred_at, int):
            return None, [FieldError(f"{name}.at", "is no date of the mapping's format")]
        received_at = occurred_at if self._as_it_happened else self._now()
        raw = nested(fields, row) | {"type": name, "occurred_at": occurred_at}
        command, errors = records.action(raw, case, self._compiled.profile, f"{key}/{name}", received_at)
        return (action_of(command, received_at) if command is not None else None), errors


def _flat(place: Any) -> Any:
    """As callers of the API write it, so that errors have the same names."""
    if not isinstance(place, dict):
        return place
    units = place.get("units", {})
    return {name: value for name, value in place.items() if name != "units"} | units


def _leaves(body: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each value with the name errors have for it."""
    for name, value in body.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{below}", each) for below, each in _leaves(value))
        else:
            yield name, value
