"""The webhook's payload as Meta publishes it, as far as it is read; what Meta adds to it is let pass."""

import base64
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from schemas.base import Attachment
from streams.dialogue.said import Choice, Media, Other, Pin, Said, Text
from streams.dialogue.talk import Heard

STORE: Final = "whatsapp"
"""Where a file lies by its media id until Meta deletes it (docs/channels/whatsapp.md)."""
SHA256_BYTES: Final = 32
LATEST: Final = 253_402_300_799
"""The last second of the year 9999, as in schemas/base.py."""


class Metadata(Struct, frozen=True):
    phone_number_id: str


class Value(Struct, frozen=True):
    """A change of the field `messages`. What is within messages is read one by one: a strange one spoils no other."""

    metadata: Metadata
    messages: list[msgspec.Raw] = []
    statuses: list[msgspec.Raw] = []


class Change(Struct, frozen=True):
    field: str
    value: msgspec.Raw = msgspec.Raw(b"null")


class Account(Struct, frozen=True):
    changes: list[Change] = []


class Notification(Struct, frozen=True):
    """One POST: any number of accounts, changes and messages."""

    object: str
    entry: list[Account] = []


class Body(Struct, frozen=True):
    body: str


class Picked(Struct, frozen=True):
    id: str


class Interactive(Struct, frozen=True):
    type: str = ""
    button_reply: Picked | None = None
    list_reply: Picked | None = None


class Location(Struct, frozen=True):
    latitude: float
    longitude: float


class File(Struct, frozen=True):
    """A file that lies with Meta. Its hash is published as hexadecimal and comes in base64: both are read."""

    id: str = ""
    mime_type: str = ""
    sha256: str = ""
    caption: str = ""

    def attachment(self) -> Attachment:
        """Raises ValidationError where there is no reference to keep."""
        kind = self.mime_type.partition(";")[0].strip().lower()
        return msgspec.convert(
            {"store": STORE, "ref": self.id, "media_type": kind, "sha256": _hexadecimal(self.sha256)}, Attachment
        )


class Message(Struct, frozen=True, rename={"sender": "from"}):
    """A person's message: `sender` is a telephone number with its country code, `id` the wamid, `timestamp` seconds."""

    sender: str
    id: str
    timestamp: str
    type: str
    text: Body | None = None
    interactive: Interactive | None = None
    location: Location | None = None
    image: File | None = None
    video: File | None = None
    audio: File | None = None
    document: File | None = None

    def heard(self) -> Heard:
        """As the talk takes it; raises ValueError where the timestamp is none."""
        seconds = int(self.timestamp)
        if not self.id or not self.sender or not 0 <= seconds <= LATEST:
            raise ValueError
        return Heard(self._said(), self.id, seconds * 1000)

    def _said(self) -> Said:
        if self.text is not None:
            return Text(self.text.body)
        if self.interactive is not None and (picked := self.interactive.button_reply or self.interactive.list_reply):
            return Choice(picked.id)
        if self.location is not None:
            return Pin(self.location.latitude, self.location.longitude)
        if (file := self.image or self.video or self.audio or self.document) is not None:
            try:
                return Media(file.attachment(), file.caption)
            except msgspec.ValidationError:
                return Other(self.type)
        return Other(self.type)


def _hexadecimal(digest: str) -> str | None:
    """A SHA-256 as records have it; None where it is none."""
    try:
        raw = bytes.fromhex(digest) if len(digest) == 2 * SHA256_BYTES else base64.b64decode(digest, validate=True)
    except ValueError:
        return None
    return raw.hex() if len(raw) == SHA256_BYTES else None


class Received(NamedTuple):
    """Parts of a POST: messages for the number that is served, and how many parts are none, by what they are."""

    messages: list[tuple[Message, Heard]]
    beside: dict[str, int]


_message: Final = msgspec.json.Decoder(Message)
_value: Final = msgspec.json.Decoder(Value)
_notification: Final = msgspec.json.Decoder(Notification)


def read(raw: bytes, number_id: str) -> Received:
    """Take a POST's body apart; raises msgspec.MsgspecError where it is no notification at all."""
    found = Received([], {})
    for value in _values(_notification.decode(raw), found.beside):
        _count(found.beside, "delivery-report", len(value.statuses))
        if value.metadata.phone_number_id != number_id:
            _count(found.beside, "other-number", len(value.messages))
            continue
        for each in value.messages:
            try:
                message = _message.decode(each)
                found.messages.append((message, message.heard()))
            except (msgspec.MsgspecError, ValueError):
                _count(found.beside, "unreadable")
    return found


def _values(notification: Notification, beside: dict[str, int]) -> Iterator[Value]:
    for change in (change for account in notification.entry for change in account.changes):
        if notification.object != "whatsapp_business_account" or change.field != "messages":
            _count(beside, "other-field")
            continue
        try:
            yield _value.decode(change.value)
        except msgspec.MsgspecError:
            _count(beside, "unreadable")


def _count(beside: dict[str, int], what: str, by: int = 1) -> None:
    if by:
        beside[what] = beside.get(what, 0) + by
