"""`python -m tests.drills`: every alert set off by a fault of its kind, mended by its runbook page, and timed."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

import click
from confluent_kafka import KafkaException

from deploy.fleet import FleetError
from deploy.local.errors import LocalError
from tests.drills import scale
from tests.drills.ground import Ground, ground
from tests.drills.rows import ROWS, Row
from tests.live.stand import say
from tests.waiting import until

LOOK_S: Final = 0.25
QUIET_S: Final = 240.0
PATIENCE_S: Final = 15.0
"""How long the next row waits for the end of this one's alerts; what ends later is looked at afterwards."""
FAULTS: Final = (AssertionError, OSError, LocalError, FleetError, KafkaException, subprocess.SubprocessError)
HOLDS: Final = "holds"
HEAD: Final = ("| alert | fault | fires after, s | ends after, s | |", "|---|---|---|---|---|")
BEGIN, END = "<!-- drills, measured -->\n", "<!-- end of drills -->\n"


class Outcome(NamedTuple):
    """Seconds by alert; None where it did not come about in time."""

    row: Row
    fired: dict[str, float | None]
    ended: dict[str, float | None]
    error: str = ""

    @property
    def verdict(self) -> str:
        if self.row.void:
            return f"void: {self.row.void}"
        if self.error:
            return f"BROKEN: {self.error}"
        silent = [name for name in self.row.alerts if self.fired.get(name) is None]
        stuck = [name for name in self.row.alerts if self.ended.get(name) is None]
        return f"SILENT: {', '.join(silent)}" if silent else f"DOES NOT END: {', '.join(stuck)}" if stuck else HOLDS


class Begun(NamedTuple):
    """A row whose alerts have fired, and what was to be done is done since `mended_at` (monotonic)."""

    row: Row
    fired: dict[str, float | None]
    mended_at: float


def run(row: Row, place: Ground) -> Outcome | Begun:
    """Strike, wait until the alerts fire, do what their pages say, and for a while that they end."""
    if row.void:
        return Outcome(row, {}, {})
    fired: dict[str, float | None] = {}
    # the watchdog fires when all is well: what is a fault of others is its silence
    alarm = "Watchdog" not in row.alerts
    try:
        _wait(place, row.alerts, fires=not alarm, moment=time.monotonic(), most=QUIET_S, into={})
        moment = time.monotonic()
        row.strike(place)
        _wait(place, row.alerts, fires=alarm, moment=moment, most=row.after, into=fired)
        moment = time.monotonic()
        for hand in row.do:
            place.carry_out(hand) if isinstance(hand, str) else hand(place)
        _wait(place, row.alerts, fires=not alarm, moment=moment, most=PATIENCE_S, into={})
    except FAULTS as error:
        return Outcome(row, fired, {}, str(error).partition("\n")[0][:200])
    finally:
        _mend(place)
    return Begun(row, fired, moment)


def finished(begun: Begun, place: Ground) -> Outcome:
    """The same when its alerts have ended, or were given time enough."""
    row, ended = begun.row, dict[str, float | None]()
    left = max(PATIENCE_S, begun.mended_at + row.over - time.monotonic())
    _wait(place, row.alerts, fires="Watchdog" in row.alerts, moment=begun.mended_at, most=left, into=ended)
    return Outcome(row, begun.fired, ended)


def _wait(
    place: Ground, names: Sequence[str], *, fires: bool, moment: float, most: float, into: dict[str, float | None]
) -> None:
    """Note for each alert when it came to fire, or not to; None for those that had not after `most` seconds."""
    deadline = time.monotonic() + most
    while True:
        into.update({name: place.firing.since(name, moment, fires=fires) for name in names})
        if None not in into.values() or time.monotonic() > deadline:
            return
        time.sleep(LOOK_S)


def _mend(place: Ground) -> None:
    """Whatever came of a row, the next one begins on processes that run and under load."""
    place.over()
    if not all(node.alive for node in place.fleet.kafka.nodes):
        place.carry_out("docker compose up -d kafka")
    for node in place.fleet.kafka.nodes:
        node.resume()
    for process in (*place.watch.processes.values(), place.fleet.redis.process):
        process.start()
    if place.load is not None:
        place.load.go_on()
        place.load.changes = {}
    if place.disk is not None:
        place.disk.shrink()
    for service in place.fleet.services.values():
        service.process.resume()
        service.start()
    until(lambda: all(each.ready for each in place.fleet.services.values()), 120, what="all are ready")
    if place.load is not None:
        place.control(silent=0, delay_ms=0)


def drilled(rows: Sequence[Row], seed: int, home: Path) -> Iterator[Outcome]:
    """Rows of a kind of ground one after the other on the same one; those that end slowly do not hold up the next."""
    for brokers, same in groupby(sorted(rows, key=lambda row: row.brokers), key=lambda row: row.brokers):
        with ground(home / f"brokers-{brokers}", seed, brokers=brokers) as place:
            begun: list[Outcome | Begun] = []
            for row in same:
                begun.append(run(row, place))
                say(f"{row.fault}: {begun[-1].fired} {getattr(begun[-1], 'error', '')}")
            for each in begun:
                outcome = each if isinstance(each, Outcome) else finished(each, place)
                say(f"{outcome.row.fault}: {outcome.verdict} | fired {outcome.fired} | ended {outcome.ended}")
                yield outcome


def lines(outcomes: Sequence[Outcome]) -> dict[tuple[str, str], str]:
    """(alert, fault) -> its line of the table."""
    return {
        (name, each.row.fault): f"| `{name}` | {each.row.fault} | {_seconds(each.fired.get(name))} | "
        f"{_seconds(each.ended.get(name))} | {'' if each.verdict == HOLDS else each.verdict} |"
        for each in outcomes
        for name in each.row.alerts
    }


def table(found: Mapping[tuple[str, str], str]) -> str:
    """As Markdown, in the order of the rows."""
    order = [(name, row.fault) for row in ROWS for name in row.alerts]
    return "\n".join([*HEAD, *(found[each] for each in order if each in found)]) + "\n"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def put(page: Path, outcomes: Sequence[Outcome]) -> None:
    """Between the marks of a page; lines of alerts that were not among these rows stay as they are."""
    before, _, rest = page.read_text().partition(BEGIN)
    old, _, after = rest.partition(END)
    kept = {_of(line): line for line in old.splitlines() if line.startswith("| `")}
    page.write_text(f"{before}{BEGIN}{table(kept | lines(outcomes))}{END}{after}")


def _of(line: str) -> tuple[str, str]:
    """Alert and fault of a line; a fault has marks of code in it, and no bar."""
    alert, fault, *_ = line.removeprefix("| ").split(" | ")
    return alert.strip("`"), fault


@click.command()
@click.option("--row", "names", multiple=True, help="Only rows whose fault or alerts name this.")
@click.option("--seed", type=int, default=1, help="Decides what citizens write.")
@click.option("--list", "listed", is_flag=True, help="Name the rows and end.")
@click.option("--write", "page", type=click.Path(path_type=Path, exists=True), help="Page to put the table on.")
@click.option("--keep", type=click.Path(path_type=Path), default=None, help="Folder for logs and data.")
def main(names: tuple[str, ...], seed: int, listed: bool, page: Path | None, keep: Path | None) -> None:
    """Set off every alert on a running deployment, do what its page says, and say how long each took.

    Rules are those of deploy/prometheus with time running thirty times as fast in them: two seconds for a minute.
    """
    rows = [row for row in ROWS if not names or any(part in f"{row.fault} {row.alerts}" for part in names)]
    if listed:
        for row in rows:
            click.echo(f"{row.fault}: {', '.join(row.alerts)}")
        return
    home = keep or Path(tempfile.mkdtemp(prefix="drills-"))
    outcomes = list(drilled(rows, seed, home))
    click.echo(f"time in the rules {scale.FACTOR} times as fast\n\n{table(lines(outcomes))}")
    if page is not None:
        put(page, outcomes)
    say(f"logs: {home}")
    sys.exit(0 if all(each.verdict == HOLDS for each in outcomes) else 1)


if __name__ == "__main__":
    main()
