"""The rows of the file as records in order of time, made by the loader from the mapping beside this module."""

import hashlib
import heapq
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from agents.contact import Contacts
from agents.gateway.records import Identity
from agents.loader.mapping import read_mapping
from agents.loader.rows import At, Told, as_records, opened
from agents.loader.tables import csv_rows
from deploy.real.span import CASES, SYSTEM, Span, rules
from schemas.intake import Submitted

MAPPING: Final = Path(__file__).with_name("council.toml")
OPENING_DAY: Final = 2
"""Its column; those before it hold codes, which are never quoted."""
# the rows name nobody: the tokens hide nothing, and the same ones every time make runs comparable
OPEN_KEY: Final = hashlib.sha256(SYSTEM.encode()).digest()


class Feed:
    """The cases of a span. `noted` counts what the rules left out or filled in, complete once the feed is through."""

    def __init__(self, span: Span, file: Path = CASES) -> None:
        self.span, self.file = span, file
        self.noted: Counter[str] = Counter()

    def in_time_order(self) -> Iterator[At]:
        """Openings as they stand in the file, and before each the closings that came earlier."""
        closings: list[tuple[int, int, At]] = []
        for number, each in enumerate(self._records()):
            if not isinstance(each.record, Submitted):
                heapq.heappush(closings, (each.at, number, each))
                continue
            while closings and closings[0][0] < each.at:
                yield heapq.heappop(closings)[2]
            yield each
        while closings:
            yield heapq.heappop(closings)[2]

    def _records(self) -> Iterator[At]:
        mapping, identity = read_mapping(MAPPING), Identity(OPEN_KEY, Contacts(OPEN_KEY))
        with opened(self.file) as file:
            rows = csv_rows(self._of_span(file), mapping, identity, lambda: self.span.until)
            for each in as_records(rows, self._rejected):
                if isinstance(each.record, Submitted):
                    self._note(each.record)
                yield each
        for field, count in mapping.noted.items():
            self.noted[f"unknown {field.removeprefix('submission.place.')}"] = count

    def _of_span(self, file: IO[bytes]) -> IO[bytes]:
        """The header and the rows opened in the span."""
        first, last = (day.isoformat().encode() for day in (self.span.first, self.span.last))
        chosen = io.BytesIO()
        chosen.write(next(file))
        chosen.writelines(line for line in file if first <= line.split(b",", OPENING_DAY + 1)[OPENING_DAY] <= last)
        chosen.seek(0)
        return chosen

    def _rejected(self, _: Told) -> None:
        self.noted["rejected by the loader"] += 1

    def _note(self, submitted: Submitted) -> None:
        self.noted["rows"] += 1
        self.noted["no department"] += submitted.category == "unspecified"
        self.noted["no description"] += submitted.text == "No description"
        for kind in rules().unit_kinds:
            self.noted[f"no {kind}"] += kind not in submitted.place.units
