"""What the demonstration shows at its end: districts, escalations, one complaint's life, an SMS in Hindi."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from redis.asyncio import Redis
from rich.console import Console
from rich.table import Table

from agents.audit.log import Log
from agents.cli.explain import timeline
from agents.readmodel.reader import FeedEntry, Reader
from schemas.codec import decoder
from schemas.events import EscalationRaised, EscalationSentUp
from schemas.sla import Measure, SlaWindow
from schemas.sms import SmsInput, SmsRequested
from schemas.topics import SLA_WINDOW, SMS_REQUESTED
from streams.profiles.profile import HOUR_MS, Profile
from streams.sla.table import Cell, Line, fold, roll_up

DISTRICTS: Final = (159, 161, 162)
"""Kheri and Lalitpur, of which the domain's reports tell, and Lucknow."""
FEED: Final = 6
HEADINGS: Final = (
    "received", "disposed", "satisfied of verified", "up: time-out", "up: dissatisfied", "defaulters", "median hours",
    "90 % within",
)  # fmt: skip
APART: Final[tuple[Measure, ...]] = (
    "partial", "special", "forced", "revived", "breach_by_lapse", "relief", "no_relief",
    "grade_a", "grade_b", "grade_c",
)  # fmt: skip
"""Measures that only some systems have."""
_window: Final[Callable[[bytes], SlaWindow]] = decoder(SlaWindow)
Raised = EscalationRaised | EscalationSentUp
_escalation: Final[Callable[[bytes], Raised]] = decoder(Raised)
_sms: Final[Callable[[bytes], Any]] = decoder(SmsInput)


def show(log: Log, redis_url: str, profiles: Sequence[Profile], console: Console) -> None:
    """Print it all; the read model answers for the feed and the timeline, the log for the tables and the SMS."""
    cells = fold(_window(entry.value) for entry in log.read(SLA_WINDOW) if entry.value is not None)
    console.print(districts(cells, profiles[0]) if len(profiles) == 1 else side_by_side(cells, profiles))
    entries, facts = asyncio.run(_board(redis_url))
    console.print(feed(entries, {profile.system: profile for profile in profiles}))
    if facts:
        console.print(timeline(facts))
    text = hindi(log, facts[0]["case"]) if facts else None
    if text is not None:
        console.print(f"[bold]SMS to its office[/]  {text}\n", highlight=False)


def side_by_side(cells: Mapping[Cell, Line], profiles: Sequence[Profile]) -> Table:
    """The SLA table of each system in a column, from its closed days; what is counted apart in rows of its own."""
    rolled = roll_up(cells, lambda cell: cell.system if cell.grain == "day" else None)
    lines = [rolled.get(profile.system, Line()) for profile in profiles]
    table = _table("Systems side by side, closed days of the three weeks")
    table.add_column("")
    for profile in profiles:
        table.add_column(profile.system, justify="right")
    for heading, values in zip(HEADINGS, zip(*map(_cells, lines), strict=True), strict=True):
        table.add_row(heading, *values)
    for measure in APART:
        table.add_row(measure.replace("_", " "), *(f"{line[measure]:,}" for line in lines))
    return table


def districts(cells: Mapping[Cell, Line], profile: Profile) -> Table:
    """The SLA table of three districts, from their closed days."""
    rolled = roll_up(cells, _district_and_level)
    table = _table("SLA table, closed days of the three weeks")
    for heading in ("district", "level", *HEADINGS):
        table.add_column(heading, justify="left" if heading == "district" else "right")
    for (district, level), line in sorted(rolled.items()):
        name = profile.districts[district].name
        table.add_row(f"{name.hi} ({name.en})" if level == 1 else "", f"L{level}", *_cells(line))
    return table


def _district_and_level(cell: Cell) -> tuple[int, int] | None:
    return (cell.district, cell.level) if cell.grain == "day" and cell.district in DISTRICTS else None


def _cells(line: Line) -> list[str]:
    share = line.satisfied_share
    return [
        f"{line['received'] + line['returned']:,}",
        f"{line['disposed']:,}",
        "-" if share is None else f"{line['satisfied']:,} of {line['verified']:,} ({share:.0%})",
        f"{line['escalated_timeout']:,}",
        f"{line['escalated_dissatisfied']:,}",
        f"{line['defaulters']:,}",
        *(_hours(line.quantile_ms(q)) for q in (0.5, 0.9)),
    ]


def _hours(ms: float | None) -> str:
    return "-" if ms is None else f"{ms / HOUR_MS:.0f} h"


async def _board(redis_url: str) -> tuple[list[FeedEntry], Sequence[dict[str, Any]]]:
    """The latest escalations, and the timeline of a case that went up for both causes where there is one."""
    redis = Redis.from_url(redis_url)
    try:
        reader = Reader(redis)
        entries = await reader.latest_escalations(2000)
        chosen = next((each for each in entries if _cause(_escalation(each.data)) == "dissatisfaction"), None)
        raised: dict[str, set[str]] = {}
        for each in map(_escalation, (entry.data for entry in entries)):
            raised.setdefault(each.case, set()).add(_cause(each))
            if len(raised[each.case]) > 1:
                return entries[:FEED], await reader.timeline(each.case)
        case = _escalation(chosen.data).case if chosen is not None else None
        return entries[:FEED], await reader.timeline(case) if case is not None else ()
    finally:
        await redis.aclose()


def _cause(raised: Raised) -> str:
    return raised.cause if isinstance(raised, EscalationRaised) else f"by hand: {raised.condition}"


def feed(entries: Sequence[FeedEntry], profiles: Mapping[str, Profile]) -> Table:
    """The latest escalations, as a department's own service reads them."""
    table = _table("Escalation feed, the latest")
    for heading in ("when", "case", "cause", "level", "to office", "category", "reason"):
        table.add_column(heading, overflow="fold")
    for entry in entries:
        each = _escalation(entry.data)
        profile = profiles[each.system]
        when = datetime.fromtimestamp(each.at / 1000, UTC).astimezone(ZoneInfo(profile.zone))
        category = profile.categories[each.category].name.hi
        level = f"L{each.from_level} -> L{each.to_level}"
        reason = (each.reason or "") if isinstance(each, EscalationRaised) else ""
        table.add_row(f"{when:%d %b %H:%M:%S}", each.case, _cause(each), level, each.to_office, category, reason)
    return table


def hindi(log: Log, case: str) -> str | None:
    """The last SMS requested to the case's office."""
    found = None
    for entry in log.read(SMS_REQUESTED):
        if entry.key is not None and entry.key.startswith(case.encode()) and entry.value is not None:
            sms = _sms(entry.value)
            if isinstance(sms, SmsRequested) and sms.audience == "officer":
                found = sms.text
    return found


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", show_edge=False, pad_edge=False)
