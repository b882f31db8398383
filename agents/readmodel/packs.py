"""Gathers what a pack or a ranking is made of; the read model answers, no case of another district is looked at."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from agents.readmodel.keys import WINDOWS_KEPT
from agents.readmodel.review import Registers
from agents.readmodel.source import Source
from streams.calendar import bounds, day_key
from streams.profiles.profile import DAY_MS, Profile
from streams.review.material import Audience, Material, Scope
from streams.review.registers import Unit
from streams.sla.rankings import rankings
from streams.sla.table import Line

NOON_MS: Final = DAY_MS // 2
WITH_CASES: Final = frozenset[Audience]({"dm"})
"""Audiences whose pack names cases."""


class NotClosedError(ValueError):
    """The day is not over, not closed, or no longer kept; the message says which day could be taken."""


def instant(day: str, zone: str) -> int:
    """The first instant of a local day, UTC ms."""
    noon = datetime.fromisoformat(day).replace(hour=12, tzinfo=ZoneInfo(zone))
    return bounds("day", int(noon.timestamp() * 1000), zone).start_at


def end_of(day: str, zone: str) -> int:
    """The first instant after a local day, UTC ms."""
    return bounds("day", instant(day, zone), zone).end_at


def last_day(month: str) -> str:
    """`2026-02` -> `2026-02-28`."""
    first = date.fromisoformat(f"{month}-01")
    return ((first + timedelta(days=31)).replace(day=1) - timedelta(days=1)).isoformat()


async def last_closed(registers: Registers, zone: str) -> str | None:
    """The last local day of which every window is closed; None while there is none.

    An hour's windows close in the order of the hours: when one that lies after a day is closed, so is the day.
    """
    starts = await registers.window_starts("hour")
    if not starts:
        return None
    return (date.fromisoformat(day_key(starts[-1], zone)) - timedelta(days=1)).isoformat()


async def gather(
    source: Source,
    profile: Profile,
    audience: Audience,
    scope: Scope,
    month: str,
    as_of: str | None,
    sees: frozenset[str] = frozenset(),
) -> Material:
    """Everything of a pack for a local month up to the end of `as_of` (default: the month's last closed day).

    `sees` are the roles in which its reader sees cases of restricted classes.
    Raises NotClosedError, and redis' errors.
    """
    registers, zone = Registers(source, profile.system, profile.zone), profile.zone
    day = await closed_day(registers, month, as_of, zone)
    start, end = instant(f"{month}-01", zone), end_of(day, zone)
    eve = (date.fromisoformat(f"{month}-01") - timedelta(days=1)).isoformat()
    units = await _units(registers, month, day, start, end)
    cases = audience in WITH_CASES and scope.district is not None
    district = scope.district or 0
    return Material(
        profile=profile,
        audience=audience,
        scope=scope,
        month=month,
        as_of=day,
        end_at=end,
        units=units,
        lives=tuple(await registers.lives(day, end)),
        before=tuple(await registers.lives(eve, start)),
        days=await _days(registers, scope, month, day),
        scorers=rankings().get(profile.system, {}),
        stays=tuple(await registers.stays(district, end)) if cases else (),
        dissatisfied=tuple(each for each in await registers.dissatisfied(district, month) if each.at < end)
        if cases
        else (),
        defaulters=tuple(each for each in await registers.defaulters(district, month) if each.due_at < end)
        if cases
        else (),
        reviewed=tuple(each for each in await registers.outcomes(district, month) if each.at < end) if cases else (),
        sees=sees,
    )


async def closed_day(registers: Registers, month: str, as_of: str | None, zone: str) -> str:
    """The day asked for, or the month's last closed one; raises NotClosedError."""
    closed = await last_closed(registers, zone)
    if closed is None or closed < f"{month}-01":
        raise NotClosedError(f"no day of {month} is closed yet" + ("" if closed is None else f"; the last is {closed}"))
    day = as_of or min(last_day(month), closed)
    if not day.startswith(f"{month}-"):
        raise NotClosedError(f"{day} is no day of {month}")
    if day > closed:
        raise NotClosedError(f"{day} is not closed yet; the last closed day is {closed}")
    return day


async def _units(registers: Registers, month: str, day: str, start: int, end: int) -> Mapping[Unit, Line]:
    """The whole month from its own window, a part of it from its days'."""
    if day == last_day(month) and start in await registers.window_starts("month"):
        return await registers.windows("month", start)
    kept = await registers.window_starts("day")
    if len(kept) >= WINDOWS_KEPT["day"] and kept[0] > start:
        raise NotClosedError(f"days of {month} are no longer kept one by one; its end, {last_day(month)}, can be taken")
    found: defaultdict[Unit, Line] = defaultdict(Line)
    for each in kept:
        if start <= each < end:
            for unit, line in (await registers.windows("day", each)).items():
                found[unit].join(line)
    return dict(found)


async def _days(registers: Registers, scope: Scope, month: str, day: str) -> dict[str, dict[str, int]]:
    """Counts of each day up to `day`: of the district, or of the state. Not known by department."""
    zeros: dict[str, dict[str, int]] = {f"{month}-{number:02d}": {} for number in range(1, int(day[8:]) + 1)}
    for district, days in (await registers.series(month)).items():
        if scope.district in {None, district}:
            for each, counts in days.items():
                for measure, count in counts.items():
                    if each in zeros:
                        zeros[each][measure] = zeros[each].get(measure, 0) + count
    return zeros
