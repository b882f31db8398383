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


def take(raw: bytes, profile: Profile, received_at: int, identity: Identity) -> Taken:
    """The submission of a letter, or everything that is wrong with it. `received_at` is in UTC ms."""
    if len(raw) > LONGEST:
        return Taken(_key(raw), None, [FieldError("", f"is longer than {LONGEST >> 20} MiB")], 0)
    try:
        letter = message_from_bytes(raw, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        return _taken(letter, raw, profile, received_at, identity)
    except (MessageError, UnicodeError, LookupError, ValueError, TypeError, AttributeError, RecursionError):
        # the parser of the standard library raises any of these for what is no letter; what they say may quote it
        return Taken(_key(raw), None, [FieldError("", "is no letter that can be read")], 0)


def _taken(letter: EmailMessage, raw: bytes, profile: Profile, received_at: int, identity: Identity) -> Taken:
    key = _key(str(letter["Message-ID"]).strip().encode("utf-8", "replace") if letter["Message-ID"] else raw)
    attachments = sum(1 for _ in letter.iter_attachments())
    if str(letter.get("Auto-Submitted", "no")).lower() != "no" or letter.get_content_type() == "multipart/report":
        return Taken(key, None, [FieldError("", "was sent by a machine")], attachments, automatic=True)
    try:
        body, text = _filled(letter), words(letter)
    except UnreadableError as error:
        return Taken(key, None, [FieldError("text", str(error))], attachments)
    said, free = _form(text)
    body |= said
    body["text"] = free
    errors = _named(body, profile)
    missing = [FieldError(name, "is missing: write a line with it") for name in NEEDED if not _has(body, name)]
    submitted, wrong = records.complaint(
        body | {"system": profile.system, "occurred_at": _sent_at(letter, received_at)},
        key, received_at, identity, kind=RegisterLine,
    )  # fmt: skip
    told = {error.field for error in [*errors, *missing]}
    errors = [*missing, *errors, *(error for error in wrong if error.field not in told and error.field != "place")]
    return Taken(key, None if errors else submitted, errors, attachments)


def _key(identity: bytes) -> str:
    return f"mail-{digest(identity.hex(), length=KEY_LENGTH)}"


def _filled(letter: EmailMessage) -> dict[str, Any]:
    """What the envelope says: the person, where no number is given, is the sender's address, which is kept nowhere."""
    sender = parseaddr(str(letter.get("From", "")))[1].lower()
    if not sender:
        raise UnreadableError("has no sender")
    form, _ = _form(str(letter.get("Subject", "")))
    return {"type": "complaint", "channel": "email", "citizen": sender[:256], **form}


def _form(text: str) -> tuple[dict[str, Any], str]:
    """The lines of the form as fields, and the other lines. A field written twice counts as written first."""
    fields: dict[str, Any] = {}
    free = []
    for line in text.splitlines():
        found = LINE.fullmatch(line)
        name = FORM.get(found[1].lower()) if found else None
        if found is None or name is None:
            free.append(line)
        elif not _has(fields, name):
            into, _, unit = name.partition(".")
            if unit:
                fields.setdefault(into, {})[unit] = found[2].strip()
            else:
                fields[name] = found[2].strip()
    return fields, "\n".join(free).strip()


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


def _sent_at(letter: EmailMessage, received_at: int) -> int:
    try:
        return min(received_at, max(0, round(parsedate_to_datetime(str(letter["Date"])).timestamp() * 1000)))
    except (TypeError, ValueError, OverflowError, IndexError):
        return received_at
