"""The writes of one slice, gathered so that each key is written by as few commands as possible."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, TypeVar

from agents.readmodel.keys import LONGEST_FEED, LONGEST_TIMELINE

V = TypeVar("V")
Feed = dict[str | bytes, str | bytes]


class Writes:
    """Later writes to a key, member or field take the place of earlier ones; counters and lists add up."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.lists: defaultdict[str, list[bytes]] = defaultdict(list)
        self.long_lists: set[str] = set()
        self.members: defaultdict[str, set[str]] = defaultdict(set)
        self.scores: defaultdict[str, dict[str, int | None]] = defaultdict(dict)
        """None: the member goes."""
        self.fields: defaultdict[str, dict[str, bytes | None]] = defaultdict(dict)
        """None: the field goes."""
        self.counts: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
        self.expiries: dict[str, int | None] = {}
        """Milliseconds from now; None: never."""
        self.streams: defaultdict[str, list[Feed]] = defaultdict(list)
        self.deleted: list[str] = []

    def queue(self, pipe: Any) -> None:
        """Put everything into a pipeline."""
        if self.values:
            pipe.mset(self.values)
        if self.deleted:
            pipe.delete(*self.deleted)
        for key, members in self.members.items():
            pipe.sadd(key, *sorted(members))
        self._queue_fields(pipe)
        self._queue_lists(pipe)
        self._queue_scores(pipe)
        self._queue_counts(pipe)
        self._queue_expiries(pipe)

    def _queue_lists(self, pipe: Any) -> None:
        for key, items in self.lists.items():
            pipe.rpush(key, *items)
        for key in self.long_lists:
            pipe.ltrim(key, -LONGEST_TIMELINE, -1)
        for key, entries in self.streams.items():
            for entry in entries:
                pipe.xadd(key, entry, maxlen=LONGEST_FEED, approximate=False)

    def _queue_fields(self, pipe: Any) -> None:
        for key, fields in self.fields.items():
            kept, gone = _parted(fields)
            if gone:
                pipe.hdel(key, *gone)
            if kept:
                pipe.hset(key, mapping=kept)

    def _queue_counts(self, pipe: Any) -> None:
        for key, counts in self.counts.items():
            for field, by in counts.items():
                if by:
                    pipe.hincrby(key, field, by)

    def _queue_scores(self, pipe: Any) -> None:
        for key, scores in self.scores.items():
            kept, gone = _parted(scores)
            if gone:
                pipe.zrem(key, *gone)
            if kept:
                pipe.zadd(key, kept)

    def _queue_expiries(self, pipe: Any) -> None:
        for key, after_ms in self.expiries.items():
            if after_ms is None:
                pipe.persist(key)
            else:
                pipe.pexpire(key, after_ms)


def _parted(changes: Mapping[str, V | None]) -> tuple[dict[str, V], list[str]]:
    kept = {name: value for name, value in changes.items() if value is not None}
    return kept, [name for name, value in changes.items() if value is None]
