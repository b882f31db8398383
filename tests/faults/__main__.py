"""`python -m tests.faults`: the matrix of faults, row by row; exit code 0 only if every row struck and holds."""

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import click
from confluent_kafka import KafkaException
from rich.console import Console
from rich.table import Table

from deploy.local.errors import LocalError
from deploy.local.kafka import KafkaCluster
from tests.faults.netns import HERE, Cable
from tests.faults.proxy import Proxy
from tests.faults.rows import BY_TESTS, ROWS, SHORT, SHORT_SHARE, Shown
from tests.faults.trial import Outcome, Row, Trial, as_json, flow_of_points, latest_firing, together
from tests.live.audit import Audit
from tests.live.flows import FLOWS
from tests.live.stand import Stand, say

RATE = {"toy": 400.0, "helpline": 400.0}
MOST_INPUTS = 60_000
"""Also decides how many keys there are: a fifth of it."""
DISK_MB = 512
HOLDS = "holds"


def run(row: Row, seed: int, folder: Path, share: float = 1.0, *, keep: bool = False) -> Outcome:
    """Let a fault strike under load, then recompute everything from the input alone."""
    why, began = row.fits(), time.monotonic()
    times = max(1, round(row.times * share))
    if why:
        return Outcome(row.name, 0, times, Audit(), False, None, None, 0.0, why)
    prefix = f"fault-{seed}"
    flow = FLOWS[row.flow](prefix)
    if row.flow == "toy":
        flow = flow_of_points(flow, prefix)
    with _disk(row, folder) as home, _cable(row) as cable, _kafka(row, home, keep, cable) as (kafka, proxy):
        stand = Stand(kafka, flow, prefix, folder, row.workers, session_s=4, static=row.static)
        trial = Trial(stand, kafka, random.Random(seed), times, proxy, cable)
        try:
            stand.start_all()
            stand.start_load(seed, MOST_INPUTS, RATE[row.flow])
            row.strike(trial)
            stand.environ = {}
            stand.stop_load()
            settled = stand.settle()
        finally:
            stand.end()
        audit = together(stand.audits())
        latest = latest_firing(kafka.bootstrap, prefix) if row.flow == "toy" else None
        recovered = max(trial.recovered_s, default=None)
    return Outcome(row.name, trial.struck, times, audit, settled, latest, recovered, time.monotonic() - began)


def _outcome(row: Row, seed: int, folder: Path, share: float, *, keep: bool) -> Outcome:
    """The same; a row that ends early is one of the outcomes, and the others go on."""
    began = time.monotonic()
    try:
        return run(row, seed, folder, share, keep=keep)
    except (AssertionError, OSError, LocalError, KafkaException, subprocess.CalledProcessError) as error:
        took = time.monotonic() - began
        return Outcome(
            row.name, 0, row.times, Audit(), False, None, None, took, error=str(error).partition("\n")[0][:200]
        )


@contextmanager
def _kafka(row: Row, home: Path, keep: bool, cable: Cable | None) -> Iterator[tuple[KafkaCluster, Proxy | None]]:
    proxy = Proxy(host=HERE) if cable is not None else Proxy() if row.proxied else None
    settings = {"group.min.session.timeout.ms": "3000"}
    if proxy is not None:
        settings["advertised.listeners"] = f"CLIENT://{proxy.host}:{proxy.port}"
    cluster = KafkaCluster(home / "kafka", brokers=row.brokers, heap_mb=384, settings=settings, keep=keep)
    if proxy is not None:
        proxy.target = cluster.nodes[0].ports.client
    try:
        with cluster:
            yield cluster, proxy
    finally:
        if proxy is not None:
            proxy.close()


def _cable(row: Row) -> AbstractContextManager[Cable | None]:
    return Cable() if row.cabled else nullcontext()


@contextmanager
def _disk(row: Row, folder: Path) -> Iterator[Path]:
    """A disk of limited size where the row fills it, else the folder."""
    if not row.small_disk:
        yield folder
        return
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "nivaran-faults", str(disk)], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def shown(each: Shown) -> tuple[str, str, float]:
    """Run the live tests that are this row."""
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-m", "live or not live", *each.test.split(" ")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    last = (found.stdout.strip().splitlines() or ["no output"])[-1]
    return (HOLDS if found.returncode == 0 else "BROKEN"), last, time.monotonic() - began


def table(outcomes: Sequence[Outcome], tests: Sequence[tuple[Shown, str, str, float]]) -> Table:
    found = Table("fault", "struck", "inputs", "lost", "repeated", "wrong", "states wrong", "aborted", "latest firing",
                  "recovered in", "verdict", title="Nothing lost, nothing twice, nobody late")  # fmt: skip
    for each in outcomes:
        audit = each.audit
        counts = (audit.inputs, audit.lost, audit.repeated, audit.wrong, audit.states_wrong, audit.uncommitted_repeats)
        cells = [str(count if isinstance(count, int) else len(count)) for count in counts]
        seconds = ["" if value is None else f"{value:.1f} s" for value in (each.latest_s, each.recovered_s)]
        found.add_row(each.row, str(each.struck), *cells, *seconds, each.verdict)
    for test, verdict, said, took in tests:
        found.add_row(test.name, "", *[""] * 6, "", f"{took:.0f} s", f"{verdict} ({said})")
    return found


@click.command()
@click.option("--seed", type=int, default=1, help="Decides moments, victims and input.")
@click.option("--row", "names", multiple=True, help="Only rows whose name contains this; several times for several.")
@click.option("--short", is_flag=True, help="Three rows, struck a quarter as often.")
@click.option("--list", "listed", is_flag=True, help="Name the rows and end.")
@click.option("--json", "json_lines", is_flag=True, help="A line per row, as soon as it is done.")
@click.option("--keep", type=click.Path(path_type=Path), default=None, help="Folder for logs and data.")
def main(seed: int, names: tuple[str, ...], short: bool, listed: bool, json_lines: bool, keep: Path | None) -> None:
    """Run the matrix of faults on embedded brokers, each row under load, and audit each."""
    rows = [row for row in ROWS if (not short or row.name in SHORT) and _named(row.name, names)]
    tests = [] if short else [each for each in BY_TESTS if _named(each.name, names)]
    if listed:
        for name in (*(row.name for row in rows), *(each.name for each in tests)):
            click.echo(name)
        return
    folder = keep or Path(tempfile.mkdtemp(prefix="faults-"))
    outcomes: list[Outcome] = []
    for number, row in enumerate(rows):
        home = folder / f"{number:02}"
        home.mkdir(parents=True)
        outcomes.append(_outcome(row, seed, home, SHORT_SHARE if short else 1.0, keep=keep is not None))
        say(f"{row.name}: {outcomes[-1].verdict} | {outcomes[-1].audit}")
        if json_lines:
            click.echo(as_json(outcomes[-1]))
    found = [(each, *shown(each)) for each in tests]
    if json_lines:
        for each, verdict, said, took in found:
            click.echo(json.dumps({"row": each.name, "verdict": verdict, "said": said, "seconds": round(took, 1)}))
    else:
        Console(width=None if sys.stdout.isatty() else 200).print(table(outcomes, found))
    say(f"logs: {folder}")
    held = all(each.verdict == HOLDS for each in outcomes) and all(verdict == HOLDS for _, verdict, *_ in found)
    sys.exit(0 if held else 1)


def _named(name: str, parts: tuple[str, ...]) -> bool:
    return not parts or any(part in name for part in parts)


if __name__ == "__main__":
    main()
