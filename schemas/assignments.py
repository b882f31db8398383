"""What a department's own systems are told: one of its offices has a case now; on the department's feed."""

from typing import Literal

from schemas.base import Because, CaseId, CaseType, Instant, LongText, Place, Record, Slug

AssignmentStep = Literal["registered", "transferred", "escalated", "withdrawn"]
"""`transferred`: also marked down and sent back; `escalated`: also sent up, and revived at the same office."""


class DepartmentAssigned(Record, frozen=True, tag="department.assigned.v1"):
    """For a department's own systems: one of its offices has this case now; on its department's feed, key: case id."""

    case: CaseId
    seq: int
    at: Instant
    system: str
    case_type: CaseType
    department: str
    category: str
    place: Place
    level: int
    office: str
    due_at: Instant | None
    step: AssignmentStep
    because: Because
    text: LongText | None = None
    """The complaint, at registration only."""
    restricted: Slug | None = None
    """The class of cases it is of that not everybody may see."""
    visible_to: tuple[Slug, ...] = ()
    """Roles that may see it, where it is restricted."""
