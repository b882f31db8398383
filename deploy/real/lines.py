"""One line per department over a whole run, made once from the product's windows and once from the recount."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from deploy.real.compare import ALL_MONTHS, Recount
from deploy.real.seen import Seen
from streams.sla.histogram import merge, quantile

MEDIAN: Final = 0.5


class Line(Struct, frozen=True):
    """One department, as one side counts it."""

    received: int
    disposed: int
    timeouts: tuple[int, ...]
    """By level, the first first."""
    open: int
    median_ms: float | None
    """Of the ages at disposal; the product's is an estimate."""


def product_lines(seen: Seen) -> dict[str, Line]:
    """What the product's month windows say."""
    cells = ((department, level, counts) for (_, department, level, _), counts in seen.months.items())
    histograms = defaultdict(list)
    opened: Counter[str] = Counter()
    for (department, _), ages in seen.ages.items():
        histograms[department].append(ages.histogram)
    for (department, _), change in seen.open_change.items():
        opened[department] += change
    medians = {department: quantile(merge(*each), MEDIAN) for department, each in histograms.items()}
    return _lines(cells, opened, medians)


def recount_lines(recount: Recount) -> dict[str, Line]:
    """What the recount says."""
    measures = recount["measures"]
    cells = ((row[1], row[2], dict(zip(measures, row[4:], strict=True))) for row in recount["months"])
    opened = {department: pending for department, _, pending in recount["pending"]}  # the last month stays
    medians = {row[0]: float(row[3]) for row in recount["ages"] if row[1:3] == [ALL_MONTHS, MEDIAN]}
    return _lines(cells, opened, medians)


def _lines(
    cells: Iterable[tuple[str, int, Mapping[Any, int]]], opened: Mapping[str, int], medians: Mapping[str, float | None]
) -> dict[str, Line]:
    counted: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for department, level, counts in cells:
        totals = counted[department]
        totals["received"] += counts.get("received", 0) if level == 1 else 0
        totals["disposed"] += counts.get("disposed", 0)
        totals[f"late {level}"] += counts.get("defaulters", 0)
    return {
        department: Line(
            totals["received"],
            totals["disposed"],
            tuple(totals[f"late {level}"] for level in range(1, 5)),
            opened.get(department, 0),
            medians.get(department),
        )
        for department, totals in counted.items()
    }
