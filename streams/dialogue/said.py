"""What a person can say in a talk, what he can be answered with, and what a talk can ask its channel to do."""

from typing import Final, NamedTuple

from msgspec import Struct

from schemas.base import Attachment, Attachments, Language
from streams.text import cut_clusters

MOST_ROWS: Final = 10
MOST_BUTTONS: Final = 3
LONGEST_TEXT: Final = 4096
LONGEST_BODY: Final = 1024
LONGEST_BUTTON: Final = 20
LONGEST_TITLE: Final = 24
LONGEST_DESCRIPTION: Final = 72
"""Limits of WhatsApp's messages, in characters (docs/channels/whatsapp.md, stated)."""


class Text(NamedTuple):
    """Words."""

    body: str


class Choice(NamedTuple):
    """A button pressed or a row chosen, by the id it was offered with."""

    id: str


class Pin(NamedTuple):
    """A place on the map, degrees."""

    latitude: float
    longitude: float


class Media(NamedTuple):
    """A picture, voice message or file, by reference; the caption is what was written beside it."""

    file: Attachment
    caption: str = ""


class Other(NamedTuple):
    """Something else, as a reaction or a sticker."""

    kind: str


Plain = Text | Choice | Pin | Other
"""What a step of a talk answers; a file is taken at every step alike."""
Said = Plain | Media


class Option(Struct, frozen=True, omit_defaults=True):
    """A button or a row: the id comes back as a Choice."""

    id: str
    title: str
    description: str = ""


class Reply(Struct, frozen=True, omit_defaults=True):
    """A message to the person: words, words with buttons, or words with a list that `list_button` opens."""

    body: str
    buttons: tuple[Option, ...] = ()
    rows: tuple[Option, ...] = ()
    list_button: str = ""
    section: str = ""


def plain(body: str) -> Reply:
    return Reply(cut_clusters(body, LONGEST_TEXT))


def with_buttons(body: str, *buttons: tuple[str, str]) -> Reply:
    """Buttons as (id, title); raises ValueError where they are more than a message takes."""
    if not 1 <= len(buttons) <= MOST_BUTTONS:
        raise ValueError(f"{len(buttons)} buttons")
    return Reply(
        cut_clusters(body, LONGEST_BODY),
        buttons=tuple(Option(name, cut_clusters(title, LONGEST_BUTTON)) for name, title in buttons),
    )


def with_list(body: str, button: str, section: str, rows: list[tuple[str, str]]) -> Reply:
    """Rows as (id, name); a name too long for a title also stands below it, longer."""
    if not 1 <= len(rows) <= MOST_ROWS:
        raise ValueError(f"{len(rows)} rows")
    return Reply(
        cut_clusters(body, LONGEST_BODY),
        rows=tuple(_row(name, title) for name, title in rows),
        list_button=cut_clusters(button, LONGEST_BUTTON),
        section=cut_clusters(section, LONGEST_TITLE),
    )


def _row(name: str, title: str) -> Option:
    short = cut_clusters(title, LONGEST_TITLE)
    return Option(name, short, "" if short == title else cut_clusters(title, LONGEST_DESCRIPTION))


class Lodge(Struct, frozen=True):
    """Register this complaint. `key` is the id of the message its text came in: however often, one case."""

    key: str
    at: int
    """When the text was written, UTC ms."""
    district: int
    category: str
    text: str
    language: Language
    attachments: Attachments = ()


class Ask(Struct, frozen=True):
    """A question how this case stands."""

    case: str
    language: Language


Wish = Lodge | Ask
