"""Where a subscription stands in a partition, kept as metadata of the committed offset: it survives every restart."""

import hashlib
from typing import NamedTuple

import msgspec
from msgspec import Struct

from agents.webhooks.subscriptions import Subscription


class Trying(Struct, frozen=True):
    """A record that was called in vain; instants are UTC ms."""

    attempts: int
    refusals: int
    first_at: int
    next_at: int


class Note(Struct, frozen=True, omit_defaults=True):
    """What stands beside a committed offset: attempts of the record at that offset, or that the endpoint is gone."""

    trying: Trying | None = None
    gone: str = ""


class Position(NamedTuple):
    """The next offset that is to be dealt with, and the note beside it."""

    offset: int
    note: Note = Note()


def written(note: Note) -> str:
    """As it is committed; an empty note is an empty text."""
    return "" if note == Note() else msgspec.json.encode(note).decode()


def read(text: str | None) -> Note:
    """A note; an empty one for what is none of ours."""
    try:
        return msgspec.json.decode(text or "{}", type=Note)
    except msgspec.MsgspecError:
        return Note()


def gone_mark(subscription: Subscription) -> str:
    """What a 410 holds for: this address in this revision; another one is called again."""
    return f"{subscription.revision}-{hashlib.sha256(subscription.url.encode()).hexdigest()[:16]}"
