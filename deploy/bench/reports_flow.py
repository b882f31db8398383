"""What the whole flow costs as it grows, as a report: one table for each thing that was made to grow."""

from typing import Final

from deploy.bench import flow
from deploy.bench.meter import Line, machine
from deploy.bench.report import Report, Section, measured_on
from deploy.bench.whole import ROLES

NAMES: Final = {
    "workers": "workers of each role",
    "partitions": "partitions",
    "open": "open cases beforehand",
    "days": "SLA windows closed",
    "districts": "districts",
}
UNITS: Final = {"workers": 1, "partitions": 1, "open": 1_000_000, "days": 1_000, "districts": 10}
"""A slope is told for so many more."""


def flow_report(result: flow.Result) -> Report:
    first = result.runs[0]
    parts = ", ".join(f"{role} {cost}" for role, cost in first.by_role.items())
    beside = ", ".join(f"{name} {cost}" for name, cost in first.beside.items())
    about = (
        measured_on(machine(), [run.load for run in result.runs]),
        (
            f"About {result.complaints:,} complaints a run, {first.events / first.complaints:.1f} events each "
            f"(records from outside); roles {', '.join(ROLES)}. CPU in us/event, first run: {parts}; beside {beside}."
        ),
    )
    head, *more = (_section(axis) for axis in result.axes)
    return Report("flow", about, head.headings, head.rows, head.outcome, tuple(more))


def _section(axis: flow.Axis) -> Section:
    rows = tuple(
        (f"{row.value:,.0f}", str(row.cpu_us), str(row.per_core_second), str(row.per_second),
         *(f"{row.by_role[role]:.0f}" for role in ROLES))
        for row in axis.rows
    )  # fmt: skip
    name, unit = NAMES[axis.name], UNITS[axis.name]
    steepest = max(axis.by_role, key=lambda role: abs(axis.by_role[role]))
    outcome = (
        f"An event costs {_slope(axis.line.slope, unit)} us more for each {_count(unit)} more of {name} "
        f"(from {axis.line.at_zero:.0f} us at none; R2 {axis.line.fit:.2f}), most of it in {steepest}: "
        f"{_slope(axis.by_role[steepest], unit)} us."
    )
    verdict = (_flat(axis.line),) if axis.name == "open" else ()
    headings = (name, "CPU us/event", "events/s of CPU", "events/s by the clock", *ROLES)
    return Section(f"By {name}", headings, rows, (outcome, *verdict))


def _count(unit: int) -> str:
    return "one" if unit == 1 else f"{unit:,}"


def _slope(slope: float, unit: int) -> str:
    return f"{slope * unit:+.2f}"


def _flat(line: Line) -> str:
    """Target: nothing in the cost of an event grows with the open cases."""
    share = line.slope * UNITS["open"] / line.at_zero
    return f"Target, nothing grows with open cases: {share:+.1%} of an event for each million."
