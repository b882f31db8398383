"""Lists cases by when they were registered, the latest first."""

from collections.abc import AsyncIterator, Callable
from typing import Final, NamedTuple

from agents.readmodel.source import Source
from agents.readmodel.views import CaseView
from schemas.codec import decoder
from streams.calendar import bounds, day_key
from streams.profiles.load import profiles

MOST_LISTED: Final = 1000
"""Cases of one list: the first 1000 that Open311 GeoReport v2 asks for."""
MOST_LOOKED_AT: Final = 10_000
"""Cases looked at for one list: filters are over their summaries, and no list may keep Redis busy for seconds."""
TOGETHER: Final = 500

_view: Final[Callable[[bytes], CaseView]] = decoder(CaseView)


class Listing(NamedTuple):
    """The cases of a list."""

    views: list[CaseView]
    whole: bool
    """False where the time holds more cases than are looked at: some that are wanted may not be among these."""


async def read_listing(
    source: Source, system: str, since: int, until: int, wanted: Callable[[CaseView], bool]
) -> Listing:
    """At most MOST_LISTED cases registered from `since` to `until` (UTC ms) that are wanted; raises redis' errors."""
    found: list[CaseView] = []
    looked_at = 0
    async for cases in _registered(source, system, since, until):
        if looked_at >= MOST_LOOKED_AT:
            return Listing(found, whole=False)
        looked_at += len(cases)
        for raw in await source.values([source.keys.case(case) for case in cases]):
            view = None if raw is None else _view(raw)  # a finished case goes from the read model after its time
            if view is not None and wanted(view):
                found.append(view)
        if len(found) >= MOST_LISTED:
            return Listing(found[:MOST_LISTED], whole=True)
    return Listing(found, whole=True)


async def _registered(source: Source, system: str, since: int, until: int) -> AsyncIterator[list[str]]:
    """Their numbers, some at a time."""
    zone, at = profiles()[system].zone, until
    while at >= since:
        cases = await source.latest(source.keys.registered(system, day_key(at, zone)), since, until)
        for start in range(0, len(cases), TOGETHER):
            yield cases[start : start + TOGETHER]
        at = bounds("day", at, zone).start_at - 1
