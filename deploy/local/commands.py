"""`nivaran local`: Kafka and Redis up, down, and their status, for people."""

from __future__ import annotations

from functools import partial, wraps
from typing import TYPE_CHECKING, ParamSpec

import click
import msgspec

from deploy.local.errors import LocalError
from deploy.local.observability import LocalWatch
from deploy.local.stack import LocalStack, StackStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.local.observability import WatchStatus

P = ParamSpec("P")
_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")


def _fails_clearly(command: Callable[P, None]) -> Callable[P, None]:
    """Turn LocalError into its message on standard error and exit code 1."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except LocalError as error:
            raise click.ClickException(str(error)) from error

    return wrapped


@click.group("local")
def local_group() -> None:
    """Run Apache Kafka and a Redis-protocol server on this machine: no Docker, no root.

    Data stays in var/local between runs (NIVARAN_HOME moves it); what is downloaded, once, is in the user's cache
    folder (NIVARAN_CACHE moves it).

    \b
    Example:
      nivaran local up
      export NIVARAN_KAFKA=$(nivaran local status --json | jq -r .kafka)
      nivaran local down
    """


@local_group.command("up")
@click.option(
    "--brokers",
    type=click.Choice(["1", "3"]),
    help="One broker, or three with replication 3. Default: as the kept data has, else 1.",
)
@click.option("--fresh", is_flag=True, help="Stop what runs and wipe the kept data first.")
@click.option("--observability", is_flag=True, help="Exporter, Prometheus and Alertmanager as well, where installed.")
@click.option("--scrape", multiple=True, metavar="JOB=HOST:PORT",
              help="With --observability: a worker or gateway that Prometheus shall watch.")  # fmt: skip
@_json_option
@_fails_clearly
def up_command(brokers: str | None, fresh: bool, observability: bool, scrape: tuple[str, ...], as_json: bool) -> None:
    """Start Kafka and Redis, and return when both serve.

    Does nothing when they are up already. Leftovers of a killed run are stopped and everything is started again on
    the same data and, if they are free, the same ports. With --observability the rules and alerts of
    deploy/prometheus are evaluated on what the exporter tells, and on the processes named by --scrape.

    Exit code: 0 both are up; 1 they could not be started, nothing is left running; 2 wrong usage.

    \b
    Example:
      nivaran local up --brokers 3 --fresh
      nivaran local up --observability --scrape worker=127.0.0.1:8081
    """
    stack = LocalStack()
    already = not fresh and stack.status().up
    found = stack.up(brokers=int(brokers) if brokers else None, fresh=fresh, tell=partial(click.echo, err=True))
    watch = LocalWatch(stack.home).up(found.kafka, found.redis, scrape) if observability else None
    _show(found, as_json, "already up" if already else "up", watch)


@local_group.command("down")
@_json_option
@_fails_clearly
def down_command(as_json: bool) -> None:
    """Stop Kafka and Redis, and keep their data.

    Exit code: 0 nothing runs any more, also when nothing ran before; 1 a server could not be stopped; 2 wrong usage.

    \b
    Example:
      nivaran local down
    """
    stack = LocalStack()
    watched = LocalWatch(stack.home).down()
    ran = stack.down() or watched
    if as_json:
        click.echo(msgspec.json.encode({"stopped": ran}))
    else:
        click.echo("stopped, data kept" if ran else "nothing was running")


@local_group.command("status")
@_json_option
@_fails_clearly
def status_command(as_json: bool) -> None:
    """Say whether Kafka and Redis are up, and where.

    Exit code: 0 both serve; 1 not; 2 wrong usage.

    \b
    Example:
      nivaran local status --json
    """
    stack = LocalStack()
    found, watch = stack.status(), LocalWatch(stack.home).status()
    _show(found, as_json, "up" if found.up else "not up", watch if watch.up else None)
    if not found.up:
        raise SystemExit(1)


def _show(found: StackStatus, as_json: bool, headline: str, watch: WatchStatus | None) -> None:
    if as_json:
        more = {} if watch is None else {"observability": watch}
        click.echo(msgspec.json.encode({**msgspec.structs.asdict(found), **more}))
        return
    click.echo(headline)
    for server in found.servers:
        state = f"pid {server.pid}" if server.pid else "not running"
        click.echo(f"  {server.name:<8} {server.address:<16} {state:<12} {server.log}")
    if found.up:
        click.echo(f"  NIVARAN_KAFKA={found.kafka}\n  NIVARAN_REDIS_URL={found.redis}")
    if watch is not None:
        click.echo(f"  Prometheus {watch.prometheus}  Alertmanager {watch.alertmanager}  exporter {watch.exporter}")
