"""How the helpline stands: open cases, defaulters, escalations, feedback, SMS, from the read model."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from agents.readmodel.reader import Pendency, Reader
from agents.telemetry import catalogue as c
from streams.calendar import day_key
from streams.profiles.load import profiles
from streams.review.live import AGES_DAYS

if TYPE_CHECKING:
    from agents.telemetry.families import Snapshot
    from agents.telemetry.metric import Metric

AGES: Final = (
    *(f"{low}-{high}d" for low, high in zip((0, *AGES_DAYS), AGES_DAYS, strict=False)),
    f"over-{AGES_DAYS[-1]}d",
)
"""Names of the age classes of open cases, youngest first."""
SPLIT: Final[Mapping[str, "Metric"]] = {
    "channel": c.CASES_BY_CHANNEL,
    "escalated": c.ESCALATIONS,
    "calls": c.FEEDBACK,
    "closed": c.CLOSED,
    "intake-rejected": c.REJECTED,
    "rejected": c.COMMANDS_REJECTED,
    "sms": c.SMS,
}
"""What stands before the colon of a counter -> the metric that has the rest as label."""
REPEATED: Final = "intake-repeated"
"""The same submission again: a retry, told the number it has."""
FEEDBACK: Final = ("satisfied", "dissatisfied")
RARE: Final = ((c.CASES, "routed-to-fallback"), (c.SMS, "unknown"))
"""Alerts hear of the first of these: there from the start, for what begins at 1 has no increase."""
GAUGES: Final = (c.OPEN_CASES, c.OPEN_DISTRICT, c.OLDEST_CASE, c.DEFAULTERS, c.PRESENT)
METRICS: Final = (*GAUGES, c.CASES, *SPLIT.values())

Table = dict["Metric", Counter[tuple[str, ...]]]


async def look(reader: Reader, shown: "Snapshot", now: int) -> None:
    """Show every system as the read model has it at `now` (UTC ms); raises redis' errors."""
    table: Table = {metric: Counter() for metric in METRICS}
    for profile in profiles().values():
        system = profile.system
        for metric, rare in RARE:
            table[metric][system, rare] += 0
        _pending(table, system, await reader.pendency(system, now), now)
        _totals(table, system, await reader.totals(system))
        today = day_key(now, profile.zone)
        table[c.DEFAULTERS][system,] = len(await reader.defaulters(system, today))
        table[c.PRESENT][system,] = await reader.present(system, today)
    for metric, rows in table.items():
        shown.put(metric, rows)


def _pending(table: Table, system: str, units: Iterable[Pendency], now: int) -> None:
    for unit in units:
        level = str(unit.level)
        for age, cases in zip(AGES, unit.ages, strict=True):
            table[c.OPEN_CASES][system, unit.department, level, age] += cases
        table[c.OPEN_DISTRICT][system, str(unit.district), unit.department] += unit.cases
        oldest = max(0, now - unit.oldest_since) // 1000
        table[c.OLDEST_CASE][system, level] = max(table[c.OLDEST_CASE][system, level], oldest)


def _totals(table: Table, system: str, totals: Mapping[str, int]) -> None:
    for name, count in totals.items():
        head, _, rest = name.partition(":")
        if name == REPEATED:
            table[c.REJECTED][system, "repeated"] += count
        elif not rest:
            metric = c.FEEDBACK if name in FEEDBACK else c.CASES
            table[metric][system, name] += count
        elif head in SPLIT:
            table[SPLIT[head]][system, rest] += count
