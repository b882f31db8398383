"""Finds the district that an address names, in either language, or says why none can be told."""

from typing import Final

import regex

from streams.profiles.places import stands
from streams.profiles.profile import Profile
from streams.text import fold

_BETWEEN: Final = regex.compile(r"[^\p{L}\p{M}\p{N}]+")
"""What separates words, in any script."""


def districts_named(profile: Profile, address: str, at: int) -> set[int]:
    """Codes of the districts existing at `at` (UTC ms) whose whole name stands in the address.

    A name within a longer one that stands there too (Kanpur in Kanpur Dehat) does not count.
    """
    words = _words(address)
    found: dict[tuple[int, int], int] = {}
    for code, district in profile.districts.items():
        if stands(district, at, profile.zone):
            for name in (district.name.hi, district.name.en):
                found |= dict.fromkeys(_places(words, _words(name)), code)
    return {
        code
        for (start, end), code in found.items()
        if not any(first <= start and end <= last and (first, last) != (start, end) for first, last in found)
    }


def _words(text: str) -> list[str]:
    return [folded for word in _BETWEEN.split(text) if (folded := fold(word))]


def _places(words: list[str], name: list[str]) -> list[tuple[int, int]]:
    """From which word to which the name stands."""
    length = len(name)
    return (
        [(at, at + length) for at in range(len(words) - length + 1) if words[at : at + length] == name] if name else []
    )
