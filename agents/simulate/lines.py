"""The simulated input, line by line: when it reaches us, by which way, and what it says."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from schemas.base import Instant

Way = Literal["http", "load", "wire"]
"""`http`: through the gateway; `load`: through the loader; `wire`: another writer puts it on a topic itself."""


class LineError(ValueError):
    """A line is no simulated input; the message names its number and the field."""


class Line(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One input, as it reaches us at `at` (UTC ms).

    A submission has a body; an action has a body and a case; what is not even JSON is in `raw`. On the wire `topic`
    says where it was put, and `key` is the record's key; elsewhere `key` is the idempotency key.
    """

    at: Instant
    way: Way
    key: Annotated[str, Meta(min_length=1, max_length=160)]
    case: str | None = None
    body: dict[str, Any] | None = None
    raw: str | None = None
    topic: str | None = None

    @property
    def payload(self) -> bytes:
        """What is sent: the body as JSON, or the raw text."""
        return msgspec.json.encode(self.body) if self.raw is None else self.raw.encode()


_decode = msgspec.json.Decoder(Line).decode
_encoder = msgspec.json.Encoder()


def write(path: Path, lines: Iterable[Line]) -> int:
    """Write an input file, NDJSON in order of time; return the number of lines."""
    count = 0
    with path.open("wb") as file:
        for line in lines:
            file.write(_encoder.encode(line) + b"\n")
            count += 1
    return count


def read(path: Path) -> Iterator[Line]:
    """Read an input file; raises LineError for the first line that is none."""
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            try:
                yield _decode(text)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise LineError(f"{path}, line {number}: {error}") from None
