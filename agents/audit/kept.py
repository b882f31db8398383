"""A log that remembers what it has read: checks that run one after another look at the same records."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Final

from agents.audit.log import Entry, Log
from streams.topology import STAGES

MOST: Final = 1_000_000
"""Records that are remembered, about a gigabyte; what is read beyond them is read anew each time."""


class Kept:
    """Positions, states and the present instant are those of its beginning, so that no record it reads is too old."""

    def __init__(self, log: Log, stages: Iterable[str], most: int = MOST) -> None:
        """`stages` are those whose states will be asked for. Raises LogError."""
        self._log, self._left = log, most
        self._now = log.now()
        self._done = {stage.name: log.done(stage.name) for stage in STAGES}
        self._states = {stage: dict(log.states(stage)) for stage in stages}
        self._kept: dict[str, list[Entry]] = {}

    def read(self, *topics: str) -> Iterator[Entry]:
        held = [topic for topic in topics if topic in self._kept]
        yield from chain.from_iterable(self._kept[topic] for topic in held)
        anew: dict[str, list[Entry]] = {topic: [] for topic in topics if topic not in held}
        for entry in self._log.read(*anew):
            if self._left > 0:
                self._left -= 1
                anew[entry.topic].append(entry)
            yield entry
        if self._left > 0:
            self._kept |= anew
        else:
            self._left += sum(map(len, anew.values()))

    def topics(self) -> frozenset[str]:
        return self._log.topics()

    def done(self, stage: str) -> Mapping[int, int] | None:
        return self._done[stage]

    def states(self, stage: str) -> Iterator[tuple[bytes, bytes | None]]:
        return iter(self._states[stage].items())

    def now(self) -> int:
        return self._now
