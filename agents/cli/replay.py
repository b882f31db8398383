"""`nivaran replay`: an input file through the whole flow in memory, facts on standard output."""

import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from agents.cli.shared import print_json
from agents.simulate import lines, truth
from agents.simulate.door import Door, stand_in_identity
from agents.simulate.playback import Playback
from schemas.codec import encode
from schemas.topics import CASE_EVENTS, INTAKE_REJECTED
from streams.driver import Written
from streams.topology import STAGES

FACTS = (CASE_EVENTS, INTAKE_REJECTED)
TOPICS = sorted({topic for stage in STAGES for topic in (stage.reads, *stage.writes)})


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--topic",
    "topics",
    type=click.Choice(TOPICS),
    metavar="TOPIC",
    multiple=True,
    help="Print records of this topic (several are possible); default: cases' facts.",
)
@click.option(
    "--truth",
    "truth_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Go on to the ground truth's end and compare.",
)
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ"]), help="Go on to this instant (UTC); default: the last line."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document of counts instead of facts.")
def replay(file: Path, topics: tuple[str, ...], truth_file: Path | None, until: Any, as_json: bool) -> None:
    """Play FILE (of `nivaran simulate`) through all stages in memory; facts as NDJSON on standard output.

    Time moves from line to line and stops wherever something falls due. The SMS gateway is one that accepts
    everything. The same file gives the same facts, byte for byte.

    Exit code: 0 played, and as the ground truth says; 1 it differs, or a line is no input; 2 wrong usage.

    \b
    Example:
      nivaran replay var/simulated/input.ndjson | head
      nivaran replay var/simulated/input.ndjson --truth var/simulated/truth.json --json
    """
    expected = None if truth_file is None else _truth(truth_file)
    began = time.perf_counter()
    playback = _played(file, None if as_json else _printer(frozenset(topics or FACTS)), expected, until)
    seconds = time.perf_counter() - began
    wrong = [] if expected is None else truth.differences(expected.shown(), playback.tally.shown())
    if as_json:
        print_json(_summary(playback, seconds, wrong, compared=expected is not None))
    else:
        _report(playback, seconds, wrong, compared=expected is not None)
    if wrong:
        raise SystemExit(1)


def _played(
    file: Path, tell: Callable[[str, Written], None] | None, expected: truth.Truth | None, until: Any
) -> Playback:
    playback: Playback | None = None
    last = 0
    try:
        for line in lines.read(file):
            if playback is None:
                playback = Playback(STAGES, Door(stand_in_identity()), line.at, tell)
            playback.play(line)
            last = line.at
    except lines.LineError as error:
        raise click.ClickException(str(error)) from error
    if playback is None:
        raise click.ClickException(f"{file}: no line in it")
    end = expected.end_at if expected is not None else last
    playback.finish(end if until is None else max(end, int(until.timestamp() * 1000)))
    return playback


def _truth(path: Path) -> truth.Truth:
    try:
        return truth.read(path)
    except truth.TruthError as error:
        raise click.ClickException(str(error)) from error


def _printer(topics: frozenset[str]) -> Callable[[str, Written], None]:
    write = sys.stdout.buffer.write

    def tell(topic: str, written: Written) -> None:
        if topic in topics:
            write(encode(written.value) + b"\n")

    return tell


def _summary(playback: Playback, seconds: float, wrong: list[str], *, compared: bool) -> dict[str, Any]:
    counts = playback.tally.shown() | {"door": dict(playback.door)}
    speed = {
        "records": playback.records,
        "seconds": round(seconds, 2),
        "records_per_second": round(playback.records / seconds),
    }
    return counts | speed | ({"differences": wrong, "ok": not wrong} if compared else {})


def _report(playback: Playback, seconds: float, wrong: list[str], *, compared: bool) -> None:
    sys.stdout.flush()
    lines_in = Counter(playback.door).total()
    click.echo(f"{lines_in} lines, {playback.records} records in {seconds:.1f} s", err=True)
    for difference in wrong:
        click.echo(difference, err=True)
    if compared:
        click.echo("differs from the ground truth" if wrong else "as the ground truth says", err=True)
