"""`nivaran exporter`: lag of every group and the state of the helpline, for Prometheus."""

import asyncio
import sys

import click
import msgspec

from agents.exporter.process import Exporter, ExporterSettings
from agents.runtime.exits import Exit
from agents.settings import SettingsError, load
from agents.telemetry.logs import set_up_log


@click.command()
@click.option("--host", metavar="ADDRESS", help="Address to listen on; default: NIVARAN_HTTP_HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 takes a free one; default: NIVARAN_HTTP_PORT.")
def exporter(host: str | None, port: int | None) -> None:
    """Tell Prometheus what no worker can: each group's lag in records and seconds, and how the helpline stands.

    Lag is read from the brokers, under kafka_exporter's names and, in seconds, from the timestamps of records; it is
    there also while no worker runs. Cases, defaulters, escalations, feedback and SMS come from the read model.
    A source that is away is shown as such (`nivaran_exporter_up`), and nothing else of it. With NIVARAN_WEBHOOKS (the
    file of `nivaran webhooks`) the groups of its subscriptions are shown also before they first commit.

    Exit code: 0 stopped by SIGTERM or Ctrl-C; 2 a setting is wrong; 78 the port is taken.

    \b
    Example:
      nivaran exporter --port 9308
      curl -s http://127.0.0.1:9308/metrics | grep lag_seconds
    """
    changes = {name: value for name, value in (("http_host", host), ("http_port", port)) if value is not None}
    try:
        settings = msgspec.structs.replace(load(ExporterSettings), **changes)
        set_up_log(settings.log_level, settings.log_format)
        sys.exit(asyncio.run(_run(settings)))
    except SettingsError as error:
        click.echo(f"nivaran exporter: {error}", err=True)
        sys.exit(Exit.USAGE)
    except OSError as error:
        click.echo(f"nivaran exporter: {error}", err=True)
        sys.exit(Exit.NOT_SET_UP)


async def _run(settings: ExporterSettings) -> Exit:
    return await Exporter(settings).run()
