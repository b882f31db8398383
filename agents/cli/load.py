"""`nivaran load`: submissions and actions from NDJSON, CSV or XLSX into Kafka."""

import signal
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import click
from msgspec import Meta
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from agents.cli.shared import json_option, kafka_option, print_json, settings_of
from agents.clock import WallClock
from agents.contact import Contacts, KeyFormatError, key_bytes
from agents.gateway.records import Identity
from agents.kafka_admin import ClusterError
from agents.loader.mapping import MappingError
from agents.loader.progress import Checkpoint, Progress, ProgressError, content_of
from agents.loader.rows import FileError
from agents.loader.run import KafkaTarget, NotDurableError, Nowhere, Rejects, load_rows
from agents.loader.sources import Choice, Source, source
from agents.runtime.exits import Exit
from agents.settings import Settings, SettingsError

REJECTED: Final = 1
INTERRUPTED: Final = 130


class LoadSettings(Settings, frozen=True, kw_only=True):
    """The loader makes tokens and seals contacts as the gateway does."""

    citizen_key: str
    contact_key: str
    load_timeout: Annotated[float, Meta(ge=1)] = 30.0
    """How long a batch may take to be acknowledged before the run ends."""


class Unfit(click.ClickException):
    """The file, its mapping or a setting is not right."""

    exit_code = Exit.USAGE


class Plan(NamedTuple):
    """What is asked for."""

    choice: Choice
    rejects: Path
    progress: Path
    dry_run: bool

    @property
    def file(self) -> Path:
        return self.choice.file


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--mapping",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="TOML that says what the columns of a CSV or XLSX mean; without it FILE is NDJSON.",
)
@click.option("--sheet", metavar="NAME", help="Sheet of an XLSX workbook; default: the first.")
@click.option(
    "--received",
    type=click.Choice(["now", "file"]),
    default="now",
    help="When lines of NDJSON count as received: as they are loaded, or at their own `at`. A mapping says it itself.",
)
@click.option("--rejects", type=click.Path(dir_okay=False, path_type=Path), help="Default: FILE.rejects.ndjson.")
@click.option("--restart", is_flag=True, help="Forget how far an earlier run came.")
@click.option("--dry-run", is_flag=True, help="Check every row, write the reject file, put nothing into Kafka.")
@kafka_option
@json_option
def load(
    file: Path,
    mapping: Path | None,
    sheet: str | None,
    received: str,
    rejects: Path | None,
    restart: bool,
    dry_run: bool,
    kafka: str | None,
    as_json: bool,
) -> None:
    """Load submissions and actions from FILE: NDJSON, or with --mapping CSV or XLSX (.gz of the first two is unpacked).

    A line of NDJSON holds `key`, `body` (as POST /v1/complaints takes it; `mobile` may be missing) and, for an action,
    `case`. Ids are derived from the keys, so loading twice does nothing twice. How far a run came stands in
    FILE.progress.json; the next run goes on there. After Ctrl-C or SIGTERM it sends nothing again; after a kill -9 it
    sends again what came after the last checkpoint (at most 5,000 rows), which intake answers as repeated. Rows that
    cannot be taken go to the reject file, with line and reason.

    Exit code: 0 every row is durable; 1 some were rejected, the others are durable; 2 the file, its mapping or a
    setting is not right, or the reject or progress file cannot be written; 69 Kafka did not take a batch, run again to
    go on; 130 interrupted, run again to go on.

    \b
    Example:
      nivaran load complaints.ndjson
      nivaran load register.csv.gz --mapping register.toml --dry-run
      nivaran load samadhan-divas.xlsx --mapping samadhan-divas.toml --sheet तहसील
    """  # fmt: skip
    plan = Plan(
        Choice(file, mapping, sheet, received == "file"),
        rejects or file.with_name(file.name + ".rejects.ndjson"),
        file.with_name(file.name + ".progress.json"),
        dry_run,
    )
    if any(each is not None and _same(each, plan.rejects) for each in (file, mapping, plan.progress)):
        raise click.BadParameter("is one of the files that are read", param_hint="--rejects")
    if restart:
        plan.progress.unlink(missing_ok=True)
    began = time.perf_counter()
    code, start, progress, fault = _run(plan, kafka)
    _report(plan, start, progress, time.perf_counter() - began, fault, as_json=as_json)
    sys.exit(code)


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve() or (one.exists() and other.exists() and one.samefile(other))


def _run(plan: Plan, kafka: str | None) -> tuple[int, Progress, Progress, str]:
    """Load; answer the exit code, where it began, where it ended, and what stopped it."""
    try:
        settings = settings_of(LoadSettings, kafka=kafka)
        identity = Identity(
            key_bytes(settings.citizen_key, "NIVARAN_CITIZEN_KEY"), Contacts.from_text(settings.contact_key)
        )
        checkpoint = Checkpoint(plan.progress, content_of(plan.file, plan.choice.mapping, also=plan.choice.sheet or ""))
        start = Progress("") if plan.dry_run else checkpoint.read()
    except (SettingsError, KeyFormatError, ProgressError) as error:
        raise Unfit(str(error)) from None
    if start.finished:
        return REJECTED if start.rejected else 0, start, start, ""
    reached = [start]
    rejects = Rejects(plan.rejects, start.reject_bytes)
    code, fault = 0, ""
    try:
        with source(plan.choice) as found, _watched(plan, found, reached) as on_batch:
            rows = found.rows(identity, WallClock().now)
            target = Nowhere() if plan.dry_run else KafkaTarget(settings, settings.load_timeout)
            with _asked_to_stop() as asked:
                kept = None if plan.dry_run else checkpoint
                reached.append(load_rows(rows, start, target, rejects, kept, on_batch, lambda: bool(asked)))
            if asked:
                code, fault = INTERRUPTED, "interrupted"
    except (MappingError, FileError, OSError, EOFError, zlib.error) as error:
        raise Unfit(f"{_storage(error, plan)} (after {reached[-1].rows:,} rows)") from None
    except ClusterError as error:
        code, fault = Exit.UNAVAILABLE, str(error)
    except NotDurableError as error:
        code, fault = Exit.UNAVAILABLE, f"Kafka at {settings.kafka}: {error}"
    except KeyboardInterrupt:
        code, fault = INTERRUPTED, "interrupted"
    finally:
        rejects.close()
    if not code and reached[-1].rejected:
        code = REJECTED
    return code, start, reached[-1], fault


@contextmanager
def _asked_to_stop() -> Iterator[list[int]]:
    """The signals that asked for a clean end; a second one ends at once."""
    asked: list[int] = []
    before = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}

    def hear(number: int, _frame: object) -> None:
        asked.append(number)
        for name, handler in before.items():
            signal.signal(name, handler)

    for name in before:
        signal.signal(name, hear)
    try:
        yield asked
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _storage(error: Exception, plan: Plan) -> str:
    """What is wrong with which file: a write that fails names none, and it is the reject file that is written."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or plan.rejects}: {error.strerror}"
    return str(error)


@contextmanager
def _watched(plan: Plan, found: Source, reached: list[Progress]) -> Iterator[Callable[[Progress], None]]:
    """A progress bar on a terminal; `reached` gets every checkpoint."""
    console = Console(stderr=True)
    parts = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"), TimeRemainingColumn())
    with Bar(*parts, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(plan.file.name, total=plan.file.stat().st_size, told="")

        def on_batch(progress: Progress) -> None:
            reached.append(progress)
            told = f"{progress.rows:,} rows, {progress.rejected:,} rejected"
            bar.update(task, completed=found.position(), told=told)

        yield on_batch


def _report(plan: Plan, start: Progress, end: Progress, seconds: float, fault: str, *, as_json: bool) -> None:
    written, rows = end.rows - end.blank, end.rows - start.rows - (end.blank - start.blank)
    outcome: dict[str, Any] = {
        "file": str(plan.file),
        "dry_run": plan.dry_run,
        "rows": written,
        "rows_this_run": rows,
        "blank": end.blank,
        "records": end.records,
        "rejected": end.rejected,
        "reject_file": str(plan.rejects) if end.rejected else None,
        "seconds": round(seconds, 2),
        "rows_per_second": round(rows / seconds) if seconds else 0,
        "fault": fault or None,
    }
    if as_json:
        print_json(outcome)
        return
    what = "checked" if plan.dry_run else "loaded"
    if not written and not fault:
        click.echo(f"Nothing to do: {plan.file} has no rows.")
    elif not rows and end.finished and not fault:
        click.echo(f"Nothing to do: all {written:,} rows were loaded before (--restart loads them again).")
    else:
        click.echo(
            f"{rows:,} rows {what} in {seconds:.1f} s ({outcome['rows_per_second']:,}/s): {end.records:,} records."
        )
    if end.blank:
        click.echo(f"{end.blank:,} rows with nothing in them, or above the header, were passed over.")
    if end.rejected:
        click.echo(f"{end.rejected:,} rows rejected: {plan.rejects}")
    if fault:
        click.echo(f"{fault}\n{end.rows:,} rows are durable; the same command goes on from there.", err=True)
