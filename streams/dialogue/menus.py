"""The questions of the guided talk: language, district, subject by pages, text, confirmation."""

from typing import Final

from schemas.base import Language
from streams.dialogue.names import category_names, named
from streams.dialogue.said import LONGEST_BODY, MOST_ROWS, Reply, plain, with_buttons, with_list
from streams.dialogue.words import words
from streams.profiles.profile import Profile
from streams.text import cut_clusters

PAGE: Final = MOST_ROWS - 1
"""Subjects of a page; the last row turns it."""
DISTRICT, CATEGORY, LANGUAGE, TURN = "d:", "c:", "l:", "p:"
REGISTER, EDIT, CANCEL = "register", "edit", "cancel"


def language(profile: Profile) -> Reply:
    system = named(profile.name, profile.languages[0])
    buttons = [(f"{LANGUAGE}{each}", words(each, f"talk-{each}")) for each in profile.languages]
    return with_buttons(words(profile.languages[0], "talk-welcome", system=system), *buttons)


def district(spoken: Language) -> Reply:
    return plain(words(spoken, "talk-district"))


def districts(profile: Profile, spoken: Language, near: tuple[int, ...], key: str) -> Reply:
    """A few districts to choose from."""
    rows = [(f"{DISTRICT}{code}", named(profile.districts[code].name, spoken)) for code in near[:MOST_ROWS]]
    return with_list(words(spoken, key), words(spoken, "button-list"), words(spoken, "section-districts"), rows)


def categories(profile: Profile, spoken: Language, place: int, page: int) -> Reply:
    """A page of the subjects; the last page turns to the first."""
    names = list(category_names(profile).items())
    pages = max(1, -(-len(names) // PAGE))
    page %= pages
    rows = [(f"{CATEGORY}{slug}", named(name, spoken)) for slug, name in names[page * PAGE : (page + 1) * PAGE]]
    if pages > 1:
        turn = "row-more" if page + 1 < pages else "row-back"
        rows.append((f"{TURN}{(page + 1) % pages}", words(spoken, turn)))
    body = words(spoken, "talk-category", district=named(profile.districts[place].name, spoken))
    return with_list(body, words(spoken, "button-list"), words(spoken, "section-categories"), rows)


def categories_near(profile: Profile, spoken: Language, near: tuple[str, ...]) -> Reply:
    """A few subjects to choose from, and the way to all of them."""
    rows = [(f"{CATEGORY}{slug}", named(profile.categories[slug].name, spoken)) for slug in near[:PAGE]]
    rows.append((f"{TURN}0", words(spoken, "row-more")))
    body = words(spoken, "talk-category-which")
    return with_list(body, words(spoken, "button-list"), words(spoken, "section-categories"), rows)


def text(profile: Profile, spoken: Language, category: str) -> Reply:
    return plain(words(spoken, "talk-text", category=named(profile.categories[category].name, spoken)))


def confirm(profile: Profile, spoken: Language, place: int, category: str, written: str) -> Reply:
    """What will be registered, the text cut where it is longer than a message with buttons."""
    told = {
        "district": named(profile.districts[place].name, spoken),
        "category": named(profile.categories[category].name, spoken),
    }
    room = LONGEST_BODY - len(words(spoken, "talk-confirm", text="", **told))
    shown = written if len(written) <= room else cut_clusters(written, room - 1) + "…"
    return with_buttons(
        words(spoken, "talk-confirm", text=shown, **told),
        (REGISTER, words(spoken, "button-register")),
        (EDIT, words(spoken, "button-edit")),
        (CANCEL, words(spoken, "button-cancel")),
    )
