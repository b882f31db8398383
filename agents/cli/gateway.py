"""`nivaran gateway`: serves the HTTP API in the foreground."""

import sys

import click
import msgspec
import uvloop

from agents.contact import KeyFormatError
from agents.garbage import look_rarely
from agents.gateway.server import AddressError, serve
from agents.gateway.settings import GatewaySettings
from agents.runtime.exits import Exit
from agents.settings import SettingsError, load
from agents.telemetry.logs import set_up_log
from streams.profiles.load import profiles
from streams.profiles.profile import ProfileError


@click.command()
@click.option("--host", metavar="ADDRESS", help="Address to listen on; default: NIVARAN_HTTP_HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 takes a free one; default: NIVARAN_HTTP_PORT.")
def gateway(host: str | None, port: int | None) -> None:
    """Take complaints, actions and SMS receipts over HTTP; serve cases and the escalation feed.

    A request is answered 202 only when every in-sync replica of Kafka has its record. Needs NIVARAN_CITIZEN_KEY,
    NIVARAN_CONTACT_KEY and NIVARAN_API_TOKENS (or NIVARAN_API_TOKENS_FILE). The API describes itself at /openapi.json.

    Exit code: 0 stopped by SIGTERM or Ctrl-C, everything in hand answered; 1 the address cannot be listened on; 2 a
    setting is missing or wrong, or a profile is not valid; 69 simulated time cannot be read; 70 the producer met a
    fault it cannot recover from.

    \b
    Example:
      nivaran gateway --port 8076
    """
    try:
        # read and checked whole before anything is taken: a profile that is not valid stops the start
        profiles()
        settings = load(GatewaySettings)
        changes = {name: value for name, value in (("http_host", host), ("http_port", port)) if value is not None}
        settings = msgspec.structs.replace(settings, **changes)
        set_up_log(settings.log_level, settings.log_format)
        look_rarely()
        code = uvloop.run(serve(settings))
    except (SettingsError, KeyFormatError, ProfileError) as error:
        click.echo(str(error), err=True)
        code = Exit.USAGE
    except AddressError as error:
        raise click.ClickException(f"{error}. Another port: --port, or NIVARAN_HTTP_PORT.") from error
    sys.exit(code)
