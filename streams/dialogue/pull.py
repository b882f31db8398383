"""Reads a pull SMS: a register request or a question after a case, in Hindi or English; or the help that is due."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

import regex

from schemas.base import Language
from streams.dialogue.names import category_names, district_names, find, named
from streams.dialogue.words import texts, words
from streams.ids import CASE_DIGITS, valid_case_id
from streams.profiles.profile import Name, Profile
from streams.text import ascii_digits, fold, nfc, segments

K = TypeVar("K")
STATUS: Final = frozenset(map(fold, ("status", "stat", "sthiti", "स्थिति", "स्टेटस", "दशा")))
REGISTER_HI: Final = frozenset(map(fold, ("shikayat", "shikaayat", "darj", "शिकायत", "दर्ज", "परिवाद", "समस्या")))
REGISTER_EN: Final = frozenset(map(fold, ("complaint", "complain", "register", "reg")))
LONGEST_NAME: Final = 5
"""Words of the longest name of a district or subject that is looked for."""
NEAR_WORDS: Final = 2
"""Words in which a near name is looked for: more hold what follows it as well."""
_WORD: Final = regex.compile(r"[^\s,;|#/]+")
_DEVANAGARI: Final = regex.compile(r"\p{Devanagari}")
_EXAMPLES: Final = 3


class Ask(NamedTuple):
    """A question how this case stands."""

    case: str
    language: Language


class Lodge(NamedTuple):
    """A complaint. `text` begins with the words the subject was found in: nothing that was written is lost."""

    district: int
    category: str
    text: str
    language: Language


class Help(NamedTuple):
    """It says too little: what to write instead, one SMS long."""

    reply: str
    language: Language


Message = Ask | Lodge | Help


class Word(NamedTuple):
    """A word and where it ends and begins in the message."""

    text: str
    start: int
    end: int


def read(message: str, keyword: str, profile: Profile, at: int) -> Message:
    """What a message asks for. `keyword`: the operator's own first word, there or not; `at`: UTC ms."""
    text = nfc(message)
    found = [Word(match[0], match.start(), match.end()) for match in _WORD.finditer(text)]
    if found and keyword and fold(found[0].text) == fold(keyword):
        found = found[1:]
    first = fold(found[0].text) if found else ""
    language = _language(profile, text, first)
    if first in STATUS:
        return _status("".join(each.text for each in found[1:]), keyword, language)
    digits = ascii_digits("".join(each.text for each in found))
    if len(digits) == CASE_DIGITS and digits.isdecimal():
        return _status(digits, keyword, language)
    if first in REGISTER_HI | REGISTER_EN:
        return _lodge(text, found[1:], profile, at, language)
    return Help(words(language, "sms-help", keyword=keyword), language)


def _language(profile: Profile, text: str, first: str) -> Language:
    hindi = first in REGISTER_HI or _DEVANAGARI.search(text) is not None
    wanted: Language = "hi" if hindi else "en"
    return wanted if wanted in profile.languages else profile.languages[0]


def _status(number: str, keyword: str, language: Language) -> Message:
    digits = "".join(each for each in ascii_digits(number) if each.isdecimal())
    if not digits:
        return Help(words(language, "sms-help-status", keyword=keyword), language)
    return Ask(digits, language) if valid_case_id(digits) else Help(words(language, "status-wrong"), language)


def _lodge(text: str, rest: Sequence[Word], profile: Profile, at: int, language: Language) -> Message:
    districts, categories = district_names(profile, at), category_names(profile)
    district, used, near = _longest(rest, districts, words_too=True)
    if district is None:
        return Help(_which("district", [districts[each] for each in near], language), language)
    rest = rest[used:]
    if not rest:
        return Help(words(language, "sms-no-text"), language)
    category, used, near_categories = _longest(rest, categories)
    if category is None:
        named_near = [categories[each] for each in near_categories]
        return Help(_which("category", named_near, language, list(categories.values())), language)
    if len(rest) == used:
        return Help(words(language, "sms-no-text"), language)
    return Lodge(district, category, text[rest[0].start :].strip(), language)


def _longest(
    rest: Sequence[Word], names: Mapping[K, Name], *, words_too: bool = False
) -> tuple[K | None, int, tuple[K, ...]]:
    """The name that the most words at the beginning make, how many they are, and what is near if there is none."""
    near: tuple[K, ...] = ()
    for count in range(min(LONGEST_NAME, len(rest)), 0, -1):
        found = find(" ".join(each.text for each in rest[:count]), names, words=words_too)
        if found.one is not None:
            return found.one, count, ()
        if count <= NEAR_WORDS:
            near = tuple(dict.fromkeys((*near, *found.near)))
    return None, 0, near


def _which(kind: str, near: Sequence[Name], language: Language, examples: Sequence[Name] = ()) -> str:
    """A question that names as many as fit one SMS."""
    shown, key = (near, f"sms-which-{kind}") if near else (examples, f"sms-no-{kind}")
    for count in range(min(_EXAMPLES, len(shown)), -1, -1):
        reply = words(language, key, names=", ".join(named(each, language) for each in shown[:count]))
        if segments(reply) == 1:
            return reply
    return words(language, key, names="")


def replies(profile: Profile, keyword: str) -> Iterator[str]:
    """Every reply with its longest filling, to be held against one SMS; names are put in as far as they fit."""
    number = "9" * CASE_DIGITS
    for key in texts():
        if key.startswith(("status-", "sms-")):
            for language in profile.languages:
                yield words(
                    language, key, case=number, original=number, level="9", due="31/12/2026", keyword=keyword, names=""
                )
