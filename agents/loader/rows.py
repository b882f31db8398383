"""A row and what becomes of it; the lines of NDJSON as rows, each with its own instants."""

import codecs
import gzip
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
from schemas.base import Instant, Record
from schemas.commands import Command
from schemas.intake import Submitted
from schemas.topics import CASE_COMMANDS, INTAKE_SUBMITTED
from streams.ids import valid_case_id

KEY_LIMIT: Final = 128
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
        return ([submission(submitted)], []) if submitted is not None else ([], errors)
    profile = records.profile_of_case(line.case) if valid_case_id(line.case) else None
    if profile is None:
        return [], [FieldError("case", "no case can have this number: a digit is wrong")]
    command, errors = records.action(body, line.case, profile, line.key, received_at)
    return ([action_of(command, received_at)], []) if command is not None else ([], errors)


def submission(submitted: Submitted) -> Entry:
    key, case = submitted.citizen, submitted.case
    return Entry(INTAKE_SUBMITTED, key, f"submitted-{case}", submitted, submitted.at, submitted.received_at)


def action_of(command: Command, received_at: int) -> Entry:
    return Entry(CASE_COMMANDS, command.case, command.id, command, command.at, received_at)


def as_records(rows: Iterator[Told], on_reject: Callable[[Told], None] = lambda _: None) -> Iterator[At]:
    """The records alone, in the file's order; a row that cannot be taken goes to `on_reject`."""
    for row in rows:
        if row.errors:
            on_reject(row)
        for entry in row.entries:
            yield At(entry.at, entry.topic, entry.key, entry.value)
