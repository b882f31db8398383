"""A file's rows as records, each with its own instants; rows that cannot be taken say why."""

import codecs
import csv
import gzip
import io
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, cast

import msgspec
from msgspec import Struct

from agents.gateway import records
from agents.gateway.log import Entry
from agents.gateway.problems import FieldError
from agents.gateway.records import Identity
from agents.gateway.requests import RegisterLine
from agents.loader.mapping import Compiled, columns, nested
from schemas.base import Instant, Record
from schemas.commands import Command
from schemas.intake import Submitted
from schemas.topics import CASE_COMMANDS, INTAKE_SUBMITTED
from streams.ids import case_id, valid_case_id
from streams.profiles.load import profiles
from streams.profiles.profile import Profile

KEY_LIMIT: Final = 128
FIELD_LIMIT: Final = 1 << 20
LINE_LIMIT: Final = 1 << 20
"""Bytes of a line; the API takes less, and a file that is no NDJSON may have one line of gigabytes."""
KEPT_OF_LONG: Final = 1000


class FileError(ValueError):
    """The file as a whole cannot be read; the message says why."""


class Line(Struct, frozen=True, forbid_unknown_fields=True):
    """A line of NDJSON: the body that the API would take, and beside it what the API has in path and headers."""

    key: str
    body: msgspec.Raw
    case: str | None = None
    """Given: the body is an action on this case; else it is a submission."""
    at: Instant | None = None
    """When it reached the register, UTC ms; used where rows count as received when they happened."""


class Told(NamedTuple):
    """One row: what it becomes, or why it becomes nothing."""

    line: int
    entries: list[Entry]
    errors: list[FieldError]
    original: Any
    """The row as it is in the file, for the reject file."""


class At(NamedTuple):
    """A record and where it goes; `at` is its event time, UTC ms."""

    at: int
    topic: str
    key: str
    record: Record


Clock = Callable[[], int]


def opened(path: Path) -> IO[bytes]:
    """The file's bytes, unpacked where its name ends in .gz; raises FileError."""
    try:
        return cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from None


def ndjson(file: IO[bytes], identity: Identity, now: Clock, *, as_it_happened: bool) -> Iterator[Told]:
    """Rows of NDJSON; empty lines are passed over."""
    decode = msgspec.json.Decoder(Line).decode
    for number, text in enumerate(_lines(file), 1):
        if not text or text.isspace():
            continue
        if len(text) > LINE_LIMIT:
            error = FieldError("", f"is longer than {LINE_LIMIT} bytes; the reject file has its beginning")
            yield Told(number, [], [error], text[:KEPT_OF_LONG].decode("utf-8", "replace"))
            continue
        try:
            line = decode(text)
            received_at = line.at if as_it_happened and line.at is not None else now()
            entries, errors = _of_line(line, received_at, identity)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            entries, errors = [], [FieldError("", f"is no line of this format: {_why(error)}")]
        yield Told(number, entries, errors, text.decode("utf-8", "replace").rstrip("\r\n") if errors else None)


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """The lines, without a byte order mark; of one that is too long its first LINE_LIMIT + 1 bytes."""
    first = True
    while text := file.readline(LINE_LIMIT + 1):
        rest = text
        while len(rest) > LINE_LIMIT and not rest.endswith(b"\n"):
            rest = file.readline(LINE_LIMIT + 1)
        yield text.removeprefix(codecs.BOM_UTF8) if first else text
        first = False


def _why(error: Exception) -> str:
    """Never with a value: it may be what a citizen wrote."""
    match error:
        case UnicodeError():
            return "it is no UTF-8"
        case RecursionError():
            return "it is nested too deeply"
        case msgspec.ValidationError() if "Invalid" in str(error):
            return "a value is none of those possible"
        case _:
            return str(error)


def _of_line(line: Line, received_at: int, identity: Identity) -> tuple[list[Entry], list[FieldError]]:
    if not 8 <= len(line.key) <= KEY_LIMIT:  # noqa: PLR2004 - as for the header of the API
        return [], [FieldError("key", f"must have 8 to {KEY_LIMIT} characters")]
    body = msgspec.json.decode(line.body)
    if line.case is None:
        submitted, errors = records.complaint(body, line.key, received_at, identity, kind=RegisterLine)
        return ([_submission(submitted)], []) if submitted is not None else ([], errors)
    profile = records.profile_of_case(line.case) if valid_case_id(line.case) else None
    if profile is None:
        return [], [FieldError("case", "no case can have this number: a digit is wrong")]
    command, errors = records.action(body, line.case, profile, line.key, received_at)
    return ([_action(command, received_at)], []) if command is not None else ([], errors)


def _submission(submitted: Submitted) -> Entry:
    key, case = submitted.citizen, submitted.case
    return Entry(INTAKE_SUBMITTED, key, f"submitted-{case}", submitted, submitted.at, submitted.received_at)


def _action(command: Command, received_at: int) -> Entry:
    return Entry(CASE_COMMANDS, command.case, command.id, command, command.at, received_at)


def csv_rows(file: IO[bytes], compiled: Compiled, identity: Identity, now: Clock) -> Iterator[Told]:
    """Rows of a CSV with a header; raises FileError where the header lacks what the mapping names."""
    csv.field_size_limit(FIELD_LIMIT)
    text = io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")
    reader = csv.reader(text)
    try:
        header = next(reader, [])
        if not header:
            raise FileError("the file has no header line")
        twice = [name for name, times in Counter(header).items() if times > 1 and name in columns(compiled.mapping)]
        if twice:
            raise FileError(f"the header has a column of the mapping more than once: {', '.join(twice)}")
        missing = columns(compiled.mapping) - set(header)
        if missing:
            raise FileError(f"the mapping names columns the file has not: {', '.join(sorted(missing))}")
        profile = profiles().get(compiled.mapping.system)
        if profile is None:
            raise FileError(f"the mapping names a system that is not served: {compiled.mapping.system}")
        teller = _Teller(compiled, profile, identity, now)
        for line, cells in _rows(reader):
            if isinstance(cells, FieldError):
                yield Told(line, [], [cells], None)
            elif cells:
                row = dict(zip(header, cells, strict=False))
                wrong = _unreadable(cells, header)
                entries, errors = ([], [wrong]) if wrong else teller.tell(row)
                yield Told(line, entries, errors, _shown(row) if errors else None)
    except csv.Error as error:
        raise FileError(f"line {reader.line_num}: {error}") from None
    finally:
        text.detach()  # the file is the caller's to close


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


def _unreadable(cells: list[str], header: list[str]) -> FieldError | None:
    if len(cells) != len(header):
        return FieldError("", f"has {len(cells)} columns, the header has {len(header)}")
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return FieldError("", "is no UTF-8")
    return None


def _shown(row: dict[str, str]) -> dict[str, str]:
    return {name: value.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for name, value in row.items()}


class _Teller:
    """Turns rows of one CSV into entries."""

    def __init__(self, compiled: Compiled, profile: Profile, identity: Identity, now: Clock) -> None:
        self._compiled, self._profile, self._identity, self._now = compiled, profile, identity, now

    def tell(self, row: dict[str, str]) -> tuple[list[Entry], list[FieldError]]:
        key, occurred_at = self._compiled.key(row), self._compiled.occurred(row)
        errors = [] if key else [FieldError("key", "is blank")]
        errors += [] if isinstance(occurred_at, int) else [FieldError("occurred", "is no date of the mapping's format")]
        if errors:
            return [], errors
        received_at = occurred_at if self._as_it_happened else self._now()
        body = self._compiled.body(row) | {"occurred_at": occurred_at}
        submitted, errors = self._submitted(body, str(key), received_at)
        actions = [self._action(row, name, at, fields, str(key), body) for name, at, fields in self._compiled.actions]
        errors += [error for _, wrong in actions for error in wrong]
        if submitted is None or errors:
            return [], errors
        return [_submission(submitted), *(entry for entry, _ in actions if entry is not None)], []

    @property
    def _as_it_happened(self) -> bool:
        return self._compiled.mapping.received == "occurred"

    def _submitted(self, body: dict[str, Any], key: str, received_at: int) -> tuple[Submitted | None, list[FieldError]]:
        try:
            request = msgspec.convert(body, RegisterLine)
        except msgspec.ValidationError:
            flat = body | {"place": _flat(body.get("place"))}
            return records.complaint(flat, key, received_at, self._identity, kind=RegisterLine)
        errors = records.profile_errors(request, received_at)
        return (None, errors) if errors else (records.submitted(request, key, received_at, self._identity), [])

    def _action(
        self, row: dict[str, str], name: str, at: Any, fields: Any, key: str, body: dict[str, Any]
    ) -> tuple[Entry | None, list[FieldError]]:
        occurred_at = at(row)
        if occurred_at is None:
            return None, []
        if not isinstance(occurred_at, int):
            return None, [FieldError(f"{name}.at", "is no date of the mapping's format")]
        received_at = occurred_at if self._as_it_happened else self._now()
        case = case_id(self._profile.code, str(body.get("channel", "")), key)
        raw = nested(fields, row) | {"type": name, "occurred_at": occurred_at}
        command, errors = records.action(raw, case, self._profile, f"{key}/{name}", received_at)
        return (_action(command, received_at) if command is not None else None), errors


def _flat(place: Any) -> Any:
    """As callers of the API write it, so that errors have the same names."""
    if not isinstance(place, dict):
        return place
    units = place.get("units", {})
    return {name: value for name, value in place.items() if name != "units"} | units


def as_records(rows: Iterator[Told], on_reject: Callable[[Told], None] = lambda _: None) -> Iterator[At]:
    """The records alone, in the file's order; a row that cannot be taken goes to `on_reject`."""
    for row in rows:
        if row.errors:
            on_reject(row)
        for entry in row.entries:
            yield At(entry.at, entry.topic, entry.key, entry.value)
