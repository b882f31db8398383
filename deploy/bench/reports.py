"""What the parts measured, as reports: medians with ranges, the machine and its load, the ratio or target."""

from typing import Final

from deploy.bench import door, drain, latency, metering, recovery
from deploy.bench.meter import machine
from deploy.bench.report import Report, measured_on

RATIO: Final = 1.6
"""Target, of the plain loop's CPU per command."""
RATE: Final = 500.0
P99_MS: Final = 400.0
"""Target: a complaint's officer has his SMS accepted within it, at `RATE` a second."""
RESTORED: Final = 400_000
"""Target, records a second."""


def case_report(result: drain.Result) -> Report:
    about = (
        measured_on(machine(), [run.load for run in result.runs]),
        (
            f"{result.commands:,} commands of {result.bytes_per_command:.0f} bytes, "
            f"{result.outputs_per_command} outputs each, "
            f"{result.states:,} states. All {len(result.runs)} runs wrote the same: {_yes(result.same)}."
        ),
    )
    rows = tuple(
        (
            name,
            str(side.cpu_us),
            str(side.steady_cpu_us),
            f"{side.per_cpu_second:,.0f}",
            str(side.per_second),
            f"{side.rss_mib:,.0f}",
        )
        for name, side in (("worker case", result.worker), ("plain loop", result.plain))
    )
    ratio = f"Worker to plain loop: {result.ratio} (second half {result.steady_ratio}); target {RATIO} at most."
    return Report(
        "case",
        about,
        ("", "CPU us/command", "second half", "commands/s of CPU", "commands/s by the clock", "MiB at most"),
        rows,
        (ratio,),
    )


def latency_report(result: latency.Result) -> Report:
    about = (
        measured_on(machine(), [run.load for run in result.runs]),
        f"Milliseconds to the SMS accepted; {result.seconds:.0f} s a run, {result.partitions} partitions.",
    )
    rows = tuple(
        (
            f"{row.door}, {row.rate:g}/s",
            f"{row.counted:,}",
            str(row.p50),
            str(row.p99),
            str(row.p999),
            str(row.most),
            str(row.cpu_ms),
        )
        for row in result.rows
    )
    headings = ("by, at", "SMS", "p50", "p99", "p99.9", "longest", "CPU ms/complaint")
    return Report("latency", about, headings, rows, (*_targets(result), *_used(result)))


def _targets(result: latency.Result) -> tuple[str, ...]:
    """The verdict, where the rate of the target was measured."""
    return tuple(
        f"p99 by the {row.door} at {row.rate:g}/s: {row.p99.median:.0f} ms, target under {P99_MS:.0f}: "
        f"{_yes(row.p99.median < P99_MS)}."
        for row in result.rows
        if row.rate == RATE
    )


def _used(result: latency.Result) -> tuple[str, ...]:
    """Where the time goes, in the last run of each row."""
    last = {(run.door, run.rate): run for run in result.runs}
    return tuple(
        f"{door}, {rate:g}/s, last run: cores used {_cores(run.cores)}; "
        + "; ".join(f"{role} {effort}" for role, effort in run.stages.items())
        + "."
        for (door, rate), run in last.items()
    )


def _cores(cores: dict[str, float]) -> str:
    return ", ".join(f"{name} {share:.2f}" for name, share in sorted(cores.items(), key=lambda each: -each[1]))


def recovery_report(result: recovery.Result) -> Report:
    about = (
        measured_on(machine(), [run.load for run in result.runs]),
        (
            f"{result.states:,} cases of {result.bytes_encoded:.0f} bytes in the changelog, "
            f"{len(result.runs)} cold starts."
        ),
    )
    row = (
        "worker case",
        str(result.per_second),
        str(result.cpu_us),
        str(result.restore_s),
        str(result.index_s),
        str(result.ready_s),
        str(result.bytes_per_state),
    )
    met = f"Target above {RESTORED:,} records/s: {_yes(result.per_second.median > RESTORED)}."
    return Report(
        "recovery",
        about,
        ("", "records/s", "CPU us/record", "states, s", "due instants, s", "start to ready, s", "bytes/state"),
        (row,),
        (met,),
    )


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"


def door_report(result: door.Result) -> Report:
    about = (
        measured_on(machine(), [run.load for run in result.runs]),
        f"{result.connections} connections, {result.seconds:.0f} s a run; every request has a key of its own.",
    )
    rows = tuple((side.who, str(side.per_second), str(side.p99_ms), str(side.cpu_us)) for side in result.sides)
    gateway, bare = (side.cpu_us.median for side in result.sides)
    headings = ("", "accepted and durable, /s", "p99 ms", "CPU us/request")
    return Report("door", about, headings, rows, (f"CPU of a request, gateway to bare handler: {gateway / bare:.2f}.",))


def metering_report(result: metering.Result) -> Report:
    about = (
        measured_on(machine(), [run.load for run in result.runs]),
        f"{result.commands:,} commands a run. All {len(result.runs)} runs wrote the same: {_yes(result.same)}.",
    )
    names = {metering.OFF: "metrics off", metering.ON: "on", metering.SCRAPED: "on, scraped every second"}
    rows = tuple(
        (names[who], str(side.cpu_us), str(side.steady_cpu_us), str(side.per_second))
        for who, side in result.sides.items()
    )
    off, on, scraped = (side.cpu_us.median for side in result.sides.values())
    cost = (
        f"Metrics cost {on - off:+.2f} us of CPU a command ({(on - off) / off:+.1%}), scraped every second "
        f"{scraped - off:+.2f} us ({(scraped - off) / off:+.1%}); of medians, as exact as the ranges are narrow."
    )
    return Report("metrics", about, ("", "CPU us/command", "second half", "commands/s by the clock"), rows, (cost,))
