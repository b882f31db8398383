"""The words of packs in each language, from `words.toml`; a missing one is refused when they are read."""

import tomllib
from functools import cache
from importlib.resources import files

import msgspec

from schemas.base import Language
from streams.profiles.profile import Name


class Words:
    """One language's words: `words["received"]`."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._words, self._reasons = _file()

    def __getitem__(self, key: str) -> str:
        return self.name(self._words[key])

    def get(self, key: str) -> str | None:
        return self.name(self._words[key]) if key in self._words else None

    def reason(self, slug: str) -> str:
        """A coded reason in words; the code where the operator has added one."""
        return self.name(self._reasons[slug]) if slug in self._reasons else slug

    def name(self, name: Name) -> str:
        """A name in this language."""
        return name.hi if self.language == "hi" else name.en


@cache
def _file() -> tuple[dict[str, Name], dict[str, Name]]:
    raw = tomllib.loads(files("streams.review").joinpath("words.toml").read_text("utf-8"))
    reasons = raw.pop("reason_words")
    return msgspec.convert(raw, dict[str, Name]), msgspec.convert(reasons, dict[str, Name])
