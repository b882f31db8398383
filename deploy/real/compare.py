"""The product's windows beside the independent recount: every cell, every month's end, every quantile."""

from collections.abc import Hashable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from deploy.real.seen import Ages, Counts, DepartmentMonth, Seen, midnight
from deploy.real.span import rules
from streams.profiles.profile import HOUR_MS
from streams.sla.histogram import RELATIVE_ERROR, merge, quantile

K = TypeVar("K", bound=Hashable)
Recount = dict[str, Any]
"""What `tests/recount/recount.py` prints."""
ALL_MONTHS: Final = 0


class Check(NamedTuple):
    """One thing that must be the same on both sides: how many values were compared, and those that differ."""

    name: str
    compared: int
    differences: list[str]

    @property
    def held(self) -> bool:
        return self.compared > 0 and not self.differences


def compare(seen: Seen, noted: Mapping[str, int], recount: Recount) -> list[Check]:
    """All comparisons; the run is right when every one held. `noted`: what the feed says of the rows."""
    return [
        _rows(noted, recount),
        _account(seen, recount),
        _cells("counts per district, department, level and month", seen.months, _counts(recount, "months", 4), seen),
        _cells("counts per department, level and day", seen.days, _counts(recount, "days", 3), seen),
        _cells("hours added up to days", seen.hours, _counts(recount, "days", 3), seen),
        _pending(seen, recount),
        _ages(seen, recount),
        _quantiles(seen, recount),
        _windows(seen),
        Check(
            "the recount's own checks",
            len(recount["checks"]),
            [name for name, held in recount["checks"].items() if not held],
        ),
    ]


def _rows(noted: Mapping[str, int], recount: Recount) -> Check:
    """Rows read, and what of them was blank or no known value; none was rejected as it was read."""
    account = recount["account"]
    expected = {
        "rows": account["rows"],
        "no department": account["blank_type"] + account["placeholder_type"],
        "no description": account["blank_descriptor"],
        "no borough": account["blank_borough"],
    }
    for kind in ("zip", "council-district", "community-board"):
        column = kind.replace("-", "_")
        expected[f"unknown {kind}"] = account[f"unknown_{column}"]
        expected[f"no {kind}"] = account[f"blank_{column}"] + account[f"unknown_{column}"]
    return Check("every row read, blanks and unknown values by rule", len(expected), list(differing(noted, expected)))


def _account(seen: Seen, recount: Recount) -> Check:
    """Every row is accounted for: a case, a repeat, a conflict; and so is every closing day."""
    account = recount["account"]
    last = rules().last_level
    expected = {
        "cases": account["cases"],
        "repeated": account["repeated"],
        "refused: conflict": account["conflicts"],
        "disposed": account["disposed"],
        "closed: satisfaction-unknown": account["disposed"],
        "rejected: case.dispose.v1 repeated": account["disposals_repeated"],
        **{f"time-outs of level {level}": count for level, count in recount["timeouts"].items()},
        **{f"escalated from level {level}": count for level, count in recount["timeouts"].items() if int(level) < last},
    }
    return Check("every row and every closing day accounted for", len(expected), list(differing(seen.facts, expected)))


def differing(found: Mapping[K, int], expected: Mapping[K, int]) -> Iterator[str]:
    """What one side has and the other has not, or has otherwise; 0 and absent are the same."""
    for key in found.keys() | expected.keys():
        ours, theirs = found.get(key, 0), expected.get(key, 0)
        if ours != theirs:
            yield f"{key}: product {ours}, recount {theirs}"


def _counts(recount: Recount, table: str, width: int) -> dict[tuple[Any, ...], dict[str, int]]:
    """Rows of the recount as key -> measure -> count."""
    measures = recount["measures"]
    return {tuple(row[:width]): dict(zip(measures, row[width:], strict=True)) for row in recount[table]}


def _cells(name: str, found: Mapping[Any, Counts], expected: Mapping[Any, Mapping[str, int]], seen: Seen) -> Check:
    compared, differences = 0, []
    for key in found.keys() | expected.keys():
        ours: Mapping[Any, int] = found.get(key, {})
        theirs = expected.get(key, {})
        compared += len(theirs)
        differences += [f"{_named(key, seen.zone)} {each}" for each in differing(ours, theirs)]
    return Check(name, compared, differences)


def _named(key: tuple[Any, ...], zone: ZoneInfo) -> str:
    *unit, at = key
    return " ".join(str(part) for part in unit) + f" {datetime.fromtimestamp(at / 1000, zone).isoformat()}"


def _pending(seen: Seen, recount: Recount) -> Check:
    """Cases open at the end of every month: the product's is the sum of all changes up to it."""
    pending: dict[str, int] = {}
    differences = []
    for department, month, expected in recount["pending"]:  # in order of time within a department
        pending[department] = pending.get(department, 0) + seen.open_change[department, month]
        if pending[department] != expected:
            named = _named((department, month), seen.zone)
            differences.append(f"{named}: product {pending[department]}, recount {expected}")
    return Check("open at the end of every month, per department", len(recount["pending"]), differences)


def _ages(seen: Seen, recount: Recount) -> Check:
    expected = dict(recount["age_sum_ms"])
    found: dict[str, int] = {}
    for (department, _), ages in seen.ages.items():
        found[department] = found.get(department, 0) + ages.sum_ms
    return Check("sum of the times to close, per department, ms", len(expected), list(differing(found, expected)))


def _quantiles(seen: Seen, recount: Recount) -> Check:
    """Days to close: how many exactly, how long to within the histogram's stated error."""
    ages = {**seen.ages, **_over_all_months(seen.ages)}
    differences = []
    for department, month, q, exact, count in recount["ages"]:
        ours = ages.get((department, month), Ages())
        estimate = quantile(ours.histogram, q)
        if ours.disposals != count or estimate is None or abs(estimate - exact) > RELATIVE_ERROR * exact:
            differences.append(
                f"{department} {month} q{q}: product {estimate} of {ours.disposals}, recount {exact} of {count}"
            )
    name = f"quantiles of the time to close, per department and month, within {RELATIVE_ERROR:.0%}"
    return Check(name, len(recount["ages"]), differences)


def _over_all_months(ages: Mapping[DepartmentMonth, Ages]) -> dict[DepartmentMonth, Ages]:
    whole: dict[DepartmentMonth, Ages] = {}
    for (department, _), each in ages.items():
        total = whole.setdefault((department, ALL_MONTHS), Ages())
        total.disposals += each.disposals
        total.histogram = merge(total.histogram, each.histogram)
    return whole


def _windows(seen: Seen) -> Check:
    """One final result per window, and every span a whole local hour, day or month."""
    twice = [f"final {count} times: {window}" for window, count in seen.finals.items() if count != 1]
    spans = [f"{span} is no local {span[0]}" for span in seen.spans if not _whole(span, seen.zone)]
    return Check("one final result per window, on local edges", len(seen.finals) + len(seen.spans), twice + spans)


def _whole(span: tuple[str, int, int], zone: ZoneInfo) -> bool:
    """Days and months begin and end at local midnight, one apart; hours last an hour and lie in one day."""
    grain, start, end = span
    first, last = (datetime.fromtimestamp(at / 1000, zone) for at in (start, end))
    match grain:
        case "hour":
            return end - start == HOUR_MS and first.minute == 0 and midnight(start, zone) == midnight(end - 1, zone)
        case "day":
            return (
                midnight(start, zone) == start and midnight(end, zone) == end and (last.date() - first.date()).days == 1
            )
        case _:
            edges = midnight(start, zone) == start and midnight(end, zone) == end and first.day == last.day == 1
            return edges and (last.year - first.year) * 12 + last.month - first.month == 1
