"""The texts a citizen is answered with, from `words.toml`, each in Hindi and English."""

import tomllib
from functools import cache
from importlib.resources import files

import msgspec

from schemas.base import Language
from streams.profiles.profile import Name


def words(language: Language, key: str, **values: str) -> str:
    """A text, filled; KeyError for a key that is not in the file or a slot that is not filled."""
    text = texts()[key]
    return (text.hi if language == "hi" else text.en).format(**values)


@cache
def texts() -> dict[str, Name]:
    """Every text by its key."""
    return msgspec.convert(
        tomllib.loads(files("streams.dialogue").joinpath("words.toml").read_text("utf-8")), dict[str, Name]
    )
