"""`nivaran audit`: the reconciliation, on any running system."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from rich.console import Console
from rich.table import Table

from agents.app import ROLES
from agents.audit.board import BoardError
from agents.audit.kafka_log import KafkaLog
from agents.audit.log import LogError
from agents.audit.report import Result, holds
from agents.audit.run import audit as reconcile
from agents.cli.shared import json_option, kafka_option, print_json, settings_with
from agents.runtime.envelope import faultless
from agents.simulate import truth
from agents.sms.ledger import Entry as LedgerLine
from schemas.codec import decoder
from schemas.topics import CASE_COMMANDS

UNREADABLE: Final = (
    "a record of the log cannot be read: a later release wrote it, or what is no worker. Audit with the release"
    " of the workers"
)
_ledger_line: Final[Callable[[bytes], LedgerLine]] = decoder(LedgerLine)


def log_of(kafka: str, prefix: str) -> KafkaLog:
    """The logs of the workers whose groups begin with `prefix`."""
    return KafkaLog(kafka, {stage.name: f"{prefix}-{role}" for role, parts in ROLES.items() for stage in parts.stages})


@click.command()
@click.option("--redis/--no-redis", "with_redis", default=True, help="Compare the read model in Redis, too.")
@click.option(
    "--ledger",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The SMS sandbox's ledger: each SMS must be in it once.",
)
@click.option(
    "--truth",
    "truth_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A ground truth of `nivaran simulate` to compare the logs with.",
)
@click.option("--processes", type=click.IntRange(1, 32), help="Side by side; default: as many as cores, at most 4.")
@kafka_option
@json_option
def audit(
    with_redis: bool,
    ledger: Path | None,
    truth_file: Path | None,
    processes: int | None,
    kafka: str | None,
    as_json: bool,
) -> None:
    """Recompute everything a running system holds from its logs, and compare.

    Every input has one answer; every due instant of an open case fired once, none for a case closed before; every SMS
    was handed over in one chain; closed windows equal a recount; outputs, dead letters and states of each stage equal a
    recomputation from its input; the read model equals a fold of the log. Only committed records count. What the
    workers have not folded yet when the audit begins is left out and counted.

    Exit code: 0 all of it holds; 1 something does not, Kafka or Redis is away, or Kafka has no topics of Nivaran; 2
    wrong usage.

    \b
    Example:
      nivaran audit --kafka 127.0.0.1:9092 --json
    """
    settings = settings_with(kafka)
    log = log_of(settings.kafka, settings.group_prefix)
    try:
        _ours(log, settings.kafka)
        results = reconcile(
            log,
            processes=processes or min(4, os.cpu_count() or 1),
            ledger=_delivered(ledger),
            truth=None if truth_file is None else truth.read(truth_file),
            redis_url=settings.redis_url if with_redis else None,
        )
    except (LogError, BoardError, LedgerError, truth.TruthError) as fault:
        raise click.ClickException(str(fault)) from fault
    except msgspec.ValidationError as fault:
        raise click.ClickException(f"{UNREADABLE} ({faultless(str(fault))})") from fault
    if as_json:
        print_json({"checks": [{**msgspec.to_builtins(each), "ok": each.ok} for each in results], "ok": holds(results)})
    else:
        show(results, Console())
    if not holds(results):
        raise SystemExit(1)


def _ours(log: KafkaLog, kafka: str) -> None:
    """An empty cluster would hold everything; raises LogError."""
    if CASE_COMMANDS not in log.topics():
        raise LogError(f"Kafka at {kafka} has no topics of Nivaran. Is NIVARAN_KAFKA right?")


class LedgerError(ValueError):
    """A ledger cannot be read; the message names the file and the line."""


def _delivered(ledger: Path | None) -> list[str] | None:
    """The id of every delivery in a ledger."""
    return None if ledger is None else list(deliveries(ledger))


def deliveries(ledger: Path) -> Iterator[str]:
    """The id of every delivery in a ledger; raises LedgerError."""
    with ledger.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                entry = _ledger_line(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise LedgerError(f"{ledger}, line {number}: is no line of a ledger ({error})") from None
            if entry.kind == "accepted":
                yield entry.id


def show(results: Sequence[Result], console: Console) -> None:
    """The reconciliation as a table, and below it what does not hold."""
    table = Table(title="Reconciliation", title_justify="left", title_style="bold", show_edge=False, pad_edge=False)
    for heading in ("", "check", "figures"):
        table.add_column(heading, overflow="fold")
    for result in results:
        sign = "[green]holds[/]" if result.ok else f"[bold red]{result.wrong} wrong[/]"
        table.add_row(sign, f"[bold]{result.name}[/]: {result.about}", _figures(result.figures))
    console.print(table)
    for result in results:
        for problem in result.problems:
            console.print(f"[red]{result.name}[/]: {problem}", highlight=False)
        if result.wrong > len(result.problems):
            console.print(f"[red]{result.name}[/]: and {result.wrong - len(result.problems)} more")


def _figures(figures: dict[str, Any]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in figures.items())
