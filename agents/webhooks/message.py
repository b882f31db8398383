"""What a subscriber is sent: the record as a CloudEvent in JSON, under an id that every repeat has."""

import hashlib
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import msgspec
from msgspec import Raw, Struct

from agents.webhooks.subscriptions import Subscription
from schemas.codec import encode

CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
NEEDED: Final = ("ce_id", "ce_source", "ce_type", "ce_time", "ce_subject")

Skip = Literal["not-wanted", "restricted"]


class UnreadableError(ValueError):
    """A record that cannot be told to anybody; the message says why and repeats nothing of it."""


class CloudEvent(Struct, frozen=True):
    """CloudEvents 1.0, structured: all of it is in the body, hence under the signature."""

    specversion: str
    id: str
    source: str
    type: str
    time: str
    subject: str
    datacontenttype: str
    data: Raw


class Message(NamedTuple):
    """The id is that of the event, hence of every attempt, every redrive and every replay of the log."""

    id: str
    body: bytes


class Told(Struct, frozen=True):
    """What of a record decides who is told."""

    type: str
    system: str = ""
    department: str = ""
    restricted: str | None = None
    visible_to: tuple[str, ...] = ()


_told: Final = msgspec.json.Decoder(Told).decode


def message(headers: Sequence[tuple[str, bytes]], value: bytes) -> Message:
    """Raises UnreadableError where an attribute of CloudEvents is missing."""
    told = {name: raw for name, raw in headers if name.startswith("ce_")}
    try:
        id_, source, kind, time, subject = (told[name].decode() for name in NEEDED)
    except (KeyError, UnicodeDecodeError):
        raise UnreadableError("lacks a header of CloudEvents") from None
    event = CloudEvent("1.0", id_, source, kind, time, subject, "application/json", Raw(value))
    # not the id itself: the convention separates id, instant and body by dots, and topics have some in their names
    return Message("msg_" + hashlib.sha256(id_.encode()).hexdigest()[:32], encode(event))


def skipped(subscription: Subscription, value: bytes) -> Skip | None:
    """Why a record is not for this subscriber; None: it is. Raises UnreadableError."""
    try:
        told = _told(value)
    except msgspec.MsgspecError:
        raise UnreadableError("is no record") from None
    for wanted, has in (
        (subscription.types, told.type),
        (subscription.systems, told.system),
        (subscription.departments, told.department),
    ):
        if wanted and has not in wanted:
            return "not-wanted"
    hidden = told.restricted is not None or bool(told.visible_to)
    return "restricted" if hidden and not set(told.visible_to) & set(subscription.roles) else None
