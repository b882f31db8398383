"""The guided talk as a state machine: language, district, subject, text, confirmation; a case may be asked after."""

from collections.abc import Callable, Mapping
from typing import Final, Literal, NamedTuple

import regex
from msgspec import Struct
from msgspec.structs import replace

from schemas.base import MOST_ATTACHMENTS, Attachment, Language
from streams.dialogue import menus
from streams.dialogue.names import category_names, district_names, find
from streams.dialogue.points import nearest
from streams.dialogue.said import Ask, Choice, Lodge, Media, Other, Pin, Plain, Reply, Said, Text, Wish, plain
from streams.dialogue.standing import Standing, told
from streams.dialogue.words import words
from streams.ids import CASE_DIGITS, valid_case_id
from streams.intake.validate import TEXT_LIMIT, text_fault
from streams.profiles.profile import Profile
from streams.text import ascii_digits, fold, mask_numbers, nfc

Step = Literal["language", "district", "category", "text", "confirm", "done"]
CANCEL: Final = frozenset(map(fold, ("cancel", "restart", "रद्द", "रद्द करें", "शुरू")))
_STATUS: Final = regex.compile(r"\s*(?:status|sthiti|स्थिति|स्टेटस)\s*[:#-]?\s*([\d\s-]*)", regex.IGNORECASE)
_LONGEST: Final = 9
"""Digits of what a button of ours says; Python refuses to read a number of some thousands."""
_NUMBER: Final = regex.compile(r"[\d\s-]+")


class Talk(Struct, frozen=True, omit_defaults=True):
    """How far a person has come. Kept for some hours; without it the talk begins anew and nothing is lost but that."""

    step: Step = "language"
    language: Language | None = None
    district: int | None = None
    category: str | None = None
    text: str = ""
    text_id: str = ""
    """Id of the message the text came in: the complaint's idempotency key."""
    text_at: int = 0
    pin: str = ""
    """A place sent before the text, as it is written below it."""
    attachments: tuple[Attachment, ...] = ()
    """What was sent beside words, at whatever step: people begin with the picture."""
    case: str = ""
    """The case this talk led to."""


class Heard(NamedTuple):
    """Something said, the message's own id, and when, UTC ms."""

    said: Said
    id: str
    at: int


class Turn(NamedTuple):
    """What follows: the talk as it is then, what is answered, and what is to be done; its result then answers."""

    talk: Talk
    replies: tuple[Reply, ...] = ()
    wish: Wish | None = None


class Lodged(NamedTuple):
    """The complaint is durable under this number."""

    case: str


class Refused(NamedTuple):
    """The system does not take it, for these reasons."""

    reasons: tuple[str, ...]


def step(profile: Profile, talk: Talk | None, heard: Heard) -> Turn:
    """Take what a person said. A message that fits no question repeats the question."""
    held = talk or _first(profile)
    spoken = held.language or profile.languages[0]
    if isinstance(heard.said, Text):
        if (asked := _status(heard.said.body, spoken)) is not None:
            return Turn(held, *asked)
        if talk is not None and fold(heard.said.body) in CANCEL:
            return _cancelled(held, spoken)
    if isinstance(heard.said, Choice) and heard.said.id == menus.CANCEL and held.step != "done":
        return _cancelled(held, spoken)
    said = heard.said
    if isinstance(said, Media):
        return _filed(profile, _anew(held) if held.step == "done" else held, heard, said)
    if talk is None:
        return Turn(held, (_question(profile, held),))
    return STEPS[held.step](profile, held, heard, said)


def lodged(talk: Talk, outcome: Lodged | Refused) -> Turn:
    """The answer to a wish to lodge."""
    spoken = talk.language or "hi"
    match outcome:
        case Lodged():
            done = Talk(step="done", language=talk.language, case=outcome.case)
            return Turn(done, (plain(words(spoken, "talk-registered", case=outcome.case)),))
        case Refused():
            reasons = "; ".join(outcome.reasons)
            return Turn(_anew(talk), (plain(words(spoken, "talk-refused", reasons=reasons)), menus.district(spoken)))


def answered(talk: Talk, wish: Ask, standing: Standing | None, zone: str) -> Turn:
    """The answer to a question after a case."""
    return Turn(talk, (plain(told(standing, wish.case, wish.language, zone)),))


def _first(profile: Profile) -> Talk:
    only = profile.languages[0] if len(profile.languages) == 1 else None
    return Talk(step="language" if only is None else "district", language=only)


def _anew(talk: Talk) -> Talk:
    return Talk(step="language" if talk.language is None else "district", language=talk.language)


def _cancelled(talk: Talk, spoken: Language) -> Turn:
    return Turn(Talk(step="done", language=talk.language), (plain(words(spoken, "talk-cancelled")),))


def _status(body: str, spoken: Language) -> tuple[tuple[Reply, ...], Wish | None] | None:
    """A question after a case: the word and a number, or a number alone; nothing where it is neither."""
    match = _STATUS.fullmatch(body)
    written = match[1] if match else body if _NUMBER.fullmatch(body) else None
    if written is None:
        return None
    digits = "".join(each for each in ascii_digits(written) if each.isdecimal())
    if match is None and len(digits) != CASE_DIGITS:
        return None
    if valid_case_id(digits):
        return (), Ask(digits, spoken)
    return (plain(words(spoken, "status-wrong")),), None


def _question(profile: Profile, talk: Talk) -> Reply:
    """What a talk that stands here asks."""
    spoken = talk.language or profile.languages[0]
    match talk.step:
        case "category" if talk.district is not None:
            return menus.categories(profile, spoken, talk.district, 0)
        case "text" if talk.category is not None:
            return menus.text(profile, spoken, talk.category)
        case "confirm" if talk.district is not None and talk.category is not None:
            shown = _whole(talk) + (f"\n📎 {len(talk.attachments)}" if talk.attachments else "")
            return menus.confirm(profile, spoken, talk.district, talk.category, shown)
        case "district":
            return menus.district(spoken)
        case _:
            return menus.language(profile)


def _again(profile: Profile, talk: Talk, *before: str) -> Turn:
    """The question once more, after these texts."""
    spoken = talk.language or profile.languages[0]
    return Turn(talk, (*(plain(words(spoken, key)) for key in before), _question(profile, talk)))


def _on(profile: Profile, talk: Talk) -> Turn:
    return Turn(talk, (_question(profile, talk),))


def _after(profile: Profile, talk: Talk, _: Heard, said: Plain) -> Turn:
    """It was registered, or cancelled: a button pressed twice is told the number, anything else begins anew."""
    if talk.case and isinstance(said, Choice):
        spoken = talk.language or profile.languages[0]
        return Turn(talk, (plain(words(spoken, "talk-registered", case=talk.case)),))
    return _on(profile, _anew(talk))


def _filed(profile: Profile, talk: Talk, heard: Heard, sent: Media) -> Turn:
    """A file is kept at whatever step it comes; what is written beside it counts where words are asked for."""
    files = talk.attachments if sent.file in talk.attachments else (*talk.attachments, sent.file)
    kept = files[:MOST_ATTACHMENTS]
    key = "talk-media-taken" if kept == files else "talk-media-many"
    told = plain(words(talk.language or profile.languages[0], key, count=str(len(kept))))
    talk = replace(talk, attachments=kept)
    match talk.step if sent.caption.strip() else None:
        case "text":
            turn = _told(profile, talk, heard, sent.caption)
        case "confirm":
            turn = _more(profile, talk, heard, sent.caption)
        case _:
            turn = _on(profile, talk)
    return turn._replace(replies=(told, *turn.replies))


def _language(profile: Profile, talk: Talk, _: Heard, said: Plain) -> Turn:
    chosen = said.id.removeprefix(menus.LANGUAGE) if isinstance(said, Choice) else ""
    if isinstance(said, Text):
        names = {each: {fold(each), *(fold(words(each, f"talk-{each}")),)} for each in profile.languages}
        chosen = next((each for each, forms in names.items() if fold(said.body) in forms), "")
    found = next((each for each in profile.languages if each == chosen), None)
    return _again(profile, talk) if found is None else _on(profile, replace(talk, step="district", language=found))


def _district(profile: Profile, talk: Talk, heard: Heard, said: Plain) -> Turn:
    spoken = talk.language or profile.languages[0]
    known = district_names(profile, heard.at)
    match said:
        case Choice(id=name):
            found = _number(name, menus.DISTRICT)
            return _again(profile, talk) if found not in known else _in(profile, talk, found)
        case Text(body=body):
            meant = find(body, known, words=True)
            if meant.one is not None:
                return _in(profile, talk, meant.one)
            reply = _districts(profile, spoken, meant.near, "talk-district-which", "talk-district-again")
            return Turn(talk, (reply,))
        case Pin() as pin:
            reply = _districts(profile, spoken, nearest(known, pin), "talk-district-near", "talk-district-pin")
            return Turn(replace(talk, pin=_written(pin)), (reply,))
        case Other():
            return _again(profile, talk, "talk-not-taken")


def _districts(profile: Profile, spoken: Language, near: tuple[int, ...], which: str, none: str) -> Reply:
    return menus.districts(profile, spoken, near, which) if near else plain(words(spoken, none))


def _in(profile: Profile, talk: Talk, district: int) -> Turn:
    return _on(profile, replace(talk, step="category", district=district))


def _category(profile: Profile, talk: Talk, _: Heard, said: Plain) -> Turn:
    match said:
        case Choice(id=name):
            return _picked(profile, talk, name)
        case Text(body=body):
            meant = find(body, category_names(profile))
            if meant.one is not None:
                return _about(profile, talk, meant.one)
            if meant.near:
                spoken = talk.language or profile.languages[0]
                return Turn(talk, (menus.categories_near(profile, spoken, meant.near),))
            return _again(profile, talk, "talk-category-again")
        case Pin() as pin:
            return _again(profile, replace(talk, pin=_written(pin)))
        case Other():
            return _again(profile, talk, "talk-not-taken")


def _number(name: str, prefix: str) -> int | None:
    """The number a button of ours says after `prefix`."""
    digits = name.removeprefix(prefix)
    ours = name.startswith(prefix) and digits.isdecimal() and len(digits) <= _LONGEST
    return int(digits) if ours else None


def _picked(profile: Profile, talk: Talk, name: str) -> Turn:
    """A subject, or a page of them."""
    page, slug = _number(name, menus.TURN), name.removeprefix(menus.CATEGORY)
    if page is not None and talk.district is not None:
        spoken = talk.language or profile.languages[0]
        return Turn(talk, (menus.categories(profile, spoken, talk.district, page),))
    return _about(profile, talk, slug) if slug in profile.categories else _again(profile, talk)


def _about(profile: Profile, talk: Talk, category: str) -> Turn:
    return _on(profile, replace(talk, step="text", category=category))


def _text(profile: Profile, talk: Talk, heard: Heard, said: Plain) -> Turn:
    match said:
        case Text(body=body):
            return _told(profile, talk, heard, body)
        case Pin() as pin:
            return _again(profile, replace(talk, pin=_written(pin)))
        case Other():
            return _again(profile, talk, "talk-not-taken")
        case Choice():
            return _again(profile, talk)


def _told(profile: Profile, talk: Talk, heard: Heard, body: str) -> Turn:
    written = mask_numbers(nfc(body)).strip()
    if text_fault(written) is not None or len(written) + len(talk.pin) >= TEXT_LIMIT:
        return _again(profile, talk, "talk-text-long" if written else "talk-text-again")
    return _on(profile, replace(talk, step="confirm", text=written, text_id=heard.id, text_at=heard.at))


def _confirm(profile: Profile, talk: Talk, heard: Heard, said: Plain) -> Turn:
    match said:
        case Choice(id=menus.REGISTER):
            assert talk.district is not None
            assert talk.category is not None
            spoken = talk.language or profile.languages[0]
            wish = Lodge(
                talk.text_id, talk.text_at, talk.district, talk.category, _whole(talk), spoken, talk.attachments
            )
            return Turn(talk, wish=wish)
        case Choice(id=menus.EDIT):
            return _on(profile, replace(talk, step="text", text="", text_id="", text_at=0))
        case Pin() as pin:
            return _again(profile, replace(talk, pin=_written(pin)))
        case Text(body=body) if body.strip():
            return _more(profile, talk, heard, body)
        case _:
            return _again(profile, talk)


def _more(profile: Profile, talk: Talk, heard: Heard, body: str) -> Turn:
    """People write on in further messages: these belong to the text, and the last one's id is the key."""
    return _told(profile, talk, heard, f"{talk.text}\n{body}")


def _written(pin: Pin) -> str:
    """Five decimals are a metre; a link would carry no more."""
    return f"{pin.latitude:.5f}, {pin.longitude:.5f}"


def _whole(talk: Talk) -> str:
    return f"{talk.text}\n📍 {talk.pin}" if talk.pin else talk.text


STEPS: Final[Mapping[Step, Callable[[Profile, Talk, Heard, Plain], Turn]]] = {
    "language": _language,
    "district": _district,
    "category": _category,
    "text": _text,
    "confirm": _confirm,
    "done": _after,
}
