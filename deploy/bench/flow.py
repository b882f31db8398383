"""What an event costs in the whole flow, and whether that grows with workers, partitions, cases, windows, places."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct, json
from msgspec.structs import replace

from deploy.bench.lab import BenchError
from deploy.bench.meter import MIB, Line, Spread, fitted, machine, spread
from deploy.bench.whole import ROLES, Run, Setting, carried_out
from deploy.sizing.costs import Costs

AXES: Final[dict[str, tuple[int, ...]]] = {
    "workers": (2,), "partitions": (12, 48), "open": (), "days": (7, 63), "districts": (1, 15),
}  # fmt: skip
"""What is larger or smaller than in the first setting, one at a time; of open cases as many as asked for."""
Tell = Callable[[str], None]


class Row(Struct, frozen=True):
    """All runs at one place of an axis."""

    value: float
    cpu_us: Spread
    per_core_second: Spread
    """Events a second of worker CPU."""
    per_second: Spread
    by_role: dict[str, float]


class Axis(Struct, frozen=True):
    """What an event costs as one thing grows, and the line fitted through all runs."""

    name: str
    rows: list[Row]
    line: Line
    by_role: dict[str, float]
    """Slope of each role, microseconds per event for each one more."""


class Result(Struct, frozen=True):
    complaints: int
    axes: list[Axis]
    runs: list[Run]


def measure(
    home: Path, complaints: int, axes: Sequence[str], cases: Sequence[int], costs: Path | None, runs: int, seed: int,
    tell: Tell,
) -> Result:  # fmt: skip
    """Raises BenchError, FleetError when a process cannot go on."""
    first = Setting(complaints)
    settings = _settings(first, axes, [count for count in sorted(set(cases)) if count])
    if costs is not None and not any(setting.open for setting in settings):
        raise BenchError("--costs needs what a case weighs in the table: --axis open, with some cases beforehand")
    done: list[Run] = []
    for number in range(1, runs + 1):
        for setting in settings:
            done.append(carried_out(home / "fleet", setting, seed, lasting=runs > 1))
            tell(_told(number, done[-1]))
    result = Result(complaints, [_axis(name, first, done) for name in axes], done)
    if costs is not None:
        costs.write_bytes(json.format(json.encode(_costs(first, done)), indent=2) + b"\n")
    return result


def _settings(first: Setting, axes: Sequence[str], cases: Sequence[int]) -> list[Setting]:
    values = {**AXES, "open": tuple(cases)}
    return [first, *(replace(first, **{name: value}) for name in axes for value in values[name])]


def _axis(name: str, first: Setting, runs: Sequence[Run]) -> Axis:
    mine = [run for run in runs if replace(run.setting, **{name: getattr(first, name)}) == first]
    values = sorted({getattr(run.setting, name) for run in mine})
    rows = [_row(name, [run for run in mine if getattr(run.setting, name) == value]) for value in values]
    slopes = {role: fitted([(_place(name, run), run.by_role[role]) for run in mine]).slope for role in ROLES}
    return Axis(name, rows, fitted([(_place(name, run), run.cpu_us) for run in mine]), slopes)


def _place(name: str, run: Run) -> float:
    """Where a run stands on an axis; more days are more windows, which is what they are there for."""
    return run.windows if name == "days" else getattr(run.setting, name)


def _row(name: str, runs: Sequence[Run]) -> Row:
    return Row(
        spread([_place(name, run) for run in runs]).median,
        spread([run.cpu_us for run in runs]),
        spread([1e6 / run.cpu_us for run in runs]),
        spread([run.per_second for run in runs]),
        {role: round(spread([run.by_role[role] for run in runs]).median, 1) for role in ROLES},
    )


def _costs(setting: Setting, runs: Sequence[Run]) -> Costs:
    """What the first setting cost."""
    first = [run for run in runs if run.setting == setting]

    def median(of: Callable[[Run], float]) -> float:
        return round(spread([of(run) for run in first]).median, 2)

    return Costs(
        machine(),
        median(lambda run: run.load.average),
        first[0].complaints,
        len(first),
        median(lambda run: run.events / run.complaints),
        {role: median(lambda run, role=role: run.records[role] / run.complaints) for role in ROLES},  # type: ignore[misc]
        {
            role: median(lambda run, role=role: run.by_role[role] * run.events / max(1, run.records[role]))  # type: ignore[misc]
            for role in ROLES
        },
        {role: median(lambda run, role=role: run.rss_mib[role]) for role in ROLES},  # type: ignore[misc]
        median(lambda run: run.beside["kafka"] * run.events / run.complaints),
        median(lambda run: run.beside["redis"] * run.events / run.complaints),
        median(lambda run: run.log_bytes / run.complaints),
        median(lambda run: run.redis_bytes / run.complaints),
        _per_case(runs, median(lambda run: run.rss_mib["case"])),
    )


def _per_case(runs: Sequence[Run], empty_mib: float) -> float:
    """Of the runs with most cases beforehand."""
    most = max(run.setting.open for run in runs)
    mine = [run.rss_mib["case"] for run in runs if run.setting.open == most]
    return round((spread(mine).median - empty_mib) * MIB / most, 1)


def _told(number: int, run: Run) -> str:
    setting = ", ".join(f"{name} {getattr(run.setting, name):,}" for name in run.setting.__struct_fields__)
    return (
        f"run {number}, {setting}: {run.cpu_us} us of worker CPU an event, {run.events:,} events, "
        f"{run.windows:,} windows"
    )
