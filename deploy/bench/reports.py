"""What the parts measured, as reports: medians with ranges, the machine and its load, the ratio or target."""

from collections.abc import Iterator
from typing import Final

from deploy.bench import door, drain, latency, metering, pauses, recovery, storm
from deploy.bench.meter import machine
from deploy.bench.report import Report, measured_on

RATIO: Final = 1.6
"""Target, of the plain loop's CPU per command."""
RATE: Final = 500.0
P99_MS: Final = 400.0
"""Target: a complaint's officer has his SMS accepted within it, at `RATE` a second."""
RESTORED: Final = 400_000
"""Target, records a second."""
FIRST_S: Final = 1.0
LAST_S: Final = {200_000: 5.0, 1_000_000: 30.0}
"""Targets of a storm: first escalation, and the last by how many cases are due at once."""
MOVED_S: Final = 0.6
"""Target of a pause where a worker joins or leaves."""
KILLED_S: Final = 2.0
"""Target of a pause where a worker dies, beyond the session's time."""
STORM_P99_MS: Final = 250.0
"""Target, of registrations meanwhile."""


def case_report(result: drain.Result) -> Report:
    about = (
        measured_on(machine(), [run.load for run in result.runs]),
        (
            f"{result.commands:,} commands of {result.bytes_per_command:.0f} bytes, "
            f"{result.outputs_per_command} outputs each. "
            f"All {len(result.runs)} runs wrote the same: {_yes(result.same)}."
        ),
    )
    rows = tuple(
        (
            side.who,
            f"{side.cases:,}",
            str(side.cpu_us),
            str(side.steady_cpu_us),
            f"{side.ratio:.2f}",
            f"{side.per_cpu_second:,.0f}",
            str(side.per_second),
            f"{side.rss_mib:,.0f}",
        )
        for side in result.sides
    )
    headings = (
        "", "open before", "CPU us/command", "second half", "to the plain loop", "commands/s of CPU",
        "commands/s by the clock", "MiB at most",
    )  # fmt: skip
    return Report("case", about, headings, rows, tuple(_ratios(result)))


def _ratios(result: drain.Result) -> Iterator[str]:
    worker = {side.cases: side for side in result.sides if side.who == drain.WORKER}
    for side in result.sides:
        if side.who == drain.ON_DISK:
            memory = worker[side.cases]
            yield (
                f"States on disk to states in memory, {side.cases:,} open before: "
                f"{side.cpu_us.median / memory.cpu_us.median:.2f} times the CPU of a command, "
                f"{side.rss_mib:,.0f} MiB to {memory.rss_mib:,.0f}."
            )
    for side in worker.values():
        yield (
            f"Worker to plain loop, {side.cases:,} open before: {side.ratio} (second half {side.steady_ratio}); "
            f"target {RATIO} at most."
        )
    peers = [side for side in result.sides if side.who not in drain.OWN]
    for side in peers:
        least = worker[min(worker)]
        yield f"{side.who} to worker: {side.cpu_us.median / least.cpu_us.median:.2f} times the CPU of a command."


def latency_report(result: latency.Result) -> Report:
    about = (
        measured_on(machine(), [run.load for run in result.runs]),
        (
            f"Milliseconds from the intended sending; {result.seconds:.0f} s a run, {result.partitions} partitions. "
            f"CPU a complaint, all processes but the load: "
            + "; ".join(f"{kind} {cost} ms" for kind, cost in result.cpu_ms.items())
            + "."
        ),
    )
    rows = tuple(
        (
            f"{row.door}, {row.rate:g}/s, {row.step}",
            f"{row.counted:,}",
            str(row.p50),
            str(row.p99),
            str(row.p999),
            str(row.most),
        )
        for row in result.rows
    )
    headings = ("by, at, until", "counted", "p50", "p99", "p99.9", "longest")
    return Report("latency", about, headings, rows, (*_targets(result), *_used(result)))


def _targets(result: latency.Result) -> tuple[str, ...]:
    """The verdict, where the rate of the target was measured."""
    return tuple(
        f"p99 of the {row.step} by the {row.door} at {row.rate:g}/s: {row.p99.median:.0f} ms, "
        f"target under {P99_MS:.0f}: {_yes(row.p99.median < P99_MS)}."
        for row in result.rows
        if row.rate == RATE and row.step == latency.STEPS[-1]
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


def pauses_report(result: pauses.Result) -> Report:
    about = (
        measured_on(machine(), [run.load for run in result.runs]),
        (
            f"The longest wait, seconds, at {result.rate:g} registrations a second; "
            f"a session lasts {result.session_timeout:g} s, heartbeats and all else are the defaults."
        ),
    )
    rows = tuple(
        (
            row.event,
            str(row.struck_s),
            "" if row.event == pauses.CALM else str(row.others_s),
            f"{row.rebalanced} of {len([run for run in result.runs if run.event == row.event])}",
        )
        for row in result.rows
    )
    headings = ("what happens", "its partitions, s", "the others', s", "others rebalanced, runs")
    return Report("pauses", about, headings, rows, tuple(_pause_targets(result)))


def _pause_targets(result: pauses.Result) -> Iterator[str]:
    for row in result.rows:
        longest = max(row.struck_s.median, row.others_s.median)
        if row.event in pauses.MOVES:
            yield f"{row.event}: {longest:.2f} s, target under {MOVED_S}: {_yes(longest < MOVED_S)}."
        elif row.event == pauses.KILL:
            most = result.session_timeout + KILLED_S
            yield f"{row.event}: {longest:.1f} s, target the session and {KILLED_S:.0f} s: {_yes(longest <= most)}."
        elif row.event in pauses.ALONE:
            yield f"{row.event}: the others see no rebalance: {_yes(not row.rebalanced)}."


def storm_report(result: storm.Result) -> Report:
    about = (
        measured_on(machine(), [run.load for run in result.runs]),
        (
            f"One escalation writes {result.records:g} records, {result.bytes_each:,.0f} bytes together, and a state. "
            f"Registrations meanwhile: {result.rate:g}/s. Every escalation was seen once in every run."
        ),
    )
    rows = tuple(
        (
            f"{row.cases:,}" + (f", {row.kills} kills" if row.kills else ""),
            str(row.first_s),
            str(row.half_s),
            str(row.last_s),
            str(row.p50),
            str(row.p99),
            str(row.most),
            str(row.calm_p99),
            str(row.worker_cpu_us),
            str(row.kafka_cpu_us),
        )
        for row in result.rows
    )
    headings = (
        "due at once", "first, s", "half, s", "last, s", "intake p50, ms", "p99", "longest", "p99 before",
        "worker CPU us/escalation", "Kafka's",
    )  # fmt: skip
    used = tuple(
        f"{run.cases:,} due at once, {run.kills} kills: cores used {_cores(run.cores)}; "
        f"{run.meanwhile.sent:,} registrations meanwhile" + (f"; {run.effort}." if run.effort else ".")
        for run in result.runs
    )
    return Report("storm", about, headings, rows, (*_storm_targets(result), *used))


def _storm_targets(result: storm.Result) -> tuple[str, ...]:
    """The verdict on storms without kills."""
    lines = []
    for row in result.rows:
        if row.kills:
            continue
        first, last, p99 = row.first_s.median, row.last_s.median, row.p99.median
        wanted = LAST_S.get(row.cases)
        told = "" if wanted is None else f"; last {last:.1f} s, target {wanted:.0f}: {_yes(last <= wanted)}"
        lines.append(
            f"{row.cases:,} due at once: first {first:.2f} s, target {FIRST_S:.0f}: {_yes(first <= FIRST_S)}{told}; "
            f"intake p99 {p99:.0f} ms, target under {STORM_P99_MS:.0f}: {_yes(p99 < STORM_P99_MS)}."
        )
    return tuple(lines)


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
