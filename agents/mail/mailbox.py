"""A mailbox over IMAP: what is unseen goes into the folder, and only then counts as seen."""

import imaplib
import ssl
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, Struct

from agents.mail.folder import keep
from agents.mail.letter import LONGEST
from agents.settings import Port

TIMEOUT: Final = 30.0
AWAY: Final = (imaplib.IMAP4.error, OSError)


class MailboxSettings(Struct, frozen=True, kw_only=True):
    """The mailbox that is polled; there is none unless all of it is set."""

    imap_host: Annotated[str, Meta(min_length=1)]
    imap_user: Annotated[str, Meta(min_length=1)]
    imap_password: Annotated[str, Meta(min_length=1)]
    imap_port: Port = 993
    """TLS from the first byte."""
    imap_mailbox: str = "INBOX"


class MailboxError(RuntimeError):
    """The mailbox is away or answers nothing that can be used; the message names no letter."""


def fetch(settings: MailboxSettings, folder: Path) -> int:
    """Bring every unseen letter into the folder; answer how many. Raises MailboxError.

    One that is brought twice, because the connection broke between, has the same name, and the same Message-ID.
    """
    try:
        context = ssl.create_default_context()
        with imaplib.IMAP4_SSL(settings.imap_host, settings.imap_port, ssl_context=context, timeout=TIMEOUT) as box:
            box.login(settings.imap_user, settings.imap_password)
            _told(box.select(f'"{settings.imap_mailbox}"'))
            age = _told(box.response("UIDVALIDITY"))
            unseen = _told(box.uid("SEARCH", "UNSEEN")).split()
            for uid in unseen:
                keep(folder, f"imap-{age.decode()}-{uid.decode()}", _letter(box, uid.decode()))
                _told(box.uid("STORE", uid.decode(), "+FLAGS.SILENT", r"(\Seen)"), empty=True)
            return len(unseen)
    except AWAY as error:
        raise MailboxError(f"the mailbox at {settings.imap_host}: {type(error).__name__}") from None


def _letter(box: imaplib.IMAP4, uid: str) -> bytes:
    """The letter; of one that is too long its beginning, which is then refused as too long."""
    status, parts = box.uid("FETCH", uid, f"(BODY.PEEK[]<0.{LONGEST + 1}>)")
    raw = next((each[1] for each in parts or () if isinstance(each, tuple)), None)
    if status != "OK" or not isinstance(raw, bytes):
        raise MailboxError("a letter was listed and cannot be fetched")
    return raw


def _told(answer: tuple[str, list[bytes | None] | list[object]], *, empty: bool = False) -> bytes:
    status, parts = answer
    first = parts[0] if parts else None
    if status not in {"OK", "UIDVALIDITY"} or not (empty or isinstance(first, bytes)):
        raise MailboxError(f"the mailbox answers {status}")
    return first if isinstance(first, bytes) else b""
