"""Headers of what a worker writes: CloudEvents attributes of outputs, `x-dlq-*` of dead letters."""

import re
from collections.abc import Sequence
from functools import lru_cache

from agents.runtime.ports import Received
from agents.telemetry.trace import TRACEPARENT
from schemas.base import Record
from schemas.codec import TYPE_PREFIX, Headers, iso, tag

DEAD = "x-dlq-"
ATTEMPTS = DEAD + "attempts"
ATTEMPTS_DIGITS = 9
"""Of a count that is believed; Python refuses to read a number of some thousand digits."""
_SPEC = ("ce_specversion", b"1.0")
_CONTENT = ("content-type", b"application/json")
_PATH = re.compile(r" - at `(?P<path>[^`]*)`\Z")
# beginnings of the decoder's messages that say what the schema wants and repeat nothing of the input
_SAFE = re.compile(
    r"Expected |Object missing required field |Input data was truncated|Invalid UTF-8|Integer value out of range"
)


@lru_cache(maxsize=4096)
def _time(at: int) -> tuple[str, bytes]:
    return ("ce_time", iso(at).encode())


class Stamp:
    """Builds the same headers as `schemas.codec.cloudevent`, with what never changes made once: it is per record."""

    def __init__(self, writer: str) -> None:
        self._source = ("ce_source", f"/nivaran/{writer}".encode())
        self._types: dict[type[Record], tuple[str, bytes]] = {}

    def __call__(self, record: Record, event_id: bytes, subject: bytes, at: int, trace: bytes | None) -> Headers:
        kind = type(record)
        named = self._types.get(kind) or self._named(kind)
        headers = [_SPEC, ("ce_id", event_id), self._source, named, _time(at), ("ce_subject", subject), _CONTENT]
        if trace is not None:
            headers.append((TRACEPARENT, trace))
        return headers

    def _named(self, kind: type[Record]) -> tuple[str, bytes]:
        self._types[kind] = named = ("ce_type", (TYPE_PREFIX + tag(kind)).encode())
        return named


def traceparent(headers: Sequence[tuple[str, bytes]]) -> bytes | None:
    """Return the trace context a record carries."""
    for name, value in headers:
        if name == TRACEPARENT:
            return value
    return None


def faultless(message: str) -> str:
    """Return a decoder's message without anything of the input: what was wanted, and the path to it."""
    path = _PATH.search(message)
    where = f" - at `{path['path']}`" if path else ""
    if _SAFE.match(message):
        return message
    return f"the value is not one that is allowed{where}"


def dead_letter_headers(record: Received, group: str, error: str, reason: str, at: int) -> Headers:
    """Return the original headers and, after them, where the record came from and why it was not taken.

    `at` is UTC ms. A record that was written back from the dead letters keeps its first origin out of the way: the
    new headers replace the old ones, and the attempts count on.
    """
    kept = [(name, value) for name, value in record.headers if not name.startswith(DEAD)]
    before = next((value for name, value in record.headers if name == ATTEMPTS), b"0")
    attempts = int(before[:ATTEMPTS_DIGITS]) + 1 if before.isdigit() else 1
    return [
        *kept,
        (DEAD + "original-topic", record.topic.encode()),
        (DEAD + "original-partition", str(record.partition).encode()),
        (DEAD + "original-offset", str(record.offset).encode()),
        (DEAD + "original-timestamp", str(record.timestamp).encode()),
        (DEAD + "error-class", error.encode()),
        (DEAD + "error-message", reason.encode()),
        (DEAD + "consumer-group", group.encode()),
        (DEAD + "failed-at", str(at).encode()),
        (ATTEMPTS, str(attempts).encode()),
    ]
