"""Who asked to see a case of a restricted class, and what was answered: a record for each; key: case id."""

from typing import Annotated, Literal

from msgspec import Meta

from schemas.base import CaseId, Instant, Record, Slug

Subject = Annotated[
    str,
    Meta(
        pattern=r"\A[0-9a-f]{32}\Z",
        description="keyed hash that stands for a reader; the same reader has the same; never a name, id or number",
    ),
]
AccessId = Annotated[str, Meta(pattern=r"\Aacc-[0-9a-f]{32}\Z", description="new for every answer")]


class AccessRead(Record, frozen=True, tag="access.read.v1"):
    """A case of a restricted class was asked for; durable before the answer is given."""

    id: AccessId
    case: CaseId
    at: Instant
    system: Slug
    restricted: Slug
    """The class of cases it is of that not everybody may see."""
    role: Slug
    """The role the reader's token gives."""
    subject: Subject
    way: Slug
    """Where it was asked for: `case`, `escalations`, `district-board`, `feedback-calls`."""
    answer: Literal["shown", "status-only", "refused"]
    """`status-only`: how it stands and since when, which whoever has the number is told."""
