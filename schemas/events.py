"""Facts of a case: what was decided, in the case's own order; key: the case id."""

from typing import Annotated, Literal

from msgspec import Meta

from schemas.base import (
    Actor,
    Attachments,
    Because,
    CaseId,
    CaseType,
    Channel,
    ClosingOutcome,
    Count,
    DisposalKind,
    DissatisfactionReason,
    EscalationCause,
    External,
    Grade,
    Instant,
    Language,
    Level,
    LongText,
    PendencyReason,
    Place,
    Record,
    Recording,
    Slug,
    Token,
)
from schemas.intake import Sealed, SpokenLanguage


class CaseEvent(Record, frozen=True):
    """Common to all facts of a case: enough of it for a reader that keeps no state."""

    case: CaseId
    seq: Annotated[int, Meta(ge=0, description="1, 2, 3 ... in the case's own order; a rejection repeats the last one")]
    at: Instant
    system: str
    case_type: CaseType
    district: int
    department: str
    level: int
    """The level that owns the case after this fact; 0 where no office has to act."""
    office: str
    """The office that owns the case after this fact."""
    because: Because
    channel: Channel | None
    """Through which the complaint came (R02); None of a case that was never registered."""


class CaseRegistered(CaseEvent, frozen=True, tag="case.registered.v1"):
    category: Slug
    place: Place
    citizen: Token
    language: Language
    source: Slug | None = None
    """The intake source it came through, where the system knows several."""
    spoken_language: SpokenLanguage | None = None
    restricted: Slug | None = None
    """The class of cases it is of that not everybody may see."""
    visible_to: tuple[Slug, ...] = ()
    """Roles that may see it, where it is restricted."""
    external: External | None = None
    """The number that the register it was transferred from knows it by."""
    attachments: Attachments = ()


class DuplicateLinked(CaseEvent, frozen=True, tag="case.duplicate-linked.v1"):
    """`channel` is that of the duplicate."""

    duplicate: CaseId


class CaseRouted(CaseEvent, frozen=True, tag="case.routed.v1"):
    """The office that owns it now, and until when (None: no clock runs for this type)."""

    due_at: Instant | None
    fallback: bool = False
    """No rule named an office: the profile's fallback owner has it, and that is counted."""


class CaseViewed(CaseEvent, frozen=True, tag="case.viewed.v1"):
    by: Actor


class NoteAdded(CaseEvent, frozen=True, tag="case.note-added.v1"):
    by: Actor
    text: LongText


class PendencyReasonGiven(CaseEvent, frozen=True, tag="case.pendency-reason-given.v1"):
    by: Actor
    reason: PendencyReason
    text: LongText | None = None


class CaseTransferred(CaseEvent, frozen=True, tag="case.transferred.v1"):
    """Same level, other office; `due_at` did not move."""

    by: Actor
    from_office: str
    from_department: str
    from_district: int
    category: Slug
    place: Place
    due_at: Instant | None
    restricted: Slug | None = None
    """The class it is of now."""
    visible_to: tuple[Slug, ...] = ()


class CaseDisposed(CaseEvent, frozen=True, tag="case.disposed.v1"):
    by: Actor
    remarks: LongText
    talked_to_complainant: bool
    site_visit: bool
    age_ms: Count
    """Since registration."""
    call_at: Instant | None
    """When the first feedback call falls due."""
    timed: bool = True
    """False where no clock ran: not in the SLA tables."""
    kind: DisposalKind = "full"
    relief: bool | None = None
    approved_by: Actor | None = None
    """The senior office that approved the report, where one had to."""


class FeedbackCallDue(CaseEvent, frozen=True, tag="case.feedback-call-due.v1"):
    attempt: Count
    contact: Sealed | None = None
    """Whom to call, sealed as it was submitted."""


class FeedbackAttempted(CaseEvent, frozen=True, tag="case.feedback-attempted.v1"):
    """A call that brought no answer: nobody reached, or no outcome reported before the next one fell due."""

    attempt: Count
    outcome: Literal["unreachable", "no-outcome"]


class CitizenSatisfied(CaseEvent, frozen=True, tag="case.satisfied.v1"):
    recording: Recording | None = None


class CitizenDissatisfied(CaseEvent, frozen=True, tag="case.dissatisfied.v1"):
    """A line of the dissatisfaction register (R08)."""

    reason: DissatisfactionReason
    recording: Recording
    disposed_level: Level
    text: LongText | None = None


class CaseEscalated(CaseEvent, frozen=True, tag="case.escalated.v1"):
    """Up a level (at the last level: again to the same, `to_level == from_level`)."""

    cause: EscalationCause
    from_level: Level
    to_level: Level
    from_office: str
    to_office: str
    age_ms: Count
    due_at: Instant | None
    reason: DissatisfactionReason | None = None
    recording: Recording | None = None
    breach: bool = False
    """Reaching this level by time-out is a breach of orders."""


class EscalationWithdrawn(CaseEvent, frozen=True, tag="case.escalation-withdrawn.v1"):
    """A disposal made before the due instant reached us after it: the profile says the time-out is taken back."""

    from_level: Level
    to_level: Level
    due_at: Instant
    breach: bool = False
    """The time-out that is taken back was counted as a breach."""


class DefaulterWarned(CaseEvent, frozen=True, tag="case.defaulter-warned.v1"):
    due_at: Instant


class BecameDefaulter(CaseEvent, frozen=True, tag="case.became-defaulter.v1"):
    """`level` and `office` are those that let the due instant pass."""

    due_at: Instant


class CaseClosed(CaseEvent, frozen=True, tag="case.closed.v1"):
    outcome: ClosingOutcome
    age_ms: Count
    flagged: bool = False
    """The last level's attempts are used up and the citizen is still not satisfied: for the review sample."""


class CaseReopened(CaseEvent, frozen=True, tag="case.reopened.v1"):
    reason: DissatisfactionReason
    recording: Recording


class CaseMarked(CaseEvent, frozen=True, tag="case.marked.v1"):
    """Marked down to an office below, which is to work on it; `due_at` did not move."""

    by: Actor
    from_level: Level
    to_level: Level
    from_office: str
    to_office: str
    place: Place
    due_at: Instant | None
    text: LongText | None = None


class CaseRevived(CaseEvent, frozen=True, tag="case.revived.v1"):
    """Not satisfied: the same office works on it again, with its full time."""

    reason: DissatisfactionReason
    recording: Recording
    times: Count
    """How often so far, this one included."""
    due_at: Instant | None


class CloseProposed(CaseEvent, frozen=True, tag="case.close-proposed.v1"):
    """A report or a special close waits for the decision of a senior office; the clock runs on."""

    by: Actor
    kind: Literal["full", "partial", "special"]
    decider_level: Level
    decider_office: str
    text: LongText
    reason: Slug | None = None
    """Of the profile's list, for a special close."""
    talked_to_complainant: bool = False
    site_visit: bool = False
    relief: bool | None = None


class CloseReturned(CaseEvent, frozen=True, tag="case.close-returned.v1"):
    """The senior office did not approve: the office works on."""

    by: Actor
    kind: Literal["full", "partial", "special"]
    text: LongText | None = None


class SpecialClosed(CaseEvent, frozen=True, tag="case.special-closed.v1"):
    """Closed as a matter that cannot be settled as asked; no feedback is taken, and it is counted apart."""

    by: Actor
    """Who decided."""
    proposed_by: Actor
    reason: Slug
    age_ms: Count


class CitizenTold(CaseEvent, frozen=True, tag="case.citizen-told.v1"):
    by: Actor
    text: LongText
    recording: Recording | None = None


class ForceClosed(CaseEvent, frozen=True, tag="case.force-closed.v1"):
    """Closed without a settlement; never counted as disposed or satisfied."""

    by: Actor
    reason: Slug
    text: LongText
    told_at: Instant | None
    """When the complainant was told."""
    age_ms: Count
    was_disposed: bool = False
    """A disposal waited for the citizen's word: no office's clock ran."""
    timed: bool = True
    """False where no clock ever ran: not in the SLA tables."""


class CaseSentUp(CaseEvent, frozen=True, tag="case.sent-up.v1"):
    """Up a level by an officer's hand, on a listed condition."""

    by: Actor
    condition: Slug
    text: LongText
    from_level: Level
    to_level: Level
    from_office: str
    to_office: str
    age_ms: Count
    due_at: Instant | None


class CaseSentBack(CaseEvent, frozen=True, tag="case.sent-back.v1"):
    """Back to the level below, with that level's full time."""

    by: Actor
    text: LongText
    from_level: Level
    to_level: Level
    from_office: str
    to_office: str
    due_at: Instant | None


class DisposalGraded(CaseEvent, frozen=True, tag="case.graded.v1"):
    by: Actor
    grade: Grade
    disposed_level: Level
    """The level whose disposal it is about."""
    text: LongText | None = None
    given: Grade | None = None
    """What the senior gave, where missing evidence lowered it."""


class CaseRedated(CaseEvent, frozen=True, tag="case.redated.v1"):
    """A change of the profile that holds for running clocks too has moved the due instant."""

    from_due_at: Instant
    due_at: Instant


class CommandRejected(CaseEvent, frozen=True, tag="case.command-rejected.v1"):
    """A command that the case cannot take: nothing changed, and this is why."""

    command: str
    command_id: str
    reason: Slug


Event = (
    CaseRegistered | DuplicateLinked | CaseRouted | CaseViewed | NoteAdded | PendencyReasonGiven | CaseTransferred
    | CaseDisposed | FeedbackCallDue | FeedbackAttempted | CitizenSatisfied | CitizenDissatisfied | CaseEscalated
    | EscalationWithdrawn | DefaulterWarned | BecameDefaulter | CaseClosed | CaseReopened | CommandRejected
    | CaseMarked | CaseRevived | CloseProposed | CloseReturned | SpecialClosed | CitizenTold | ForceClosed | CaseSentUp
    | CaseSentBack | DisposalGraded | CaseRedated
)  # fmt: skip


class EscalationRaised(Record, frozen=True, tag="escalation.raised.v1"):
    """For services downstream: a case has gone up (R07: on dissatisfaction with reason and recording); key: case id."""

    case: CaseId
    seq: int
    at: Instant
    system: str
    case_type: CaseType
    district: int
    department: str
    category: str
    cause: EscalationCause
    from_level: Level
    to_level: Level
    from_office: str
    to_office: str
    age_ms: Count
    due_at: Instant | None
    because: Because
    reason: DissatisfactionReason | None = None
    recording: Recording | None = None
    channel: Channel | None = None
    """Through which the complaint came."""
    restricted: Slug | None = None
    """The class of cases it is of that not everybody may see."""
    visible_to: tuple[Slug, ...] = ()
    """Roles that may see it, where it is restricted."""


class EscalationSentUp(Record, frozen=True, tag="escalation.sent-up.v1"):
    """For services downstream: an officer has sent a case up on a listed condition; key: case id."""

    case: CaseId
    seq: int
    at: Instant
    system: str
    case_type: CaseType
    district: int
    department: str
    category: str
    condition: Slug
    from_level: Level
    to_level: Level
    from_office: str
    to_office: str
    age_ms: Count
    due_at: Instant | None
    because: Because
    channel: Channel | None = None
    """Through which the complaint came."""
    restricted: Slug | None = None
    """The class of cases it is of that not everybody may see."""
    visible_to: tuple[Slug, ...] = ()
    """Roles that may see it, where it is restricted."""
