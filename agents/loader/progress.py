"""How far a file has been loaded, kept beside it, so that a second run goes on where the first one ended."""

import hashlib
import os
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

READ_BYTES: Final = 1 << 20


class ProgressError(ValueError):
    """The progress file does not belong to this file; the message says what to do."""


class Progress(Struct, frozen=True):
    """`rows` of the file are durable or rejected; of the reject file `reject_bytes` belong to them."""

    content: str
    """SHA-256 of the file and of its mapping."""
    rows: int = 0
    records: int = 0
    rejected: int = 0
    reject_bytes: int = 0
    finished: bool = False
    blank: int = 0
    """Of the rows: those in which nothing stood."""


def content_of(*paths: Path | None, also: str = "") -> str:
    """SHA-256 over these files, and what else decides which rows there are."""
    found = hashlib.sha256(also.encode())
    for path in paths:
        if path is not None:
            with path.open("rb") as file:
                while block := file.read(READ_BYTES):
                    found.update(block)
        found.update(b"\x00")
    return found.hexdigest()


class Checkpoint:
    """The progress file; written whole and renamed, so that it is never half there."""

    def __init__(self, path: Path, content: str) -> None:
        self._path, self._content = path, content

    def read(self) -> Progress:
        """Where to go on; raises ProgressError when it is of another file."""
        try:
            found = msgspec.json.decode(self._path.read_bytes(), type=Progress)
        except FileNotFoundError:
            return Progress(self._content)
        except msgspec.DecodeError:
            raise ProgressError(f"{self._path} is no progress file; remove it, or use --restart") from None
        if found.content != self._content:
            raise ProgressError(f"the file or its mapping has changed since {self._path} was written; use --restart")
        return found

    def write(self, progress: Progress) -> None:
        part = self._path.with_name(self._path.name + ".part")
        with part.open("wb") as file:
            file.write(msgspec.json.encode(progress))
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._path)

    def finish(self, progress: Progress) -> Progress:
        done = replace(progress, finished=True)
        self.write(done)
        return done
