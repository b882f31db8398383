"""`nivaran sms-sandbox`: an SMS gateway that sends nothing."""

import asyncio
import contextlib
import signal
from pathlib import Path

import click
import uvloop
from aiohttp import web

from agents.cli.shared import print_json
from agents.garbage import look_rarely
from agents.settings import Settings, SettingsError, load
from agents.sms.faults import Faults
from agents.sms.ledger import Ledger
from agents.sms.receipts import Receipts
from agents.sms.sandbox import Sandbox
from agents.sms.sandboxes.form import FormSandbox, registered_headers
from agents.sms.sandboxes.smsc import Smsc
from agents.sms.sandboxes.table import FORMS
from agents.sms.smpp import SmppSettings

SHARE = click.FloatRange(0, 1)
GRACE_S = 2.0
LEDGER = "sms-sandbox.ndjson"
GENERIC, SMPP = "generic", "smpp"


@click.command("sms-sandbox")
@click.option(
    "--format",
    "form",
    type=click.Choice((GENERIC, *FORMS, SMPP)),
    default=GENERIC,
    show_default=True,
    help="Form it is asked in; all but generic need the account's NIVARAN_SMS_* settings, as the sender does.",
)
@click.option(
    "--header", metavar="NAME", default="CMHELP", show_default=True, help="Registered sender beside the profiles' own."
)
@click.option("--host", metavar="ADDRESS", help="Address to listen on; default: NIVARAN_HTTP_HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 takes a free one; default: NIVARAN_HTTP_PORT.")
@click.option(
    "--ledger",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File with a line per request, read again at the start; default: sms-sandbox.ndjson in NIVARAN_DATA_DIR.",
)
@click.option("--fail", type=SHARE, default=0.0, help="Share of requests answered 503.")
@click.option("--throttle", type=SHARE, default=0.0, help="Share of requests answered 429.")
@click.option("--silent", type=SHARE, default=0.0, help="Share of requests that are taken and never answered.")
@click.option("--delay-ms", type=click.IntRange(0, 60_000), default=0, help="Longest wait before an answer.")
@click.option("--undelivered", type=SHARE, default=0.0, help="Share of messages whose receipt says: not delivered.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of all shares.")
@click.option(
    "--segments", type=click.IntRange(1, 10), default=1, show_default=True, help="Longest text, in SMS parts."
)
@click.option(
    "--receipts", metavar="URL", default="", help="Report deliveries there, e.g. the gateway's /v1/sms/receipts."
)
@click.option(
    "--receipts-token",
    envvar="NIVARAN_RECEIPTS_TOKEN",
    default="",
    help="Bearer token (or key, by the format) for the receipts; better in NIVARAN_RECEIPTS_TOKEN.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the address as JSON.")
def sms_sandbox(
    form: str,
    header: str,
    host: str | None,
    port: int | None,
    ledger: Path | None,
    fail: float,
    throttle: float,
    silent: float,
    delay_ms: int,
    undelivered: float,
    seed: int,
    segments: int,
    receipts: str,
    receipts_token: str,
    as_json: bool,
) -> None:
    """Take SMS like a gateway does, send none, and keep a ledger of every request.

    POST /messages takes one; GET /ledger counts, GET /messages shows the latest; POST /control changes the faults
    while it runs. An id that was accepted once is answered the same again and never delivered twice.

    With --format it takes the published form of that gateway, at its own path, and refuses what the documents say is
    refused; such a gateway knows no idempotency key: the same request twice is two messages. As smpp it is an SMSC, and
    delivers receipts over the session.

    Exit code: 0 stopped by SIGTERM or Ctrl-C; 1 the address or the ledger cannot be used; 2 a setting is wrong.

    \b
    Example:
      nivaran sms-sandbox --port 8077 --ledger var/sms.ndjson --fail 0.05 --silent 0.01
      curl -s localhost:8077/ledger
      NIVARAN_SMS_USERNAME=a NIVARAN_SMS_PIN=b nivaran sms-sandbox --format nic --port 8078
    """
    settings = load(Settings)
    faults = Faults(seed, fail, throttle, silent, delay_ms, undelivered)
    host, port = host or settings.http_host, settings.http_port if port is None else port
    try:
        file = ledger or Path(settings.data_dir) / LEDGER
        look_rarely()
        if form == SMPP:
            kept = Ledger(file)
            smsc = Smsc(load(SmppSettings), registered_headers(header), kept, faults)
            uvloop.run(_serve_smsc(smsc, host, port, as_json=as_json))
        else:
            parts = file, faults, Receipts(receipts, receipts_token), segments
            asked = None if form == GENERIC else FORMS[form](header)
            sandbox = Sandbox(*parts) if asked is None else FormSandbox(asked, *parts)
            kept = sandbox.ledger
            uvloop.run(_serve(sandbox, host, port, "/messages" if asked is None else asked.path, as_json=as_json))
    except SettingsError:
        raise
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    if not as_json:
        click.echo(f"ledger: {kept.summary()}")


async def _serve(sandbox: Sandbox, host: str, port: int, path: str, *, as_json: bool) -> None:
    runner = web.AppRunner(sandbox.app(), access_log=None, shutdown_timeout=GRACE_S)
    await runner.setup()
    stop = _told()
    with contextlib.closing(sandbox.ledger):
        await web.TCPSite(runner, host, port).start()
        _say(f"http://{host}:{runner.addresses[0][1]}", path, as_json=as_json)
        await stop.wait()
        await runner.cleanup()


async def _serve_smsc(smsc: Smsc, host: str, port: int, *, as_json: bool) -> None:
    stop = _told()
    with contextlib.closing(smsc.ledger):
        server = await smsc.serve(host, port)
        _say(f"smpp://{host}:{server.sockets[0].getsockname()[1]}", "", as_json=as_json)
        await stop.wait()
        server.close()
        smsc.cut()


def _told() -> asyncio.Event:
    """Set when the process is told to stop."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _say(url: str, path: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"url": url, "messages": url + path})
    else:
        click.echo(f"sms sandbox: {url}{path}")
