"""Commands of a case: what somebody asks the case machine to do; key: the case id."""

from typing import Annotated

from msgspec import Meta

from schemas.base import (
    Actor,
    Attachments,
    CaseId,
    CaseType,
    Channel,
    DisposalKind,
    DissatisfactionReason,
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
    Wake,
)
from schemas.intake import Sealed, SpokenLanguage

CommandId = Annotated[
    str, Meta(min_length=8, max_length=128, description="idempotency key: the same id has one effect")
]


class Command(Record, frozen=True):
    """Common to all commands: whose case, when it happened (UTC ms), and the id that makes a repeat harmless."""

    id: CommandId
    case: CaseId
    at: Instant


class Register(Command, frozen=True, tag="case.register.v1"):
    """Written by intake only: open a case."""

    system: Slug
    case_type: CaseType
    channel: Channel
    category: Slug
    place: Place
    citizen: Token
    text: LongText
    language: Language = "hi"
    contact: Sealed | None = None
    against_level: int | None = None
    source: Slug | None = None
    """The intake source it came through, where the system knows several."""
    spoken_language: SpokenLanguage | None = None
    external: External | None = None
    """The number that the register it was transferred from knows it by."""
    attachments: Attachments = ()


class LinkDuplicate(Command, frozen=True, tag="case.link-duplicate.v1"):
    """Written by intake only: the same citizen said the same again; `duplicate` is the id that submission was given."""

    duplicate: CaseId
    channel: Channel


class Officered(Command, frozen=True):
    """A command of an officer or of the call centre."""

    by: Actor


class View(Officered, frozen=True, tag="case.view.v1"):
    """The officer opened the case."""


class AddNote(Officered, frozen=True, tag="case.add-note.v1"):
    """An action note."""

    text: LongText


class GivePendencyReason(Officered, frozen=True, tag="case.give-pendency-reason.v1"):
    """Why the case is still pending at this level."""

    reason: PendencyReason
    text: LongText | None = None


class Transfer(Officered, frozen=True, tag="case.transfer.v1"):
    """Hand the case to another department or place at the same level; the clock runs on."""

    category: Slug | None = None
    place: Place | None = None


class Dispose(Officered, frozen=True, tag="case.dispose.v1"):
    """The office reports the matter settled."""

    remarks: LongText
    talked_to_complainant: bool = False
    site_visit: bool = False
    kind: DisposalKind = "full"
    """`partial`, where the system counts what is settled in part apart."""
    relief: bool | None = None
    """Whether the citizen got relief, where the system asks."""


class CallUnreachable(Officered, frozen=True, tag="case.call-unreachable.v1"):
    """A feedback call reached nobody."""


class ConfirmSatisfied(Officered, frozen=True, tag="case.confirm-satisfied.v1"):
    """On the feedback call the citizen said: satisfied."""

    recording: Recording | None = None


class ReportDissatisfied(Officered, frozen=True, tag="case.report-dissatisfied.v1"):
    """On the feedback call the citizen said: not satisfied. Without reason and recording it is not valid (R07)."""

    reason: DissatisfactionReason
    recording: Recording
    text: LongText | None = None


class Reopen(Officered, frozen=True, tag="case.reopen.v1"):
    """A citizen comes back after closing, within the profile's days; reason and recording as for dissatisfaction."""

    reason: DissatisfactionReason
    recording: Recording
    text: LongText | None = None


class MarkDown(Officered, frozen=True, tag="case.mark.v1"):
    """The office that has the case marks it down to one below it, which is to work on it; the clock runs on."""

    to_level: Level
    place: Place | None = None
    """Where it lies more closely, in the same district, where the submission did not say."""
    text: LongText | None = None


class ProposeClose(Officered, frozen=True, tag="case.propose-close.v1"):
    """The matter cannot be settled as asked, for a listed reason: a senior office is asked to close it so."""

    reason: Slug
    text: LongText


class DecideClose(Officered, frozen=True, tag="case.decide-close.v1"):
    """A senior office approves what was reported or proposed, or returns it to be worked on."""

    approve: bool
    text: LongText | None = None


class TellCitizen(Officered, frozen=True, tag="case.tell-citizen.v1"):
    """The complainant was told how the matter stands, before anything is closed without a settlement."""

    text: LongText
    recording: Recording | None = None


class ForceClose(Officered, frozen=True, tag="case.force-close.v1"):
    """Close without a settlement, where the system allows it."""

    reason: Slug
    text: LongText


class SendUp(Officered, frozen=True, tag="case.send-up.v1"):
    """An officer sends the case to the next level on a listed condition."""

    condition: Slug
    text: LongText


class SendBack(Officered, frozen=True, tag="case.send-back.v1"):
    """An office sends the case back to the level below."""

    text: LongText


class GradeDisposal(Officered, frozen=True, tag="case.grade.v1"):
    """A senior office grades the quality of a disposal."""

    grade: Grade
    text: LongText | None = None


Action = (
    View
    | AddNote
    | GivePendencyReason
    | Transfer
    | Dispose
    | CallUnreachable
    | ConfirmSatisfied
    | ReportDissatisfied
    | Reopen
    | MarkDown
    | ProposeClose
    | DecideClose
    | TellCitizen
    | ForceClose
    | SendUp
    | SendBack
    | GradeDisposal
)
CaseCommand = Register | LinkDuplicate | Action | Wake
