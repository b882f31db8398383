"""One letter: the form its writer filled in, and the submission it becomes, or why it becomes none."""

import re
from collections.abc import Mapping
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import parseaddr, parsedate_to_datetime
from typing import Any, Final, NamedTuple

from agents.gateway import records
from agents.gateway.problems import FieldError
from agents.gateway.records import Identity
from agents.gateway.requests import RegisterLine
from agents.loader.mapping import Unnamed, named_forms
from agents.mail.words import UnreadableError, words
from schemas.intake import Submitted
from streams.ids import digest
from streams.profiles.profile import Profile

LONGEST: Final = 25 << 20
"""Bytes; what large mail providers take (stated: Gmail's limit for attachments)."""
KEY_LENGTH: Final = 32
FORM: Final[Mapping[str, str]] = {
    "district": "place.district", "जनपद": "place.district", "जिला": "place.district",
    "category": "category", "subject": "category", "विषय": "category",
    "mobile": "mobile", "मोबाइल": "mobile",
    "block": "place.block", "विकासखण्ड": "place.block", "tehsil": "place.tehsil", "तहसील": "place.tehsil",
    "thana": "place.thana", "थाना": "place.thana",
}  # fmt: skip
"""What the writer puts before a colon -> field."""
LINE: Final = re.compile(r"\s*([^\W\d_][\w\u0900-\u097f]{1,20})\s*[:：]\s*(.+)")
NEEDED: Final = ("place.district", "category")


class Taken(NamedTuple):
    """What became of a letter."""

    key: str
    """Derived from its Message-ID, else from its bytes: the same letter twice has the same."""
    submitted: Submitted | None
    errors: list[FieldError]
    attachments: int
    automatic: bool = False
    """Sent by a machine: never answered, or two machines would write to each other."""


class _Read(NamedTuple):
    """What is taken out of a letter."""

    key: str
    attachments: int
    automatic: bool
    sender: str
    subject: str
    text: str
    sent_at: int | None


def take(raw: bytes, profile: Profile, received_at: int, identity: Identity) -> Taken:
    """The submission of a letter, or everything that is wrong with it. `received_at` is in UTC ms."""
    if len(raw) > LONGEST:
        return Taken(_key(raw), None, [FieldError("", f"is longer than {LONGEST >> 20} MiB")], 0)
    try:
        letter = _read(raw)
    except UnreadableError as error:
        return Taken(_key(raw), None, [FieldError("text", str(error))], 0)
    except (MessageError, LookupError, ValueError, TypeError, AttributeError, RecursionError):
        # the parser of the standard library raises any of these for what is no letter; what they say may quote it
        return Taken(_key(raw), None, [FieldError("", "is no letter that can be read")], 0)
    if letter.automatic:
        return Taken(letter.key, None, [FieldError("", "was sent by a machine")], letter.attachments, automatic=True)
    submitted, errors = _submitted(letter, profile, received_at, identity)
    return Taken(letter.key, submitted, errors, letter.attachments)


def _read(raw: bytes) -> _Read:
    """Raises UnreadableError, and what the parser raises."""
    letter = message_from_bytes(raw, policy=policy.default)
    assert isinstance(letter, EmailMessage)
    sender = parseaddr(str(letter.get("From", "")))[1].lower()
    automatic = str(letter.get("Auto-Submitted", "no")).lower() != "no"
    automatic |= letter.get_content_type() == "multipart/report"
    if not sender and not automatic:
        raise UnreadableError("has no sender")
    return _Read(
        key=_key(str(letter["Message-ID"]).strip().encode("utf-8", "replace") if letter["Message-ID"] else raw),
        attachments=sum(1 for _ in letter.iter_attachments()),
        automatic=automatic,
        sender=sender,
        subject=str(letter.get("Subject", "")),
        text="" if automatic else words(letter),
        sent_at=_sent_at(letter),
    )


def _submitted(
    letter: _Read, profile: Profile, received_at: int, identity: Identity
) -> tuple[Submitted | None, list[FieldError]]:
    said, text = _form(f"{letter.subject}\n{letter.text}" if _filled(letter.subject) else letter.text)
    body = {
        # the sender's address stands for the person where there is no number; only its hash is written
        "system": profile.system, "type": "complaint", "channel": "email", "citizen": letter.sender[:256],
        "occurred_at": received_at if letter.sent_at is None else min(received_at, letter.sent_at), "text": text,
    } | said  # fmt: skip
    unnamed = _named(body, profile)
    missing = [FieldError(name, "is missing: write a line with it") for name in NEEDED if not _has(body, name)]
    submitted, wrong = records.complaint(body, letter.key, received_at, identity, kind=RegisterLine)
    told = {"place", *(error.field for error in [*unnamed, *missing])}
    errors = [*missing, *unnamed, *(error for error in wrong if error.field not in told)]
    return (None if errors else submitted), errors


def _key(identity: bytes) -> str:
    return f"mail-{digest(identity.hex(), length=KEY_LENGTH)}"


def _form(text: str) -> tuple[dict[str, Any], str]:
    """The lines of the form as fields, and the other lines. A field written twice counts as written first."""
    fields: dict[str, Any] = {}
    free = []
    for line in text.splitlines():
        filled = _filled(line)
        if filled is None:
            free.append(line)
        elif not _has(fields, filled[0]):
            into, _, unit = filled[0].partition(".")
            if unit:
                fields.setdefault(into, {})[unit] = filled[1]
            else:
                fields[into] = filled[1]
    return fields, "\n".join(free).strip()


def _filled(line: str) -> tuple[str, str] | None:
    """Field and value, where this is a line of the form."""
    found = LINE.fullmatch(line)
    name = FORM.get(found[1].lower()) if found else None
    return None if found is None or name is None else (name, found[2].strip())


def _has(body: dict[str, Any], name: str) -> bool:
    into, _, unit = name.partition(".")
    return unit in body.get(into, {}) if unit else name in body


def _named(body: dict[str, Any], profile: Profile) -> list[FieldError]:
    """District and category by their names, in place; what names none of them is an error."""
    errors = []
    forms = named_forms(profile)
    for name, into, field in (("district", body.get("place", {}), "place.district"), ("category", body, "category")):
        if name in into:
            found = forms[name](into[name])
            if isinstance(found, Unnamed):
                errors.append(FieldError(field, found.detail))
            else:
                into[name] = found
    return errors


def _sent_at(letter: EmailMessage) -> int | None:
    try:
        return max(0, round(parsedate_to_datetime(str(letter["Date"])).timestamp() * 1000))
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
