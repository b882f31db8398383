"""Finds what a citizen means among names in Hindi and English: one, or a few to choose from."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Final, Generic, NamedTuple, TypeVar

from schemas.base import Language
from streams.profiles.places import stands
from streams.profiles.profile import Name, Profile
from streams.text import fold

K = TypeVar("K")
MOST: Final = 9
"""Suggestions: a list of WhatsApp has ten rows, one is kept for "none of these"."""
SHORTEST: Final = 3
"""Letters from which on a beginning of a name counts."""
CLOSE: Final = 0.6


class Found(NamedTuple, Generic[K]):
    """The one that is meant, or those that may be, the likeliest first; neither: nothing is near."""

    one: K | None
    near: tuple[K, ...] = ()


def named(name: Name, language: Language) -> str:
    """A name in a language; in the other one, where it has none in this."""
    return (name.hi or name.en) if language == "hi" else (name.en or name.hi)


def find(said: str, names: Mapping[K, Name], *, words: bool = False) -> Found[K]:
    """A whole name, else a beginning (with `words`: or a whole word) that is in no other name, else what is near.

    Spelling variants count as the same. A word from the middle names a place well enough (`Kheri`), a subject not:
    `water` is in the name of one subject and what half of them are about.
    """
    wanted = fold(said)
    forms = [(form, key) for key, name in names.items() for form in (name.hi, name.en) if form]
    folded = [(fold(form), key) for form, key in forms]
    exact = _keys(key for form, key in folded if form == wanted)
    if len(exact) == 1:
        return Found(exact[0])
    if len(wanted) < SHORTEST:
        return Found(None, exact[:MOST])
    within = _keys(key for form, key in folded if wanted in form)
    if len(within) == 1 and any(
        form.startswith(wanted) or (words and wanted in map(fold, plain.split()))
        for (plain, key), (form, _) in zip(forms, folded, strict=True)
        if key == within[0]
    ):
        return Found(within[0])
    holding = _keys(key for form, key in folded if len(form) > SHORTEST and form in wanted)
    if sure := _keys([*exact, *within, *holding]):
        return Found(None, sure[:MOST])
    likely = difflib.get_close_matches(wanted, {form for form, _ in folded}, n=MOST, cutoff=CLOSE)
    return Found(None, _keys(key for each in likely for form, key in folded if form == each)[:MOST])


def _keys(keys: Iterable[K]) -> tuple[K, ...]:
    return tuple(dict.fromkeys(keys))


def district_names(profile: Profile, at: int) -> dict[int, Name]:
    """The districts that exist at an instant (UTC ms)."""
    return {code: each.name for code, each in profile.districts.items() if stands(each, at, profile.zone)}


def category_names(profile: Profile) -> dict[str, Name]:
    return {slug: each.name for slug, each in profile.categories.items()}
