"""The form of a backup: a manifest, and a compressed file of lines (NDJSON, zstd) per partition, with checksums."""

import base64
import binascii
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import zstandard
from msgspec import Struct

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
LEVEL: Final = 3
CHUNK: Final = 1 << 20
Text = str | tuple[str] | None
"""Bytes as they are written: text where they are UTF-8, else an array of one string, base64."""


class BackupError(RuntimeError):
    """A backup cannot be made, read or restored; the message says what is wrong and what to do."""


class Stored(NamedTuple):
    """A record at its offset; `at` is its timestamp, UTC ms."""

    offset: int
    at: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


class Line(Struct, frozen=True, omit_defaults=True):
    """A record in a file: offset, timestamp, key, value, headers."""

    o: int
    t: int
    k: Text = None
    v: Text = None
    h: tuple[tuple[str, Text], ...] = ()


class Part(Struct, frozen=True):
    """One partition.

    `begin` is the offset of its first record (`end` where there is none), `end` the one after its last offset, be it a
    marker's.
    """

    partition: int
    begin: int
    end: int
    records: int
    file: str
    sha256: str
    """Of the file."""
    content: str
    """SHA-256 of its lines, uncompressed: what a restored partition is compared by."""


class SavedTopic(Struct, frozen=True):
    name: str
    config: dict[str, str]
    parts: tuple[Part, ...]


class Manifest(Struct, frozen=True):
    """What a backup holds. `groups`: consumer group -> topic -> partition -> next offset."""

    format: int
    cluster: str
    made_at: int
    """UTC ms."""
    prefix: str
    topics: tuple[SavedTopic, ...]
    groups: dict[str, dict[str, dict[str, int]]]

    @property
    def records(self) -> int:
        return sum(part.records for topic in self.topics for part in topic.parts)


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Line).decode


def line(record: Stored) -> bytes:
    """Return the record as a line, its newline with it."""
    headers = tuple((name, _text(value)) for name, value in record.headers)
    return _encode(Line(record.offset, record.at, _text(record.key), _text(record.value), headers)) + b"\n"


def record(read: bytes) -> Stored:
    """Return what a line holds; raises BackupError."""
    try:
        found = _decode(read)
        headers = tuple((name, _bytes(value)) for name, value in found.h)
        return Stored(found.o, found.t, _bytes(found.k), _bytes(found.v), headers)
    except (msgspec.DecodeError, binascii.Error, UnicodeDecodeError) as error:
        raise BackupError(f"a line cannot be read: {error}") from None


def _text(value: bytes | None) -> Text:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return (base64.b64encode(value).decode(),)


def _bytes(value: Text) -> bytes | None:
    match value:
        case None:
            return None
        case str():
            return value.encode()
        case (encoded,):
            return base64.b64decode(encoded, validate=True)


class Sink:
    """Writes one partition's file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.records = 0
        self._first: int | None = None
        self._path = path
        self._content = hashlib.sha256()
        self._file = zstandard.open(path, "wb", cctx=zstandard.ZstdCompressor(level=LEVEL, write_checksum=True))

    def add(self, stored: Stored) -> None:
        written = line(stored)
        self._content.update(written)
        self._file.write(written)
        self.records += 1
        if self._first is None:
            self._first = stored.offset

    def first(self, end: int) -> int:
        """Return the offset of the first record; `end` where there is none."""
        return end if self._first is None else self._first

    def close(self) -> tuple[str, str]:
        """Return the checksums of file and content."""
        self._file.close()
        return digest(self._path), self._content.hexdigest()


def digest(path: Path) -> str:
    """Return the SHA-256 of a file; raises OSError."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def lines(path: Path) -> Iterator[Stored]:
    """Yield the records of a partition's file; raises BackupError, OSError."""
    try:
        with zstandard.open(path, "rb") as source:
            rest = b""
            while chunk := source.read(CHUNK):
                whole, newline, tail = chunk.rpartition(b"\n")
                if not newline:
                    rest += chunk
                    continue
                yield from map(record, (rest + whole).split(b"\n"))
                rest = tail
            if rest:
                raise BackupError(f"{path.name} ends within a line")
    except zstandard.ZstdError as error:
        raise BackupError(f"{path.name} cannot be read: {error}") from None


def save(manifest: Manifest, folder: Path) -> None:
    """Write the manifest, last of all: a folder without one is no backup."""
    body = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    (folder / MANIFEST).write_bytes(body + b"\n")


def load(folder: Path) -> Manifest:
    """Read and check a backup: every file is there and is what was written; raises BackupError for the first fault."""
    try:
        found = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise BackupError(f"{folder} holds no {MANIFEST}: it is no backup, or one that was not finished") from None
    except msgspec.DecodeError as error:
        raise BackupError(f"{folder / MANIFEST}: {error}") from None
    if found.format != FORMAT:
        raise BackupError(f"{folder / MANIFEST}: format {found.format}; this version reads {FORMAT}")
    for topic in found.topics:
        for part in topic.parts:
            _check(folder, part)
    return found


def _check(folder: Path, part: Part) -> None:
    path = (folder / part.file).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise BackupError(f"{part.file} is outside the backup")
    try:
        found = digest(path)
    except OSError as error:
        raise BackupError(f"{part.file}: {error.strerror}") from None
    if found != part.sha256:
        raise BackupError(f"{part.file} is not what was written: its SHA-256 is another")
