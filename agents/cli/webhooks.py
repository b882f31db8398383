"""`nivaran webhooks`: calls subscribers by HTTP, checks their file, and tries again what was put aside."""

import asyncio
import sys
from typing import Final

import click
import uvloop
from confluent_kafka import KafkaException

from agents.cli.shared import json_option, kafka_option, print_json, settings_of
from agents.garbage import look_rarely
from agents.kafka_admin import ClusterError, knock
from agents.runtime.exits import Exit
from agents.telemetry.logs import set_up_log
from agents.webhooks.calling import Answer, Caller
from agents.webhooks.letters import Undelivered
from agents.webhooks.message import message
from agents.webhooks.process import WebhookSettings, guard_of, serve
from agents.webhooks.subscriptions import Subscriber, subscribers

FILE: Final = "TOML file of the subscriptions; default: NIVARAN_WEBHOOKS."
file_option = click.option("--file", "file", metavar="FILE", help=FILE)


@click.group()
def webhooks() -> None:
    """Escalations and other feeds by signed HTTP calls, for subscribers without Kafka (docs/channels/webhooks.md).

    \b
    Example:
      nivaran webhooks check --file webhooks.toml
      nivaran webhooks run --file webhooks.toml
    """


@webhooks.command()
@file_option
def run(file: str | None) -> None:
    """Call every subscriber of the file, each with a consumer group of its own; several processes share the work.

    Endpoints are /metrics, /healthz, /readyz on NIVARAN_HTTP_HOST:NIVARAN_HTTP_PORT. SIGTERM and Ctrl-C let the calls
    in hand end. Each record is called at least once, every time under the same webhook-id.

    Exit code: 0 told to stop; 2 the file or a setting is wrong; 69 Kafka or a topic is not there; 70 Kafka did not
    take a position or a record, start again; 78 the port is taken.

    \b
    Example:
      NIVARAN_HTTP_PORT=8085 nivaran webhooks run --file webhooks.toml
    """
    settings, found = _read(file)
    set_up_log(settings.log_level, settings.log_format)
    look_rarely()
    try:
        sys.exit(uvloop.run(serve(settings, found)))
    except OSError as error:
        click.echo(f"nivaran webhooks: {error}", err=True)
        sys.exit(Exit.NOT_SET_UP)


@webhooks.command()
@file_option
@json_option
def check(file: str | None, as_json: bool) -> None:
    """Read the file and the secrets it names as `run` does, and say what each subscriber is sent; call nobody.

    Exit code: 0 it can be served; 2 it cannot, and the answer names the field.

    \b
    Example:
      nivaran webhooks check --file webhooks.toml --json
    """
    _, found = _read(file)
    told = [each.subscription for each in found]
    if as_json:
        print_json({"subscriptions": told})
        return
    for each in told:
        only = ", ".join([*each.types, *each.systems, *each.departments]) or "all"
        click.echo(f"{each.name}: {', '.join(each.topics)}; of these {only}")


@webhooks.command()
@click.argument("name")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many.")
@click.option("--skip", is_flag=True, help="Leave for good what the endpoint refuses again, and go on.")
@click.option("--dry-run", is_flag=True, help="Count what would be called, and call nobody.")
@file_option
@kafka_option
@json_option
def redrive(
    name: str, limit: int | None, skip: bool, dry_run: bool, file: str | None, kafka: str | None, as_json: bool
) -> None:
    """Call the subscriber NAME again with what was put aside, the oldest of a partition first, under the same ids.

    Ends at the first call that is in vain again. What is delivered is noted in Kafka: a second redrive passes it over.

    Exit code: 0 nothing is left, or the limit is reached; 1 a call was in vain, or Kafka is away; 2 the file is wrong
    or knows no such name.

    \b
    Example:
      nivaran webhooks redrive health-desk --dry-run
      nivaran webhooks redrive health-desk --limit 100
    """
    settings, found = _read(file, kafka)
    subscriber = next((each for each in found if each.subscription.name == name), None)
    if subscriber is None:
        raise click.BadParameter(f"there are {', '.join(each.subscription.name for each in found)}", param_hint="NAME")
    try:
        knock(settings.kafka)
        delivered, left = asyncio.run(_redrive(settings, subscriber, limit, skip, dry_run))
    except (ClusterError, KafkaException) as fault:
        raise click.ClickException(str(fault)) from fault
    if as_json:
        print_json({"subscription": name, "delivered": delivered, "dry_run": dry_run, "stopped_by": left})
    else:
        click.echo(f"{delivered} {'would be called' if dry_run else 'delivered'}")
    if left:
        click.echo(f"stopped at {left}", err=True)
        raise SystemExit(1)


async def _redrive(
    settings: WebhookSettings, subscriber: Subscriber, limit: int | None, skip: bool, dry_run: bool
) -> tuple[int, str]:
    """How many were delivered, and what ended it before the end; empty: nothing did."""
    caller, kept, delivered = Caller(guard_of(settings)), Undelivered(settings, subscriber.subscription.name), 0
    try:
        for letter in kept:
            if delivered == limit:
                return delivered, ""
            if not dry_run:
                answer = await _called(caller, subscriber, letter.headers, letter.value or b"")
                if answer.outcome != "delivered" and not (skip and answer.outcome == "refused"):
                    return delivered, f"{letter.place} {answer.code}"
                kept.done(letter)
                if answer.outcome != "delivered":
                    click.echo(f"{letter.place} {answer.code}: left for good", err=True)
                    continue
            delivered += 1
    finally:
        kept.close()
        await caller.close()
    return delivered, ""


async def _called(caller: Caller, subscriber: Subscriber, headers: list[tuple[str, bytes]], value: bytes) -> Answer:
    try:
        return await caller.call(subscriber, message(headers, value))
    except ValueError as error:
        return Answer("refused", str(error))


def _read(file: str | None, kafka: str | None = None) -> tuple[WebhookSettings, tuple[Subscriber, ...]]:
    """Raises SettingsError."""
    settings = settings_of(WebhookSettings, webhooks=file, kafka=kafka)
    return settings, subscribers(settings.webhooks, guard_of(settings))
