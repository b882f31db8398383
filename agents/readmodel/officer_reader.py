"""Reads lists of offices and officers: absent on a day, without a login, on the ladder, who acted, open tickets."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Literal

from msgspec import Struct

from agents.readmodel.keys import PREFIX, Keys
from agents.readmodel.officer_views import ConductView, OfficerView, PresenceView, Step, TicketView
from schemas.codec import decoder
from schemas.officers import Flag, OfficeEntry
from streams.officers.place import implied, located
from streams.profiles.load import profiles

_officer: Final[Callable[[bytes], OfficerView]] = decoder(OfficerView)
_office: Final[Callable[[bytes], OfficeEntry]] = decoder(OfficeEntry)
_presence: Final[Callable[[bytes], PresenceView]] = decoder(PresenceView)
_conduct: Final[Callable[[bytes], ConductView]] = decoder(ConductView)

Standing = Literal["not-listed", "vacant", "listed", "requested"]
"""Why an office has nobody with a login: nobody loaded it, nobody holds it, or who holds it has no login yet."""


class Row(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An officer in a list."""

    system: str
    officer: str
    district: int
    department: str
    office: str
    designation: str = ""


class AbsentRow(Row, frozen=True, omit_defaults=True, kw_only=True):
    """An officer of a day's list, and why he stands in it."""

    day: str
    logins: int
    minutes: int
    flags: tuple[Flag, ...]
    last_login_at: int | None = None
    revised: bool = False


class MissingRow(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An office that has nobody with a login."""

    system: str
    district: int
    unit: str
    scope: str
    department: str
    office: str
    standing: Standing
    name: str = ""
    officer: str | None = None


class LadderRow(Row, frozen=True, omit_defaults=True, kw_only=True):
    """An officer for whom a step is proposed or was taken."""

    proposed: tuple[Step, ...]
    taken: tuple[Step, ...]


class ConductRow(Row, frozen=True, omit_defaults=True, kw_only=True):
    """A month of an officer in a district. `delegated_share`: of all his actions; None where there was none."""

    personal: int
    delegated: int
    delegated_share: float | None
    defaulter_days: int
    """Days with a case past its due instant, at whichever of his offices."""


class TicketRow(Row, frozen=True, omit_defaults=True, kw_only=True):
    """A ticket that is not closed."""

    ticket: str
    state: TicketView


class Area(Struct, frozen=True):
    """What a list is of: a system, some districts of it or all (None), one department or all."""

    system: str
    districts: frozenset[int] | None = None
    department: str | None = None

    def covers(self, department: str) -> bool:
        return self.department in {None, department}


class OfficerReads:
    """The reading side for offices and officers; every method raises redis' errors when Redis is away."""

    def __init__(self, redis: Any, prefix: str = PREFIX) -> None:
        self._redis, self.keys = redis, Keys(prefix)

    async def officer(self, system: str, officer: str) -> OfficerView | None:
        """An officer as he stands."""
        raw = await self._redis.get(self.keys.officer(system, officer))
        return None if raw is None else _officer(raw)

    async def absent(self, area: Area, day: str) -> list[AbsentRow]:
        """Officers whom a local day's presence says something against, by district and department."""
        found = []
        for district in await self._districts(area):
            names = await self._names(self.keys.absent(area.system, day, district))
            if names:
                held = await self._redis.hmget(self.keys.presence(area.system, day), names)
                views = await self._officers(area.system, names)
                days = {name: _presence(raw) for name, raw in zip(names, held, strict=True) if raw is not None}
                found += [_absent(area.system, day, name, each, views.get(name)) for name, each in days.items()]
        return sorted((row for row in found if area.covers(row.department)), key=_order)

    async def missing(self, area: Area, now: int) -> list[MissingRow]:
        """Offices that have nobody with a login at `now` (UTC ms), by district, kind of place and place."""
        offices: dict[str, OfficeEntry | None] = dict.fromkeys(implied(profiles()[area.system]))
        for district in await self._districts(area):
            names = await self._names(self.keys.offices(area.system, district))
            raws = await self._values([self.keys.office(area.system, name) for name in names])
            offices |= dict(zip(names, map(_office, raws), strict=True))
        holders = {name: holder(entry, now) for name, entry in offices.items()}
        views = await self._officers(area.system, sorted({each for each in holders.values() if each is not None}))
        rows = (_missing(area, name, entry, _with(views, holders[name])) for name, entry in offices.items())
        return sorted(
            (row for row in rows if row is not None), key=lambda row: (row.district, row.unit, row.scope, row.office)
        )

    async def waiting(self, area: Area) -> list[OfficerView]:
        """Officers who are listed and have no login."""
        return [view for view in await self._all_officers(area) if view.status in {"listed", "requested"}]

    async def ladder(self, area: Area) -> list[LadderRow]:
        """Officers for whom a step is proposed or was taken, by district and department."""
        rows = [
            LadderRow(**_head(view), proposed=view.proposed, taken=view.taken)
            for view in await self._all_officers(area)
            if view.proposed or view.taken
        ]
        return sorted(rows, key=_order)

    async def conduct(self, area: Area, month: str) -> list[ConductRow]:
        """Who acted himself and who let others act, in a local month (`2026-02`), by district and department."""
        rows = []
        for district in await self._districts(area):
            held = await self._redis.hgetall(self.keys.conduct(area.system, month, district))
            months = {name.decode(): _conduct(raw) for name, raw in held.items()}
            views = await self._officers(area.system, sorted(months))
            rows += [_conducted(area.system, name, each, views.get(name), district) for name, each in months.items()]
        return sorted((row for row in rows if area.covers(row.department)), key=_order)

    async def tickets(self, area: Area) -> list[TicketRow]:
        """Tickets that are not closed, by district, department and officer."""
        rows = [
            TicketRow(**_head(view), ticket=name, state=ticket)
            for view in await self._all_officers(area)
            for name, ticket in view.tickets.items()
        ]
        return sorted(rows, key=_order)

    async def _districts(self, area: Area) -> list[int]:
        if area.districts is not None:
            return sorted(area.districts)
        return sorted(int(each) for each in await self._redis.smembers(self.keys.staffed(area.system)))

    async def _names(self, key: str) -> list[str]:
        return [name.decode() for name in await self._redis.zrange(key, 0, -1)]

    async def _values(self, names: list[str]) -> list[bytes]:
        return [raw for raw in (await self._redis.mget(names) if names else []) if raw is not None]

    async def _officers(self, system: str, names: list[str]) -> dict[str, OfficerView]:
        raws = await self._values([self.keys.officer(system, name) for name in names])
        return {view.officer: view for view in map(_officer, raws)}

    async def _all_officers(self, area: Area) -> Iterator[OfficerView]:
        found: list[OfficerView] = []
        for district in await self._districts(area):
            found += (
                await self._officers(area.system, await self._names(self.keys.officers(area.system, district)))
            ).values()
        return (view for view in found if area.covers(view.department))


def holder(entry: OfficeEntry | None, now: int) -> str | None:
    """Who holds charge at an instant (UTC ms)."""
    charges: Iterable[Any] = () if entry is None else reversed(entry.charges)
    return next((charge.officer for charge in charges if charge.from_at <= now), None)


def _with(views: dict[str, OfficerView], officer: str | None) -> OfficerView | None:
    return None if officer is None else views.get(officer)


def _missing(area: Area, office: str, entry: OfficeEntry | None, view: OfficerView | None) -> MissingRow | None:
    where = located(area.system, office)
    if where is None or not area.covers(where.department):
        return None
    if area.districts is not None and where.district not in area.districts:
        return None
    standing: Standing
    match view:
        case OfficerView(status="generated"):
            return None
        case OfficerView(status="listed" | "requested" as status):
            standing = status
        case _:
            standing = "vacant" if entry is not None and entry.listed else "not-listed"
    return MissingRow(
        system=area.system,
        district=where.district,
        unit=where.unit,
        scope=where.scope,
        department=where.department,
        office=office,
        standing=standing,
        name="" if entry is None else entry.name,
        officer=None if view is None else view.officer,
    )


def _head(view: OfficerView) -> dict[str, Any]:
    return {
        name: getattr(view, name) for name in ("system", "officer", "district", "department", "office", "designation")
    }


def _absent(system: str, day: str, officer: str, seen: PresenceView, view: OfficerView | None) -> AbsentRow:
    return AbsentRow(
        system=system,
        day=day,
        officer=officer,
        district=seen.district,
        department=seen.department,
        office=seen.office,
        designation="" if view is None else view.designation,
        logins=seen.logins,
        minutes=seen.minutes,
        flags=seen.flags,
        last_login_at=seen.last_login_at,
        revised=seen.revised,
    )


def _conducted(system: str, officer: str, month: ConductView, view: OfficerView | None, district: int) -> ConductRow:
    days = [each for offices in month.days.values() for each in offices.values()]
    personal, delegated = sum(each.personal for each in days), sum(each.delegated for each in days)
    acted = personal + delegated
    last = next(iter(reversed(list(month.days.values()))))
    office = next(iter(last))
    return ConductRow(
        system=system,
        officer=officer,
        district=district,
        department=office.partition(":")[0] if view is None else view.department,
        office=office if view is None else view.office,
        designation="" if view is None else view.designation,
        personal=personal,
        delegated=delegated,
        delegated_share=delegated / acted if acted else None,
        defaulter_days=sum(any(each.defaulters for each in offices.values()) for offices in month.days.values()),
    )


def _order(row: Row) -> tuple[int, str, str]:
    return row.district, row.department, row.officer
