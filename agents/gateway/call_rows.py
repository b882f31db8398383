"""The rows of the call list, shared with the API's description."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from schemas.base import CaseId, Count, Instant, Level, Slug
from streams.profiles.load import profiles

FORMATS: Final = ("json", "csv")
MOST: Final = 1000
"""Rows of one answer."""


class CallRow(Struct, frozen=True):
    """A feedback call that is due. Instants are UTC ms."""

    case: CaseId
    mobile: Annotated[str, Meta(description="whom to call; empty where the submission had no number")]
    due_at: Instant
    attempt: Annotated[int, Meta(ge=1, description="which call it is since the last disposal")]
    of_attempts: Annotated[int, Meta(ge=1, description="after so many without an answer the case closes")]
    district: Count
    department: Slug
    level: Level
    category: Slug


def districts() -> list[int]:
    """LGD codes of the districts of all systems."""
    return sorted({code for profile in profiles().values() for code in profile.districts})
