"""How a case stands, in the few words a citizen is told who knows its number; fits one SMS in either language."""

from typing import Final, Literal

from msgspec import Struct

from schemas.base import Language
from streams.calendar import date_text
from streams.dialogue.words import words

Status = Literal["registered", "open", "disposed", "closed", "recorded", "accepted", "duplicate", "rejected"]


class Standing(Struct, frozen=True):
    """A case as far as who knows its number may know it. Instants are UTC ms."""

    case: str
    status: Status
    level: int = 0
    due_at: int | None = None
    original: str = ""
    """Of a duplicate: the case it was linked to."""
    restricted: bool = False
    """Only some roles may see it: a number alone gives its status, no more."""


UNKNOWN: Final = "status-unknown"


def told(standing: Standing | None, case: str, language: Language, zone: str) -> str:
    """What is said of the case with this number; None: nobody knows it. `zone`: in which a date is told."""
    if standing is None:
        return words(language, UNKNOWN, case=case)
    key = f"status-{standing.status}"
    due = ""
    if standing.status == "open" and standing.restricted:
        key = "status-open-restricted"
    elif standing.status == "open":
        key = "status-open" if standing.due_at is not None else "status-open-undated"
        due = "" if standing.due_at is None else date_text(standing.due_at, zone)
    return words(language, key, case=case, level=str(standing.level), due=due, original=standing.original)
