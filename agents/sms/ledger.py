"""The sandbox gateway's memory: every message it took, in a file that outlives it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct, json

Kind = Literal["accepted", "repeated", "refused", "unavailable"]


class Entry(Struct, frozen=True, omit_defaults=True):
    """A line of the ledger: one request and what the gateway made of it. `to` shows the last two digits only."""

    id: str
    kind: Kind
    at: int
    """UTC ms, the machine's clock."""
    to: str = ""
    template: str = ""
    units: int = 0
    segments: int = 0
    silent: bool = False
    """Taken, and then no answer was given: the caller's time ran out."""
    code: str = ""
    digest: str = ""
    """Of what was accepted, so that another message under the same id is noticed."""


class Summary(Struct, frozen=True):
    """Counts over the ledger; each accepted id is delivered once, however often it was handed over."""

    accepted_ids: int
    deliveries: int
    repeats: int
    refused: int
    unavailable: int
    silent: int
    over_one_segment: int


_line: Final = json.Decoder(Entry).decode


class Ledger:
    """Appends a line per request before it is answered: a line that was written is there after a kill -9."""

    def __init__(self, path: Path | None) -> None:
        self.accepted: dict[str, Entry] = {}
        self.deliveries = self.repeats = self.refused = self.unavailable = self.silent = self.over_one_segment = 0
        self._file = -1 if path is None else self._opened(path)

    def _opened(self, path: Path) -> int:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        whole = 0
        for line, entry in _whole(path):
            self._count(entry)
            whole += len(line)
        os.ftruncate(file, whole)  # the killed process's half line: its request was not answered
        return file

    def add(self, entry: Entry) -> None:
        if self._file >= 0:
            os.write(self._file, json.encode(entry) + b"\n")
        self._count(entry)

    def _count(self, entry: Entry) -> None:
        match entry.kind:
            case "accepted":
                self.accepted[entry.id] = entry
                self.deliveries += 1
                self.over_one_segment += entry.segments > 1
            case "repeated":
                self.repeats += 1
            case "refused":
                self.refused += 1
            case "unavailable":
                self.unavailable += 1
        self.silent += entry.silent

    def summary(self) -> Summary:
        return Summary(
            accepted_ids=len(self.accepted),
            deliveries=self.deliveries,
            repeats=self.repeats,
            refused=self.refused,
            unavailable=self.unavailable,
            silent=self.silent,
            over_one_segment=self.over_one_segment,
        )

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def entries(path: Path) -> list[Entry]:
    """A ledger file's whole lines; raises OSError, and ValueError naming file and line for what is no ledger."""
    return [entry for _, entry in _whole(path)]


def _whole(path: Path) -> Iterator[tuple[bytes, Entry]]:
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), start=1):
        if line.endswith(b"\n"):
            try:
                yield line, _line(line)
            except ValueError as error:
                raise ValueError(f"{path}: line {number} is no line of a ledger: {error}") from None
