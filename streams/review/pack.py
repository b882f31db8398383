"""A monthly review pack: which sections each audience gets, put together from the material in one language."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Final

from schemas.base import Language
from streams.profiles.profile import DAY_MS
from streams.review import lists, progress, ranks
from streams.review.document import Block, Document
from streams.review.material import Audience, Material
from streams.review.words import Words

Section = Callable[[Material, Words], Iterator[Block]]

SECTIONS: Final[dict[Audience, tuple[Section, ...]]] = {
    "dm": (progress.figures, progress.verdicts, progress.by_day, progress.by_department, progress.pendency,
           progress.pendency_by_department, lists.reasons, lists.longest, lists.defaulters, lists.dissatisfaction,
           lists.reviews,
           ranks.own_rank, ranks.departments),
    "acs": (progress.figures, progress.verdicts, progress.by_district, progress.pendency, ranks.districts),
    "cs": (progress.figures, progress.verdicts, progress.by_day, progress.by_department, progress.pendency,
           progress.pendency_by_department, ranks.districts, ranks.departments),
    "cm": (progress.figures, progress.verdicts, progress.by_day, progress.by_district, progress.by_department,
           progress.pendency, ranks.districts, ranks.departments),
}  # fmt: skip
"""What each audience reads, in its order."""


def document(material: Material, language: Language) -> Document:
    """The pack in one language; the same material gives the same document."""
    words = Words(language)
    blocks = [block for section in SECTIONS[material.audience] for block in section(material, words)]
    title = f"{words['title']}: {words.name(material.profile.name)}"
    subtitle = ", ".join((_about(material, words), material.month, words[f"for_{material.audience}"]))
    facts = (
        (words["month"], material.month),
        (words["as_of"], _date(material.as_of)),
        (words["policy"], material.profile.version),
    )
    return Document(
        language, title, subtitle, facts, tuple(blocks), words["notes"], tuple(_notes(material, words)),
        words["more_lines"],
    )  # fmt: skip


def stem(material: Material) -> str:
    """What the pack's files are named by."""
    scope = material.scope
    parts = ("pack", material.profile.system, material.audience, scope.district, scope.department, material.as_of)
    return "-".join(str(part) for part in parts if part is not None)


def _about(material: Material, words: Words) -> str:
    profile, scope = material.profile, material.scope
    parts = []
    if scope.department is not None:
        parts.append(words.name(profile.departments[scope.department].name))
    if scope.district is not None:
        parts.append(words.name(profile.districts[scope.district].name))
    else:
        parts.append(words["state"])
    return ", ".join(parts)


def _notes(material: Material, words: Words) -> Iterator[str]:
    yield words["note_satisfied"]
    yield words["note_movements"]
    days = material.profile.intake.lateness_ms // DAY_MS
    settled = date.fromisoformat(material.as_of) + timedelta(days=days)
    yield words["note_late"].format(days=days, date=_date(settled.isoformat()))
    yield words["note_default"]


def _date(day: str) -> str:
    """`2026-08-28` as people in India write it."""
    return date.fromisoformat(day).strftime("%d/%m/%Y")
