"""`nivaran mail`: letters from a folder, or a mailbox over IMAP, become submissions."""

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import click
from msgspec import Meta

from agents.cli.shared import json_option, kafka_option, print_json, settings_of
from agents.clock import WallClock
from agents.contact import Contacts, KeyFormatError, key_bytes
from agents.gateway.records import Identity
from agents.kafka_admin import ClusterError
from agents.loader.run import KafkaTarget, NotDurableError
from agents.mail.folder import Tally, work
from agents.mail.mailbox import MailboxError, MailboxSettings, fetch
from agents.runtime.exits import Exit
from agents.settings import Settings, SettingsError
from streams.intake.validate import unknown_system
from streams.profiles.load import profiles

REJECTED = 1


class MailSettings(Settings, frozen=True, kw_only=True):
    """Tokens and sealed contacts are made as the gateway makes them."""

    citizen_key: str
    contact_key: str
    mail_system: str
    """The system that letters are for, by the name of its profile."""
    load_timeout: Annotated[float, Meta(ge=1)] = 30.0
    """How long a batch may take to be acknowledged before the run ends."""


@click.command()
@click.option(
    "--folder", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where letters lie as .eml; `done` and `rejected` are made in it.",
)  # fmt: skip
@click.option(
    "--imap", is_flag=True, help="First bring what is unseen in the mailbox (NIVARAN_IMAP_*) into the folder."
)
@kafka_option
@json_option
def mail(folder: Path, imap: bool, kafka: str | None, as_json: bool) -> None:
    """Take every letter in a folder once, and end; run it by a timer.

    A letter names district and category, each in a line of its own (docs/channels/email.md). It is moved to `done` or
    `rejected`, with the answer to its writer beside it; nothing is sent. The same Message-ID is the same case.

    Exit code: 0 every letter was taken; 1 some were rejected; 2 a setting or the folder is not right; 69 Kafka or the
    mailbox is away, run again to go on.

    \b
    Example:
      nivaran mail --folder /var/spool/nivaran-mail
      nivaran mail --folder /var/spool/nivaran-mail --imap
    """
    try:
        settings = settings_of(MailSettings, kafka=kafka)
        box = settings_of(MailboxSettings) if imap else None
        keys = key_bytes(settings.citizen_key, "NIVARAN_CITIZEN_KEY"), Contacts.from_text(settings.contact_key)
    except (SettingsError, KeyFormatError) as error:
        _end(str(error), Exit.USAGE)
    profile = profiles().get(settings.mail_system)
    if profile is None:
        _end(f"NIVARAN_MAIL_SYSTEM: {unknown_system(settings.mail_system, profiles()).detail}", Exit.USAGE)
    tally, fetched = Tally(), 0
    try:
        fetched = 0 if box is None else fetch(box, folder)
        target = KafkaTarget(settings, settings.load_timeout, "mail")
        for tally in work(folder, profile, target, Identity(*keys), WallClock().now):  # noqa: B007 - the last one counts
            pass
    except (ClusterError, NotDurableError, MailboxError) as error:
        _end(str(error), Exit.UNAVAILABLE)
    except OSError as error:
        _end(f"{error.filename or folder}: {error.strerror}", Exit.USAGE)
    if as_json:
        print_json({"fetched": fetched, **tally._asdict()})
    else:
        click.echo(
            f"{tally.taken:,} letters taken, {tally.rejected:,} rejected; {tally.attachments:,} attachments not kept."
        )
    sys.exit(REJECTED if tally.rejected else 0)


def _end(message: str, code: int) -> NoReturn:
    click.echo(f"nivaran mail: {message}", err=True)
    sys.exit(code)
