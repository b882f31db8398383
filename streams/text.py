"""Text as people write it: one normal form, numbers masked, folded for comparing, cut for an SMS."""

import unicodedata
from functools import cache
from typing import Final

import regex

# A telephone or Aadhaar number in any decimal script: ten or more digits in one run (which may hide zero-width
# characters), 4-4-4, 5-5, 3-3-4 and 4-3-3 groups, the telephone ones with a country code, and a trunk code with its
# local number (0522-...). Dates and times are not such groups.
_GAP: Final = r"[ \u00a0.\-]"
_JOINERS: Final = r"[\u200b-\u200d\u2060]*"
_COUNTRY: Final = rf"(?:\+\d{{1,3}}{_GAP}?)?"
_NUMBER: Final = regex.compile(
    rf"(?<!\d)(?:(?:\d{_JOINERS}){{9,}}\d"
    rf"|\d{{4}}{_GAP}\d{{4}}{_GAP}\d{{4}}"
    rf"|[0०]\d{{2,4}}{_GAP}(?:\d{{6,8}}|\d{{3,4}}{_GAP}\d{{3,4}})"
    rf"|{_COUNTRY}(?:0?\d{{5}}{_GAP}\d{{5}}|\d{{3}}{_GAP}\d{{3}}{_GAP}\d{{4}}|\d{{4}}{_GAP}\d{{3}}{_GAP}\d{{3}}))(?!\d)"
)
_DIGIT: Final = regex.compile(r"\d")
_GRAPHEME: Final = regex.compile(r"\X")
_KEPT_DIGITS: Final = 2

_NOT_SAID: Final = regex.compile(r"[^\p{L}\p{M}\p{N}]+")
# Spelling variants that writers mix: हेल्पलाइन is also found as हेल्प लाइन, हैल्पलाइन and हैल्पलाईन.
_VARIANTS: Final = str.maketrans(
    {
        "ई": "इ", "ी": "ि", "ऊ": "उ", "ू": "ु", "ऐ": "ए", "ै": "े", "औ": "ओ", "ौ": "ो", "ऑ": "ओ", "ॉ": "ो", "ॅ": "े",
        "ँ": "ं", "़": None, "श": "स", "ष": "स", "\u200b": None, "\u200c": None, "\u200d": None, "\u2060": None, "ऽ": None,
    }
)  # fmt: skip
_NASAL: Final = regex.compile(r"[ङञणनम]्(?=[क-ह])")

GSM_UNITS: Final = (160, 153)
UCS2_UNITS: Final = (70, 67)
_GSM_EXTENDED: Final = frozenset("^{}\\[~]|€\f")
"""Characters of GSM-7 that take two of its places."""
_GSM: Final = _GSM_EXTENDED.union(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)


def nfc(text: str) -> str:
    """Unicode normal form C. It decomposes क़ to य़ (composition exclusions), so it may lengthen a text."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def ascii_digits(text: str) -> str:
    """Decimal digits of any script (०-९ ...) as 0-9."""
    return text if text.isascii() else _DIGIT.sub(lambda match: _ascii_digit(match[0]), text)


@cache
def _ascii_digit(digit: str) -> str:
    known = unicodedata.decimal(digit, None)
    if known is not None:
        return str(known)
    # of a script that came to Unicode after this Python: its digits are ten in a row, or some tens
    first = ord(digit)
    while _DIGIT.match(chr(first - 1)):
        first -= 1
    return str((ord(digit) - first) % 10)


def mask_numbers(text: str) -> str:
    """Digits of what could be a telephone or Aadhaar number become X, all but the last two; lengths stay."""
    return _NUMBER.sub(_masked, text)


def _masked(match: "regex.Match[str]") -> str:
    hidden = len(_DIGIT.findall(match[0])) - _KEPT_DIGITS
    return _DIGIT.sub("X", match[0], count=hidden)


def fold(text: str) -> str:
    """What a text says, for comparing: without case, spaces, punctuation, joiners, scripts of digits, variants."""
    letters = unicodedata.normalize("NFKC", text).casefold().translate(_VARIANTS)
    return _NOT_SAID.sub("", _NASAL.sub("ं", ascii_digits(letters)))


def units(text: str) -> int:
    """Length in UTF-16 code units, the unit in which a Hindi SMS is measured."""
    return len(text.encode("utf-16-le")) // 2


def cut(text: str, limit_units: int) -> str:
    """The longest beginning of `text` within `limit_units` UTF-16 units that splits no grapheme cluster (akshara)."""
    if units(text) <= limit_units:
        return text
    used = end = 0
    for match in _GRAPHEME.finditer(text):
        used += units(match[0])
        if used > limit_units:
            break
        end = match.end()
    return text[:end]


def cut_clusters(text: str, limit: int) -> str:
    """The longest beginning of `text` of at most `limit` characters that splits no grapheme cluster (akshara)."""
    if len(text) <= limit:
        return text
    end = 0
    for match in _GRAPHEME.finditer(text):
        if match.end() > limit:
            break
        end = match.end()
    return text[:end]


def segments(text: str) -> int:
    """Parts an SMS is billed as: GSM-7 160 alone or 153 each, else UCS-2 70 alone or 67 each (domain.md D2, stated)."""
    if _GSM.issuperset(text):
        length = len(text) + sum(map(text.count, _GSM_EXTENDED))
        alone, joined = GSM_UNITS
    else:
        length, (alone, joined) = units(text), UCS2_UNITS
    return 1 if length <= alone else -(-length // joined)
