"""`nivaran worker ROLE`: runs one role in the foreground until it is told to stop."""

import sys

import click

from agents.app import ROLES, build
from agents.runtime.exits import Exit
from agents.runtime.launch import run
from agents.settings import Settings, SettingsError, load
from agents.telemetry.logs import set_up_log
from streams.profiles.profile import ProfileError


@click.command()
@click.argument("role", type=click.Choice(sorted(ROLES)))
def worker(role: str) -> None:
    """Run one role of the flow: as many of these processes as there are cores to give, each role a consumer group.

    Settings come from NIVARAN_* variables; endpoints are /metrics, /healthz, /readyz and /quiesced on
    NIVARAN_HTTP_HOST:NIVARAN_HTTP_PORT. SIGTERM and Ctrl-C finish what is in hand; a second one leaves it to the next
    owner. Every doubt about what is durable ends the process: run it under a supervisor that starts it again.

    \b
    Exit code: 0 told to stop; 2 wrong usage or setting; 69 Kafka is away at start; 70-77 left in doubt, start again;
    78 topics, states, their folder, rights or the address to listen on are not there.

    \b
    Example:
      NIVARAN_KAFKA=127.0.0.1:9092 NIVARAN_HTTP_PORT=8081 nivaran worker case
    """
    try:
        settings = load(Settings)
        ready = build(role, settings)
    except (SettingsError, ProfileError) as error:
        click.echo(f"nivaran worker: {error}", err=True)
        sys.exit(Exit.USAGE)
    set_up_log(settings.log_level, settings.log_format)
    sys.exit(run(ready))
