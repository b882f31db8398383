"""`nivaran officers`: loads offices and officers, and lists the absent, the missing logins, the ladder, who acted."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import click
from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import RedisError
from rich.console import Console
from rich.table import Table

from agents.cli.applications import applications_command
from agents.cli.shared import json_option, kafka_option, print_json, settings_of, settings_with
from agents.clock import WallClock
from agents.contact import Contacts, KeyFormatError
from agents.gateway.activities import watched
from agents.loader.officers import Checked, Fault
from agents.loader.officers import check as check_files
from agents.loader.run import KafkaTarget, NotDurableError
from agents.readmodel.officer_reader import Area, OfficerReads
from agents.runtime.exits import Exit
from agents.settings import Settings, SettingsError
from streams.calendar import day_key, month_key
from streams.profiles.load import profiles
from streams.profiles.profile import DAY_MS

SHOWN: Final = 20
Read = Callable[[OfficerReads, Area], Awaitable[Sequence[Struct]]]


class OfficerSettings(Settings, frozen=True, kw_only=True):
    """The loader seals the persons of officers as the gateway seals citizens' contacts."""

    contact_key: str


class Unfit(click.ClickException):
    """A file or a setting is not right: nothing was loaded."""

    exit_code = Exit.USAGE


@click.group()
def officers() -> None:
    """Load offices and officers; list the absent, missing logins, the action ladder, who acted, open tickets.

    \b
    Example:
      nivaran officers load offices.csv officers.csv
      nivaran officers absent --system SYSTEM --district 159
    """


@officers.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check the files and put nothing into Kafka.")
@kafka_option
@json_option
def load(files: tuple[Path, ...], dry_run: bool, kafka: str | None, as_json: bool) -> None:
    """Load offices and officers from FILES (CSV); all of them, or nothing where a line is wrong.

    A file of offices has the columns system, office, name; a file of officers: system, officer, office, designation,
    name, mobile, email, status, charge, from. status is listed (or empty), requested, generated or left; charge is yes
    (or empty) or no; from is the date or instant at which he takes charge, empty: now. A new officer in charge of an
    office is a transfer of charge: its cases keep their clocks. name, mobile and email go under seal
    (NIVARAN_CONTACT_KEY). Loading twice changes nothing.

    Exit code: 0 every row is durable; 2 a file or a setting is not right, nothing was loaded; 69 Kafka did not take
    everything, load again.

    \b
    Example:
      nivaran officers load offices.csv officers.csv --dry-run
    """
    began = time.perf_counter()
    try:
        settings = settings_of(OfficerSettings, kafka=kafka)
        contacts = Contacts.from_text(settings.contact_key)
    except (SettingsError, KeyFormatError) as error:
        raise Unfit(str(error)) from None
    checked = check_files(files, contacts, WallClock().now())
    if checked.faults:
        _refuse(checked.faults, as_json=as_json)
    fault = "" if dry_run else _write(checked, settings)
    _tell(checked, time.perf_counter() - began, dry_run, fault, as_json=as_json)
    if fault:
        raise SystemExit(Exit.UNAVAILABLE)


def _write(checked: Checked, settings: OfficerSettings) -> str:
    """Make everything durable; what went wrong, or nothing."""
    target = KafkaTarget(settings, settings.transaction_timeout)
    try:
        for entry in checked.entries:
            target.put(entry)
        target.settle()
    except NotDurableError as error:
        return f"Kafka at {settings.kafka}: {error}"
    return ""


def _refuse(faults: Sequence[Fault], *, as_json: bool) -> None:
    if as_json:
        print_json({"faults": faults, "loaded": False})
        raise SystemExit(Exit.USAGE)
    for fault in faults[:SHOWN]:
        click.echo(str(fault), err=True)
    more = f" (the first {SHOWN} of {len(faults)})" if len(faults) > SHOWN else ""
    raise Unfit(f"nothing was loaded: {len(faults)} faults{more}")


def _tell(checked: Checked, seconds: float, dry_run: bool, fault: str, *, as_json: bool) -> None:
    if as_json:
        told = {"offices": checked.offices, "officers": checked.officers, "records": len(checked.entries)}
        print_json(told | {"dry_run": dry_run, "seconds": round(seconds, 2), "fault": fault or None})
        return
    what = "checked" if dry_run else "loaded"
    click.echo(f"{checked.offices:,} offices and {checked.officers:,} officers {what} in {seconds:.1f} s")
    if fault:
        click.echo(f"{fault}. Load the files again.", err=True)


def _area(command: Any) -> Any:
    """The options all lists share."""
    systems = [profile.system for profile in watched()]
    options = (
        click.option("--system", type=click.Choice(systems), help="Default: every system that watches officers."),
        click.option("--district", type=int, help="LGD code; 0 for what stands above districts. Default: all."),
        click.option("--department", help="Default: all."),
        click.option("--redis", "redis_url", metavar="URL", help="Default: NIVARAN_REDIS_URL."),
        json_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


@officers.command()
@_area
@click.option("--day", help="Local day, like 2026-02-28. Default: the last one whose result is in.")
def absent(day: str | None, **given: Any) -> None:
    """List officers under the day's checks or minutes, never logged in, or silent, with their figures.

    Exit code: 0 listed; 1 Redis is away; 2 wrong usage.

    \b
    Example:
      nivaran officers absent --system SYSTEM --district 159 --day 2026-02-28 --json
    """
    now = WallClock().now()

    def read(reads: OfficerReads, area: Area) -> Awaitable[Sequence[Struct]]:
        profile = profiles()[area.system]
        return reads.absent(area, day or day_key(now - profile.windows.lateness_ms - DAY_MS, profile.zone))

    _show(given, _rows(given, read), f"absent on {day or 'the last day that is over'}", ("logins", "minutes", "flags"))


@officers.command()
@_area
@click.option("--at", type=click.DateTime(), help="Who holds charge at this local time. Default: now.")
def missing(at: datetime | None, **given: Any) -> None:
    """List offices that have nobody with a login, by district, kind of place and place.

    standing: not-listed, nobody loaded the office; vacant, nobody holds it; listed or requested, who holds it has no
    login yet.

    Exit code: 0 listed; 1 Redis is away; 2 wrong usage.

    \b
    Example:
      nivaran officers missing --system SYSTEM --district 159
    """
    now = WallClock().now()

    def read(reads: OfficerReads, area: Area) -> Awaitable[Sequence[Struct]]:
        local = None if at is None else at.replace(tzinfo=ZoneInfo(profiles()[area.system].zone))
        return reads.missing(area, now if local is None else round(local.timestamp() * 1000))

    columns = ("system", "district", "unit", "scope", "office", "standing", "officer")
    _show(given, _rows(given, read), "without a login", columns, own=True)


@officers.command()
@_area
def ladder(**given: Any) -> None:
    """List steps of the action ladder, proposed by a preset or taken, each with its cases.

    Exit code: 0 listed; 1 Redis is away; 2 wrong usage.

    \b
    Example:
      nivaran officers ladder --system SYSTEM --district 159 --json
    """
    rows = _rows(given, lambda reads, area: reads.ladder(area))
    _show(given, rows, "on the ladder", ("proposed", "taken"))


@officers.command()
@_area
@click.option("--month", help="Local month, like 2026-02. Default: the present one.")
def conduct(month: str | None, **given: Any) -> None:
    """List who acted himself and who let delegates act, as a share, and the days on which he was a defaulter.

    Exit code: 0 listed; 1 Redis is away; 2 wrong usage.

    \b
    Example:
      nivaran officers conduct --system SYSTEM --month 2026-02
    """
    now = WallClock().now()

    def read(reads: OfficerReads, area: Area) -> Awaitable[Sequence[Struct]]:
        return reads.conduct(area, month or month_key(now, profiles()[area.system].zone))

    columns = ("personal", "delegated", "delegated_share", "defaulter_days")
    _show(given, _rows(given, read), f"conduct in {month or 'this month'}", columns)


@officers.command()
@_area
def tickets(**given: Any) -> None:
    """List the officers' own support-desk tickets that are not closed.

    Exit code: 0 listed; 1 Redis is away; 2 wrong usage.

    \b
    Example:
      nivaran officers tickets --system SYSTEM
    """
    rows = _rows(given, lambda reads, area: reads.tickets(area))
    _show(given, rows, "tickets", ("ticket", "state"))


officers.add_command(applications_command)


def _rows(given: dict[str, Any], read: Read) -> list[Struct]:
    there = None if given["district"] is None else frozenset({given["district"]})
    systems = [given["system"]] if given["system"] else [profile.system for profile in watched()]
    areas = [Area(system, there, given["department"]) for system in systems]
    try:
        return asyncio.run(_asked(settings_with(redis_url=given["redis_url"]).redis_url, areas, read))
    except RedisError as fault:
        raise click.ClickException(f"Redis: {fault}. Is it up, is NIVARAN_REDIS_URL right?") from fault


async def _asked(url: str, areas: Sequence[Area], read: Read) -> list[Struct]:
    redis = Redis.from_url(url)
    try:
        reads = OfficerReads(redis)
        return [row for area in areas for row in await read(reads, area)]
    finally:
        await redis.aclose()


def _show(
    given: dict[str, Any], rows: Sequence[Struct], title: str, columns: Iterable[str], *, own: bool = False
) -> None:
    if given["as_json"]:
        print_json({"system": given["system"], "district": given["district"], "rows": rows})
        return
    head = () if own else ("system", "district", "department", "officer", "designation", "office")
    table = Table(title=title, title_justify="left", title_style="bold", show_edge=False)
    for column in (*head, *columns):
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(getattr(row, column)) for column in (*head, *columns)))
    Console().print(table)
    click.echo(f"{len(rows):,} in all")


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case float():
            return f"{value:.0%}"
        case tuple():
            return "\n".join(map(_cell, value))
        case Struct():
            told = {name: getattr(value, name) for name in value.__struct_fields__}
            return ", ".join(_cell(each) for name, each in told.items() if each and not name.endswith("at"))
        case _:
            return str(value)
