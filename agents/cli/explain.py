"""`nivaran explain CASE`: one case's timeline, each fact with the rule, the policy and the record that decided it."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import click
import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError
from rich.console import Console
from rich.table import Table

from agents.audit.kafka_log import KafkaLog
from agents.audit.log import LogError
from agents.cli.shared import json_option, kafka_option, print_json, settings_with
from agents.readmodel.reader import Reader
from agents.readmodel.views import SmsView
from schemas.topics import CASE_EVENTS
from streams.ids import valid_case_id
from streams.profiles.load import profiles

Facts = Sequence[dict[str, Any]]
HEAD: Final = frozenset(
    {"type", "case", "seq", "at", "system", "case_type", "district", "department", "level", "office", "because"}
)
INSTANTS: Final = frozenset({"due_at", "call_at"})
SHORT: Final = 60


@click.command()
@click.argument("case")
@click.option("--from", "source", type=click.Choice(["board", "log"]), default="board", show_default=True,
              help="The read model, or (slower, needs no Redis) the cases' own log.")  # fmt: skip
@click.option("--redis", "redis_url", metavar="URL", help="Default: NIVARAN_REDIS_URL.")
@kafka_option
@json_option
def explain(case: str, source: str, redis_url: str | None, kafka: str | None, as_json: bool) -> None:
    """Tell the life of CASE (18 digits): what happened, when, who had it, and because of which rule and record.

    Exit code: 0 told; 1 there is no such case, or Redis or Kafka is away; 2 no case can have this number.

    \b
    Example:
      nivaran explain 108838367268258838
      nivaran explain 108838367268258838 --from log --json
    """
    if not valid_case_id(case):
        raise click.BadParameter(f"{case}: no case can have this number, a digit is wrong", param_hint="CASE")
    settings = settings_with(kafka, redis_url)
    messages: dict[str, SmsView] = {}
    try:
        if source == "log":
            facts = _log(settings.kafka, case)
        else:
            facts, messages = asyncio.run(_board(settings.redis_url, case))
    except LogError as fault:
        raise click.ClickException(str(fault)) from fault
    except RedisError as fault:
        raise click.ClickException(
            f"Redis: {fault}. Is it up, is NIVARAN_REDIS_URL right? `--from log` needs none."
        ) from fault
    if not facts:
        raise click.ClickException(f"there is no case {case}")
    if as_json:
        print_json({"case": case, "facts": facts, "sms": messages})
        return
    console = Console()
    console.print(timeline(facts))
    if messages:
        console.print(sms(messages, _zone(facts)))


async def _board(url: str, case: str) -> tuple[list[dict[str, Any]], dict[str, SmsView]]:
    redis = Redis.from_url(url)
    try:
        reader = Reader(redis)
        return await reader.timeline(case), await reader.messages(case)
    finally:
        await redis.aclose()


def _log(kafka: str, case: str) -> list[dict[str, Any]]:
    """By reading all cases' facts: a key's partition could be computed, but not for topics other writers partition."""
    key = case.encode()
    return [msgspec.json.decode(each.value or b"") for each in KafkaLog(kafka, {}).read(CASE_EVENTS) if each.key == key]


def _zone(facts: Facts) -> ZoneInfo:
    profile = profiles().get(facts[0]["system"])
    return ZoneInfo(profile.zone if profile is not None else "UTC")


def _instant(at: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at / 1000, zone).strftime("%d %b %Y %H:%M:%S")


def timeline(facts: Facts) -> Table:
    """One row per fact, in the case's own order."""
    zone, first = _zone(facts), facts[0]
    title = f"{first['case']}  {first['case_type']}, {first['system']}"
    table = Table(title=title, title_justify="left", title_style="bold", show_edge=False, pad_edge=False)
    for heading in ("#", f"when ({zone.key})", "what", "owner", "because", "record"):
        table.add_column(heading, overflow="fold")
    for fact in facts:
        because = fact["because"]
        what = fact["type"].removeprefix("case.").rpartition(".")[0]
        told = _told(fact, zone)
        level = f"L{fact['level']} {fact['office']}" if fact["level"] else fact["office"]
        table.add_row(
            str(fact["seq"]),
            _instant(fact["at"], zone),
            f"[bold]{what}[/]" + (f"\n{told}" if told else ""),
            level,
            f"{because['rule']}\n[dim]{because['policy']}[/]",
            f"[dim]{because['cause']}[/]",
        )
    return table


def _told(fact: Mapping[str, Any], zone: ZoneInfo) -> str:
    """What the fact says beside the common fields."""
    told = []
    for name, value in fact.items():
        if name in HEAD or value is None:
            continue
        if name in INSTANTS:
            told.append(f"{name.removesuffix('_at')} {_instant(value, zone)}")
        else:
            told.append(f"{name.replace('_', ' ')} {_plain(value)}")
    return ", ".join(told)


def _plain(value: Any) -> str:
    match value:
        case {"ref": ref, "store": store}:
            return f"{store}/{ref}"
        case {"role": role}:
            return f"{role}"
        case dict():
            return " ".join(f"{name} {_plain(each)}" for name, each in value.items())
        case bool():
            return "yes" if value else "no"
        case _:
            text = str(value)
            return text if len(text) <= SHORT else text[:SHORT] + "…"


def sms(messages: Mapping[str, SmsView], zone: ZoneInfo) -> Table:
    """The last that is known of each message."""
    table = Table(title="SMS", title_justify="left", title_style="bold", show_edge=False, pad_edge=False)
    for heading in ("id", "to", "of", "state", f"when ({zone.key})", "attempt"):
        table.add_column(heading)
    for name, view in sorted(messages.items(), key=lambda item: (item[1].at, item[0])):
        table.add_row(name, view.audience, view.step, view.state, _instant(view.at, zone), str(view.attempt))
    return table
