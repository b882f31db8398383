"""The words of a letter without what is not the writer's: charset, HTML, quoted letters, signature."""

import re
from collections.abc import Iterator
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Final

from streams.text import nfc

BLOCKS: Final = frozenset({"p", "div", "br", "tr", "li", "h1", "h2", "h3", "h4", "table", "ul", "ol"})
UNSEEN: Final = frozenset({"script", "style", "head", "title", "blockquote"})
"""What is not shown, and what is quoted."""
QUOTED: Final = re.compile(
    r"(On|On\s.{1,200}|.{1,200}\sको\s.{0,200})\s?(wrote|लिखा|ने लिखा)\s?:"
    r"|-{2,}\s*(Original Message|Forwarded message|मूल संदेश)\s*-{2,}|_{20,}|-- ?"
)
"""A line with which another's letter, or a signature, begins: as Gmail, Outlook and Thunderbird write it."""


class UnreadableError(ValueError):
    """A letter's words cannot be read; the message says why, without a word of them."""


def words(letter: EmailMessage) -> str:
    """What the writer wrote, in normal form C; raises UnreadableError."""
    body = letter.get_body(preferencelist=("plain", "html"))
    if body is None:
        raise UnreadableError("has no text")
    try:
        content = body.get_content()
    except (LookupError, ValueError, AttributeError):  # a charset that nobody knows, a body that is none
        raise UnreadableError("its text cannot be read in the charset it names") from None
    if not isinstance(content, str) or "\ufffd" in content:
        raise UnreadableError("its text cannot be read in the charset it names")
    text = _shown(content) if body.get_content_type() == "text/html" else content
    return nfc("\n".join(_own(text.splitlines()))).strip()


def _own(lines: list[str]) -> Iterator[str]:
    for line in lines:
        bare = line.strip()
        if QUOTED.fullmatch(bare if bare != "--" else "-- "):
            return
        if not bare.startswith(">"):
            yield bare


class _Shown(HTMLParser):
    """The text a reader of the page sees."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - its signature
        if tag in UNSEEN:
            self._hidden.append(tag)
        elif tag in BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._hidden:
            del self._hidden[self._hidden.index(tag) :]
        elif tag in BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(re.sub(r"\s+", " ", data))


def _shown(page: str) -> str:
    parser = _Shown()
    parser.feed(page)
    parser.close()
    return re.sub(r"\n\s*\n+", "\n", "".join(parser.parts))
