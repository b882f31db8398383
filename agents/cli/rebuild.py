"""`nivaran rebuild`: what was derived from the log, made from it once more and compared with what is there."""

import asyncio
from typing import Final

import click
from confluent_kafka import KafkaException
from redis.asyncio import Redis
from redis.exceptions import RedisError
from rich.console import Console

from agents.audit import stages, windows
from agents.audit.log import LogError
from agents.audit.report import Result, holds
from agents.cli.audit import log_of, show
from agents.cli.reviewing import redis_option
from agents.cli.shared import json_option, kafka_option, print_json, settings_with
from agents.kafka_admin import ClusterError, knock
from agents.readmodel.keys import PREFIX
from agents.readmodel.model import ANSWER_S, ReadModel
from agents.readmodel.rebuild import OtherLogError, catch_up, compare, drop, rebuild
from agents.settings import Settings
from streams.sla.stage import SLA

BESIDE: Final = f"{PREFIX}-rebuilt"
REGISTERS: Final = ("blots", "defaulters", "dissatisfied", "lives", "months", "reviews", "stays", "stays-ended")
"""First parts of the names of the keys that reviews are made from."""
LOOKS: Final = 20
LOOK_S: Final = 0.5
SHOWN: Final = 20


class MovingError(RuntimeError):
    """The read model in use is behind the log, or changes while it is compared."""


@click.command("rebuild")
@click.argument("what", type=click.Choice(["board", "registers", "sla"]))
@click.option("--replace", is_flag=True, help="board: drop the one in use and make it anew in its place.")
@redis_option
@kafka_option
@json_option
def rebuild_command(what: str, replace: bool, redis_url: str | None, kafka: str | None, as_json: bool) -> None:
    """Make the board, its registers or the SLA windows from the log again, and compare with those in use.

    board, registers: a second read model beside the first in Redis, dropped afterwards. It is made up to where the one
    in use is in the log, which must stand still while the two are compared: wait for a quiet moment, or stop the
    worker `board` for as long. sla: states and windows counted anew, from the units' facts and from the cases' own.

    With --replace the board may go on taking records; it is compared only where it takes none.

    Exit code: 0 the same, or replaced; 1 something differs or does not come to rest, Kafka or Redis is away; 2 wrong
    usage.

    \b
    Example:
      nivaran rebuild board
      nivaran rebuild sla --json
    """
    if replace and what != "board":
        raise click.UsageError("--replace is for the board: registers are part of it, windows stand in the log")
    settings = settings_with(kafka, redis_url)
    try:
        knock(settings.kafka)
        if what == "sla":
            _sla(settings, as_json)
            return
        differing = asyncio.run(_board(settings, replace=replace))
    except (ClusterError, LogError, OtherLogError, MovingError) as fault:
        raise click.ClickException(str(fault)) from fault
    except KafkaException as fault:
        raise click.ClickException(f"Kafka: {fault.args[0].str()}") from fault
    except (RedisError, OSError) as fault:
        raise click.ClickException(f"Redis at {settings.redis_url.rpartition('@')[2]}: {fault}") from fault
    _say_board(what, differing, as_json)


def _say_board(what: str, differing: list[str] | None, as_json: bool) -> None:
    if differing is None:
        if as_json:
            print_json({"what": what, "differing": None, "same": None})
        else:
            click.echo("board: made anew; it is taking records and was not compared")
        return
    if what == "registers":
        differing = [key for key in differing if key.partition(":")[0] in REGISTERS]
    if as_json:
        print_json({"what": what, "differing": differing, "same": not differing})
    elif differing:
        click.echo(f"{what}: {len(differing)} keys differ: {', '.join(differing[:SHOWN])}")
    else:
        click.echo(f"{what}: the same")
    if differing:
        raise SystemExit(1)


def _sla(settings: Settings, as_json: bool) -> None:
    log = log_of(settings.kafka, settings.group_prefix)
    results: list[Result] = [stages.check(SLA, log), windows.from_units(log), windows.from_cases(log)]
    if as_json:
        checks = [{"name": each.name, "ok": each.ok, "figures": each.figures} for each in results]
        print_json({"what": "sla", "checks": checks, "same": holds(results)})
    else:
        show(results, Console())
    if not holds(results):
        raise SystemExit(1)


async def _board(settings: Settings, *, replace: bool) -> list[str] | None:
    """Keys that differ between the read model in use and one made anew; None: replaced, and too busy to compare."""
    async with Redis.from_url(settings.redis_url, socket_connect_timeout=ANSWER_S) as redis:
        if replace:
            await rebuild(redis, settings.kafka, PREFIX)
        fresh, used = ReadModel(redis, BESIDE), ReadModel(redis, PREFIX)
        await drop(redis, BESIDE)
        try:
            for _ in range(LOOKS):
                reached = await catch_up(fresh, settings.kafka, used)
                differing = await compare(redis, PREFIX, BESIDE)
                if reached == {place: await used.position(*place) for place in reached}:
                    return differing
                await asyncio.sleep(LOOK_S)
        finally:
            await drop(redis, BESIDE)
    if replace:
        return None
    raise MovingError(
        "the board in use takes records: try again when it is at rest, or stop the worker board meanwhile"
    )
