"""What reviewers found in the cases they had drawn: outcomes of samples; key: case id."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.base import Actor, CaseId, Count, Instant, LongText, Record, Recording, Sha256, Slug
from schemas.commands import CommandId

Day = Annotated[str, Meta(pattern=r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z", description="a local date of the system's zone")]


class Sample(Struct, frozen=True):
    """How the case was drawn: whoever draws again from the same log gets the same cases."""

    seed: Annotated[str, Meta(min_length=1, max_length=64)]
    as_of: Day
    size: Annotated[int, Meta(ge=1, le=10_000)]
    population: Count
    """Out of how many cases."""
    digest: Sha256
    """Of those cases' numbers, in ascending order, a line each."""


class Reviewed(Record, frozen=True):
    """Common to outcomes: the case as it was drawn, the sample it was drawn in, who looked at it and when."""

    id: CommandId
    case: CaseId
    at: Instant
    system: str
    district: int
    department: str
    level: int
    office: str
    """The office it was found at."""
    sample: Sample
    by: Actor


class StallingChecked(Reviewed, frozen=True, tag="review.stalling-checked.v1"):
    """A pending case was looked through for needless delay (R17)."""

    finding: Literal["stalling", "in-order", "unclear"]
    action: Literal["none", "notice", "explanation-sought", "charge-sheet"] = "none"
    """What follows for the office; the action itself is a record of the officers."""
    text: LongText | None = None
    restricted: Slug | None = None
    """The class of cases it is of that not everybody may see."""


class CalledBack(Reviewed, frozen=True, tag="review.called-back.v1"):
    """A citizen was called during a review (R18): told to the reviewers, the case itself is not changed by it."""

    answer: Literal["satisfied", "dissatisfied", "unreachable"]
    recording: Recording | None = None
    text: LongText | None = None
    restricted: Slug | None = None
    """The class of cases it is of that not everybody may see."""


ReviewOutcome = StallingChecked | CalledBack
