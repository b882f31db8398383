"""Reads what a review needs: registers of a district, pendency as of an instant, windows of a span, day counts."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeVar

from agents.readmodel.keys import Keys
from agents.readmodel.source import Source
from agents.readmodel.views import WindowView
from schemas.codec import decoder
from schemas.review import ReviewOutcome
from schemas.sla import Grain
from streams.calendar import month_key
from streams.review.registers import Defaulter, Dissatisfaction, Life, Stay, Unit, pending
from streams.sla.table import Line

R = TypeVar("R")
_stay: Final[Callable[[bytes], Stay]] = decoder(Stay)
_dissatisfaction: Final[Callable[[bytes], Dissatisfaction]] = decoder(Dissatisfaction)
_defaulter: Final[Callable[[bytes], Defaulter]] = decoder(Defaulter)
_outcome: Final[Callable[[bytes], ReviewOutcome]] = decoder(ReviewOutcome)
_window: Final[Callable[[bytes], WindowView]] = decoder(WindowView)


class Registers:
    """The registers of one system; every method raises redis' errors when Redis is away. Instants are UTC ms."""

    def __init__(self, source: Source, system: str, zone: str) -> None:
        self._source, self._system, self._zone = source, system, zone

    @property
    def _keys(self) -> Keys:
        return self._source.keys

    async def stays(self, district: int, at: int) -> list[Stay]:
        """Cases pending in a district just before `at`, the longest at their level first."""
        names = [self._keys.stays(self._system, district)]
        names += [self._keys.ended(self._system, district, month) for month in await self._months_from(at)]
        return pending(_all(await self._source.hashes(names), _stay), at)

    async def present(self, district: int) -> list[Stay]:
        """Cases pending in a district now."""
        return list(_all(await self._source.hashes([self._keys.stays(self._system, district)]), _stay))

    async def ended(self, district: int, month: str) -> list[Stay]:
        """Stays that ended in a local month, in order of their end."""
        held = await self._source.hashes([self._keys.ended(self._system, district, month)])
        return sorted(_all(held, _stay), key=lambda stay: (stay.until or 0, stay.case, stay.seq))

    async def dissatisfied(self, district: int, month: str) -> list[Dissatisfaction]:
        """The dissatisfaction register of a local month, in order of time (R08)."""
        held = await self._source.hashes([self._keys.dissatisfied(self._system, district, month)])
        return sorted(_all(held, _dissatisfaction), key=lambda line: (line.at, line.case, line.seq))

    async def defaulters(self, district: int, month: str) -> list[Defaulter]:
        """Due instants let pass in a local month, in their order (R14)."""
        held = await self._source.hashes([self._keys.blots(self._system, district, month)])
        return sorted(_all(held, _defaulter), key=lambda line: (line.due_at, line.case, line.level))

    async def outcomes(self, district: int, month: str) -> list[ReviewOutcome]:
        """What reviewers found in a local month, in order of time (R17, R18)."""
        held = await self._source.hashes([self._keys.reviews(self._system, district, month)])
        return sorted(_all(held, _outcome), key=lambda each: (each.at, each.id))

    async def lives(self, last: str, at: int) -> Iterator[Life]:
        """Cases pending at the end of the local day `last`, which ends at `at`, by unit and day of registration."""
        months = await self._months_from(at)
        names = [self._keys.lives(self._system), *(self._keys.lives(self._system, month) for month in months)]
        return _alive(await self._source.hashes(names), last)

    async def windows(self, grain: Grain, start_at: int) -> dict[Unit, Line]:
        """Every unit's counts in one closed window."""
        (held,) = await self._source.hashes([self._keys.window(self._system, grain, start_at)])
        return {_unit(field): _line(_window(raw)) for field, raw in held.items()}

    async def window_starts(self, grain: Grain) -> list[int]:
        """Starts of the windows that are kept, the earliest first."""
        return sorted(int(each) for each in await self._source.members(self._keys.windows(self._system, grain)))

    async def day(self, district: int, day: str) -> dict[tuple[str, int], dict[str, int]]:
        """A local day's counts so far by department and level, of facts as they come (no window has to close)."""
        (held,) = await self._source.hashes([self._keys.day(self._system, district, day)])
        counts: dict[tuple[str, int], dict[str, int]] = {}
        for field, raw in sorted(held.items()):
            department, level, measure = field.split("|")
            if int(raw):
                counts.setdefault((department, int(level)), {})[measure] = int(raw)
        return counts

    async def series(self, month: str) -> dict[int, dict[str, dict[str, int]]]:
        """District -> local day -> measure -> count, of a local month; facts as they come."""
        (held,) = await self._source.hashes([self._keys.series(self._system, month)])
        found: dict[int, dict[str, dict[str, int]]] = {}
        for field, raw in sorted(held.items()):
            district, day, measure = field.split("|")
            if int(raw):
                found.setdefault(int(district), {}).setdefault(day, {})[measure] = int(raw)
        return found

    async def _months_from(self, at: int) -> list[str]:
        first = month_key(at, self._zone)
        return [month for month in await self._source.members(self._keys.months(self._system)) if month >= first]


def _all(held: Iterable[Mapping[str, bytes]], decode: Callable[[bytes], R]) -> Iterator[R]:
    return (decode(raw) for each in held for raw in each.values())


def _alive(held: Iterable[Mapping[str, bytes]], last: str) -> Iterator[Life]:
    for each in held:
        for field, raw in each.items():
            district, department, level, registered, begun, *until = field.split("|")
            if begun <= last and (not until or until[0] > last) and int(raw):
                yield Life(Unit(int(district), department, int(level)), registered, int(raw))


def _unit(field: str) -> Unit:
    district, department, level = field.split("|")
    return Unit(int(district), department, int(level))


def _line(view: WindowView) -> Line:
    line = Line()
    line.counts = dict(view.counts)
    line.disposals, line.disposal_ms, line.open_change = view.disposals, view.disposal_ms, view.open_change
    line.histogram = {int(index): count for index, count in view.histogram.items()}
    line.finals = view.finals
    return line
