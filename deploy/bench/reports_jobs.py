"""What the public jobs came to, as reports."""

from collections.abc import Iterator

from deploy.bench import engines, shuffle, timers
from deploy.bench.jobs.auctions import BIDS, WITHDRAWN
from deploy.bench.jobs.shuffle import OUTPUT_RATE, PARTITIONS, RECORD_BYTES, SELECTIVITY
from deploy.bench.meter import machine
from deploy.bench.report import Report, measured_on


def shuffle_report(result: shuffle.Result) -> Report:
    about = (
        measured_on(machine(), [run.load for run in result.runs]),
        (
            f"{result.records:,} records of {RECORD_BYTES:,} bytes, {SELECTIVITY:.0%} match a consumer, every "
            f"{OUTPUT_RATE}th of a consumer's makes an output, {PARTITIONS} partitions; exactly once."
        ),
    )
    rows = tuple(
        (f"{row.consumers:,} consumers", str(row.cpu_us), str(row.per_core_second), str(row.per_second),
         f"{row.rss_mib:,.0f}")
        for row in result.rows
    )  # fmt: skip
    few, many = result.rows[0], result.rows[-1]
    ratio = many.cpu_us.median / few.cpu_us.median
    outcome = f"A record with {many.consumers:,} consumers to one with {few.consumers:,}: {ratio:.2f}."
    headings = ("", "CPU us/record", "records/s of CPU", "records/s by the clock", "MiB at most")
    return Report("shuffle", about, headings, rows, (outcome,))


def timers_report(result: timers.Result) -> Report:
    last = result.runs[-1]
    about = (
        measured_on(machine(), [run.load for run in result.runs]),
        (
            f"{result.records:,} records: {last.auctions:,} auctions with a deadline, {BIDS} bids each, "
            f"{WITHDRAWN:.0%} withdrawn; {last.fired:,} timers fire as time moves past all deadlines; exactly once."
        ),
    )
    row = ("auctions", str(result.cpu_us), str(result.per_second), str(result.fire_us), str(result.last_s))
    headings = ("", "CPU us/record", "records/s by the clock", "CPU us/timer fired", "last after, s")
    outcome = f"Timers fired a second of CPU: {1e6 / result.fire_us.median:,.0f}."
    return Report("timers", about, headings, (row,), (outcome,))


def engines_report(result: engines.Result) -> Report:
    about = (
        measured_on(machine(), [run.load for run in result.runs]),
        (
            f"{result.commands:,} commands of {result.bytes_per_command} bytes, {result.outputs_per_command} outputs "
            f"each; {result.escalated:,} complaints are escalated when time moves past all deadlines; exactly once. "
            "Every run wrote what was counted apart."
        ),
    )
    rows = tuple(
        (row.who, str(row.cpu_us), str(row.steady_cpu_us), f"{row.ratio:.2f}", f"{row.per_core_second:,.0f}",
         str(row.per_second), str(row.fire_us), str(row.last_s), f"{row.rss_mib:,.0f}")
        for row in result.rows
    )  # fmt: skip
    headings = (
        "", "CPU us/command, start included", "second half", "to the worker", "commands/s of CPU", "by the clock",
        "CPU us/escalation", "last after, s", "MiB at most",
    )  # fmt: skip
    return Report("engines", about, headings, rows, tuple(_targets(result)))


def _targets(result: engines.Result) -> Iterator[str]:
    by_name = {row.who: row for row in result.rows}
    for who, target in engines.TARGETS.items():
        if (row := by_name.get(who)) is not None:
            verdict = "yes" if row.per_core_second > target else "no"
            yield f"{who}: {row.per_core_second:,.0f} commands a second of a core, target {target:,}: {verdict}."
    worker = by_name[engines.WORKER]
    for who in engines.BEFORE:
        if (row := by_name.get(who)) is not None:
            verdict = "yes" if worker.cpu_us.median < row.cpu_us.median and row.ratio > 1 else "no"
            yield f"Less CPU a command than {who}, start included and in the second half: {verdict}."
