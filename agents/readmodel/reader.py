"""Reads the read model: cases, pendency by unit and age, a day's defaulters, the feed, the latest windows, counters."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from agents.readmodel.calls import DueCall, due_calls
from agents.readmodel.district import read_board
from agents.readmodel.listing import Listing, read_listing
from agents.readmodel.officer_reader import OfficerReads
from agents.readmodel.source import RedisSource
from agents.readmodel.views import CaseView, RejectionView, SmsView, WindowView
from schemas.codec import decoder
from schemas.sla import Grain
from streams.profiles.profile import DAY_MS
from streams.review.live import AGES_DAYS, DistrictBoard
from streams.sla.histogram import Histogram, quantile

START: Final = "0-0"

_case: Final[Callable[[bytes], CaseView]] = decoder(CaseView)
_rejection: Final[Callable[[bytes], RejectionView]] = decoder(RejectionView)
_sms: Final[Callable[[bytes], SmsView]] = decoder(SmsView)
_window: Final[Callable[[bytes], WindowView]] = decoder(WindowView)


class Pendency(NamedTuple):
    """Cases pending at a unit."""

    district: int
    department: str
    level: int
    cases: int
    oldest_since: int
    """UTC ms."""
    ages: tuple[int, ...]
    """Cases per age class of AGES_DAYS, youngest first, one class more than bounds."""


class FeedEntry(NamedTuple):
    """One escalation: its stream id (`milliseconds-sequence`), what it can be filtered by, and its JSON."""

    id: str
    department: str
    district: int
    data: bytes
    visible_to: tuple[str, ...] = ()
    """Roles that may see it; none named: all."""


class UnitWindow(NamedTuple):
    """A unit's window, final result and revisions together."""

    district: int
    department: str
    level: int
    start_at: int
    view: WindowView

    def quantile_ms(self, q: float) -> float | None:
        """Age at disposal that the share `q` of disposals does not exceed, ms, to within one percent."""
        histogram: Histogram = {int(index): count for index, count in self.view.histogram.items()}
        return quantile(histogram, q)


class Reader(OfficerReads):
    """The reading side; every method raises redis' errors when Redis is away."""

    async def view(self, case: str) -> CaseView | None:
        """Summary of a case."""
        raw = await self._redis.get(self.keys.case(case))
        return None if raw is None else _case(raw)

    async def timeline(self, case: str) -> list[dict[str, Any]]:
        """The case's facts with their because, in its own order; what is sealed in them is left out."""
        facts = [msgspec.json.decode(raw) for raw in await self._redis.lrange(self.keys.timeline(case), 0, -1)]
        return [{name: value for name, value in fact.items() if name != "contact"} for fact in facts]

    async def messages(self, case: str) -> dict[str, SmsView]:
        """SMS id -> the last that is known of it."""
        held = await self._redis.hgetall(self.keys.sms(case))
        return {name.decode(): _sms(held[name]) for name in sorted(held)}

    async def case(self, case: str) -> dict[str, Any] | None:
        """What can be said of a number, ready for JSON; None while the board has nothing of it.

        Summary, timeline and messages of a case; the case a duplicate was linked to; why a submission was rejected.
        """
        view = await self.view(case)
        if view is not None:
            shown = msgspec.to_builtins(replace(view, earlier=()), str_keys=True)
            messages = await self.messages(case)
            return {**shown, "timeline": await self.timeline(case), "messages": msgspec.to_builtins(messages)}
        original = await self._redis.get(self.keys.duplicate(case))
        if original is not None:
            return {"case": case, "status": "duplicate", "duplicate_of": original.decode()}
        raw = await self._redis.get(self.keys.rejection(case))
        return None if raw is None else {"case": case, "status": "rejected", **msgspec.to_builtins(_rejection(raw))}

    async def district(
        self, system: str, district: int, now: int, sees: frozenset[str], department: str | None
    ) -> DistrictBoard:
        """A district's live board at `now` (UTC ms)."""
        return await read_board(RedisSource(self._redis, self.keys.prefix), system, district, now, sees, department)

    async def registered(self, system: str, since: int, until: int, wanted: Callable[[CaseView], bool]) -> Listing:
        """Cases registered in a time (UTC ms, both ends included) that are wanted, the latest first."""
        return await read_listing(RedisSource(self._redis, self.keys.prefix), system, since, until, wanted)

    async def calls(self, system: str) -> list[DueCall]:
        """Feedback calls that are due, the longest due first."""
        return await due_calls(RedisSource(self._redis, self.keys.prefix), system)

    async def pendency(
        self, system: str, now: int, *, district: int | None = None, department: str | None = None
    ) -> list[Pendency]:
        """Units with pending cases, by district, department and level; ages are counted at `now` (UTC ms)."""
        units = [
            unit
            for unit in map(_unit, await self._redis.smembers(self.keys.units(system)))
            if district in {None, unit[0]} and department in {None, unit[1]}
        ]
        bounds = [now - days * DAY_MS for days in AGES_DAYS]
        async with self._redis.pipeline(transaction=False) as pipe:
            for unit in sorted(units):
                key = self.keys.pending(system, *unit)
                pipe.zrange(key, 0, 0, withscores=True)
                for younger, older in zip(["+inf", *bounds], [*bounds, "-inf"], strict=True):
                    pipe.zcount(key, older if older == "-inf" else f"({older}", younger)
            answers = await pipe.execute()
        width = len(AGES_DAYS) + 2
        rows = (answers[start : start + width] for start in range(0, len(answers), width))
        return [_pendency(unit, row) for unit, row in zip(sorted(units), rows, strict=True) if row[0]]

    async def pending_cases(
        self, system: str, district: int, department: str, level: int, count: int = 100
    ) -> list[str]:
        """Cases pending at a unit, the longest pending first."""
        key = self.keys.pending(system, district, department, level)
        return [case.decode() for case in await self._redis.zrange(key, 0, count - 1)]

    async def defaulters(self, system: str, day: str) -> list[tuple[str, int]]:
        """Cases whose due instant passed on a local day (`2026-08-28`), with that instant, in order of it."""
        found = await self._redis.zrange(self.keys.defaulters(system, day), 0, -1, withscores=True)
        return [(case.decode(), int(due_at)) for case, due_at in found]

    async def windows(self, system: str, grain: Grain, start_at: int) -> list[UnitWindow]:
        """All units' results for one window."""
        held = await self._redis.hgetall(self.keys.window(system, grain, start_at))
        return sorted(UnitWindow(*_unit(field), start_at, _window(raw)) for field, raw in held.items())

    async def window_starts(self, system: str, grain: Grain) -> list[int]:
        """Starts of the windows that are kept, the latest first."""
        return [int(start) for start in await self._redis.zrange(self.keys.windows(system, grain), 0, -1, desc=True)]

    async def present(self, system: str, day: str) -> int:
        """How many officers had a login on a local day (`2026-08-28`)."""
        return int(await self._redis.hlen(self.keys.presence(system, day)))

    async def totals(self, system: str) -> dict[str, int]:
        """Counters, see `agents/readmodel/totals.py`."""
        held = await self._redis.hgetall(self.keys.totals(system))
        return {name.decode(): int(held[name]) for name in sorted(held)}

    async def escalations(self, after: str = START, count: int = 100) -> list[FeedEntry]:
        """Entries of the feed after an id, oldest first."""
        return _entries(await self._redis.xrange(self.keys.escalations(), f"({after}", "+", count))

    async def latest_escalations(self, count: int = 100) -> list[FeedEntry]:
        """The latest entries, latest first."""
        return _entries(await self._redis.xrevrange(self.keys.escalations(), count=count))

    async def wait_escalations(self, after: str, count: int, block_ms: int) -> list[FeedEntry]:
        """Entries after an id, waiting up to `block_ms` for the first."""
        found = await self._redis.xread({self.keys.escalations(): after}, count=count, block=block_ms)
        pairs = found.items() if isinstance(found, dict) else found or ()
        return [entry for _, entries in pairs for entry in _entries(entries)]

    async def newest_escalation(self) -> str:
        """Id of the newest entry; `0-0` while there is none."""
        latest = await self.latest_escalations(1)
        return latest[0].id if latest else START


def _unit(raw: bytes) -> tuple[int, str, int]:
    district, department, level = raw.decode().split("|")
    return int(district), department, int(level)


def _pendency(unit: tuple[int, str, int], row: Sequence[Any]) -> Pendency:
    oldest, *ages = row
    return Pendency(*unit, sum(ages), int(oldest[0][1]), tuple(ages))


def _entries(found: Iterable[Any]) -> list[FeedEntry]:
    return [
        FeedEntry(
            id_.decode(),
            entry[b"department"].decode(),
            int(entry[b"district"]),
            entry[b"data"],
            tuple(entry.get(b"visible_to", b"").decode().split()),
        )
        for id_, entry in found
    ]
