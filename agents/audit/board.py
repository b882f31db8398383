"""Folds the log into a read model in memory, and compares it with the one in Redis, key by key."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from agents.audit.log import Entry, Log
from agents.audit.report import Findings, Result
from agents.readmodel.folding import FOLDS
from agents.readmodel.keys import LONGEST_FEED, LONGEST_TIMELINE, PREFIX, WINDOWS_KEPT, Keys
from agents.readmodel.rebuild import everything
from agents.readmodel.slices import Found, Reads, parse
from agents.readmodel.writes import Writes

SLICE: Final = 2000
V = TypeVar("V")


class BoardError(RuntimeError):
    """Redis is away."""


class Shadow:
    """The read model as plain values, in the form in which Redis' content is read for comparison."""

    def __init__(self) -> None:
        self.keys = Keys(PREFIX)
        self.values: dict[str, bytes] = {}
        self.lists: defaultdict[str, list[bytes]] = defaultdict(list)
        self.sets: defaultdict[str, set[str]] = defaultdict(set)
        self.scores: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self.fields: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
        self.counts: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
        self.streams: defaultdict[str, list[Any]] = defaultdict(list)

    def take(self, entries: Sequence[Entry]) -> None:
        """Fold consecutive records of one topic, as the board folds a slice."""
        decode, fold = FOLDS[entries[0].topic]
        parsed, _ = parse(decode, [_Received(*each) for each in entries])
        writes = Writes()
        fold.writes(parsed, self.keys, self._found(fold.reads(parsed, self.keys)), writes)
        self._apply(writes)
        for each in entries:
            self.values[self.keys.position(each.topic, each.partition)] = str(each.offset + 1).encode()

    def _found(self, wanted: Reads) -> Found:
        values = {key: self.values[key] for key in wanted.values if key in self.values}
        fields = {
            (key, name): self.fields[key][name]
            for key, names in wanted.fields.items()
            for name in names
            if name in self.fields[key]
        }
        return Found(values, fields, {key: [each.encode() for each in self.scores[key]] for key in wanted.ranges})

    def _apply(self, writes: Writes) -> None:
        self.values |= writes.values
        for key in writes.deleted:
            self.fields.pop(key, None)
        for key, members in writes.members.items():
            self.sets[key] |= members
        for key, fields in writes.fields.items():
            _overlay(self.fields[key], fields)
        for key, items in writes.lists.items():
            self.lists[key] = (self.lists[key] + items)[-LONGEST_TIMELINE:]
        for key, scores in writes.scores.items():
            _overlay(self.scores[key], scores)
        for key, counts in writes.counts.items():
            for field, by in counts.items():
                self.counts[key][field] += by
        for key, entries in writes.streams.items():
            self.streams[key] += entries

    def contents(self) -> dict[str, object]:
        """Everything by key without its prefix."""
        found: dict[str, object] = dict(self.values)
        found |= self.lists
        found |= {key: {member.encode() for member in members} for key, members in self.sets.items()}
        found |= {key: _ranked(scores) for key, scores in self.scores.items()}
        found |= {key: {name.encode(): raw for name, raw in fields.items()} for key, fields in self.fields.items()}
        found |= {
            key: {name.encode(): str(count).encode() for name, count in counts.items() if count}
            for key, counts in self.counts.items()
        }
        found |= {key: _feed(entries) for key, entries in self.streams.items()}
        hidden = self._hidden_windows()
        return {
            key.removeprefix(f"{PREFIX}:"): content for key, content in found.items() if content and key not in hidden
        }

    def _hidden_windows(self) -> set[str]:
        """The lists of windows, and windows older than those that are kept: which of them still stand is chance."""
        lists = {key for key in self.scores if key.startswith(f"{PREFIX}:windows:")}
        kept: set[str] = set()
        for key in lists:
            system, _, grain = key.removeprefix(f"{PREFIX}:windows:").rpartition(":")
            latest = sorted(self.scores[key], key=int)[
                -next(most for each, most in WINDOWS_KEPT.items() if each == grain) :
            ]
            kept |= {f"{PREFIX}:window:{system}:{grain}:{start}" for start in latest}
        return lists | {key for key in self.fields if key.startswith(f"{PREFIX}:window:") and key not in kept}


def _overlay(held: dict[str, V], changes: Mapping[str, V | None]) -> None:
    for name, value in changes.items():
        if value is None:
            held.pop(name, None)
        else:
            held[name] = value


class _Received(Entry):
    """An entry as a sink is given it."""

    @property
    def timestamp(self) -> int:
        return self.at


class ShadowSource:
    """A fold of a log, read as the read model is."""

    def __init__(self, folded: Shadow) -> None:
        self._folded, self.keys = folded, folded.keys

    async def hashes(self, names: Sequence[str]) -> list[Mapping[str, bytes]]:
        return [self._hash(name) for name in names]

    def _hash(self, name: str) -> Mapping[str, bytes]:
        counts = self._folded.counts.get(name)
        if counts is not None:
            return {field: str(count).encode() for field, count in counts.items() if count}
        return self._folded.fields.get(name, {})

    async def members(self, name: str) -> list[str]:
        return sorted({*self._folded.sets.get(name, ()), *self._folded.scores.get(name, ())})

    async def latest(self, name: str, since: int, until: int) -> list[str]:
        held = self._folded.scores.get(name, {}).items()
        ranked = sorted(((score, member) for member, score in held if since <= score <= until), reverse=True)
        return [member for _, member in ranked]

    async def values(self, names: Sequence[str]) -> list[bytes | None]:
        return [self._folded.values.get(name) for name in names]


def _ranked(scores: dict[str, int]) -> list[tuple[bytes, float]]:
    return [(name, float(score)) for score, name in sorted((score, name.encode()) for name, score in scores.items())]


def _feed(entries: list[Any]) -> object:
    """As `agents/readmodel/rebuild.py` reads a stream: a full one has dropped what came first."""
    if len(entries) >= LONGEST_FEED:
        return LONGEST_FEED
    return sorted(tuple(sorted((_bytes(name), _bytes(value)) for name, value in each.items())) for each in entries)


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def shadow(log: Log) -> Shadow:
    """The read model of everything in the log."""
    folded = Shadow()
    for topic in FOLDS:
        entries = log.read(topic)
        while part := list(islice(entries, SLICE)):
            folded.take(part)
    return folded


async def check(log: Log, redis_url: str) -> Result:
    """Every key of the read model as a fold of the log; raises BoardError."""
    findings = Findings()
    redis = Redis.from_url(redis_url)
    try:
        there = await everything(redis, Keys(PREFIX))
    except RedisError as error:
        raise BoardError(f"Redis: {error}. Is it up, is NIVARAN_REDIS_URL right?") from error
    finally:
        await redis.aclose()
    expected = shadow(log).contents()
    for key in _different(expected, there):
        what = (
            "is missing"
            if key not in there
            else "should not be there"
            if key not in expected
            else "is not as a fold of the log"
        )
        findings.add(f"{key} {what}")
    return findings.result("read model", "Redis equals a fold of the log", {"keys": len(expected)})


def _different(expected: dict[str, object], there: dict[str, object]) -> Iterator[str]:
    for key in sorted(expected.keys() | there.keys()):
        if _plain(key, expected.get(key)) != _plain(key, there.get(key)):
            yield key


def _plain(key: str, content: object) -> object:
    """Counters at zero are as good as none: how often one passes zero depends on the slices."""
    if key.startswith("totals:") and isinstance(content, dict):
        return {name: count for name, count in content.items() if count != b"0"}
    return content
