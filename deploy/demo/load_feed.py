"""Puts simulated lines through the loader's own code, as `nivaran load` does with a file."""

import io
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from agents.gateway.records import Identity
from agents.loader.progress import Progress
from agents.loader.rows import ndjson
from agents.loader.run import KafkaTarget, Rejects, load_rows
from agents.settings import Settings
from agents.simulate.lines import Line

DELIVERY_S: Final = 30.0


class LoadFeed:
    """One producer for the whole run; a reject file beside the logs."""

    def __init__(self, settings: Settings, identity: Identity, rejects: Path) -> None:
        self._identity = identity
        self._target = KafkaTarget(settings, DELIVERY_S)
        self._rejects = Rejects(rejects, 0)
        self.outcomes = Counter[str]()

    def send(self, lines: Iterable[Line]) -> int:
        """Return when Kafka has every record of the lines; raises NotDurableError."""
        text = b"".join(_line(line) for line in lines)
        rows = ndjson(io.BytesIO(text), self._identity, _no_clock, as_it_happened=True)
        done = load_rows(rows, Progress(""), self._target, self._rejects, None)
        self.outcomes["refused"] += done.rejected
        self.outcomes["taken"] += done.rows - done.rejected
        return done.records

    def close(self) -> None:
        self._rejects.close()


def _line(line: Line) -> bytes:
    """As a line of a file for `nivaran load`; what is no JSON stays as it is."""
    if line.raw is not None:
        return line.raw.encode() + b"\n"
    case = {} if line.case is None else {"case": line.case}
    return msgspec.json.encode({"key": line.key, **case, "at": line.at, "body": line.body}) + b"\n"


def _no_clock() -> int:
    raise AssertionError("every line brings the instant at which it was received")
