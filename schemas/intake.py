"""What a citizen submits, and what intake says when it does not become a case of its own."""

from typing import Annotated

from msgspec import Meta

from schemas.base import (
    Attachments,
    CaseId,
    CaseType,
    Channel,
    External,
    Instant,
    Language,
    LongText,
    Place,
    Record,
    Slug,
    Token,
    Wake,
)

Sealed = Annotated[
    str, Meta(max_length=400, description="base64url AES-256-GCM; associated data: sealing topic and case id")
]

SpokenLanguage = Annotated[str, Meta(pattern=r"\A[a-z]{2,3}\Z", description="ISO 639 code of a spoken language")]


class Submitted(Record, frozen=True, tag="intake.submitted.v1"):
    """A complaint, piece of information, demand or suggestion as it reached us; key: the citizen's token."""

    id: Annotated[
        str, Meta(min_length=8, max_length=128, description="the channel's own id of this submission, or derived")
    ]
    case: CaseId
    system: Slug
    at: Instant
    """When it happened, clamped by the gateway to [received - allowed lateness, received]."""
    received_at: Instant
    case_type: CaseType
    channel: Channel
    category: Slug
    place: Place
    citizen: Token
    text: LongText
    language: Language = "hi"
    contact: Sealed | None = None
    against_level: Annotated[int, Meta(ge=1, le=9)] | None = None
    """The complaint is against the officer of this level: it starts above."""
    traceparent: str | None = None
    source: Slug | None = None
    """The office or gathering it came through, where the system knows several (`intake_sources` of its profile)."""
    spoken_language: SpokenLanguage | None = None
    """What was spoken, apart from the language the text is written in."""
    external: External | None = None
    """The number that the register it was transferred from knows it by."""
    attachments: Attachments = ()


class IntakeRejected(Record, frozen=True, tag="intake.rejected.v1"):
    """A submission that becomes no case, with the reason the citizen is told; key: the case id it would have had."""

    case: CaseId
    submission: str
    system: str
    at: Instant
    reason: Slug
    """`unknown-system`, `unknown-district`, `unknown-category`, `not-taken`, `monthly-cap`, `number-blocked`, ..."""
    detail: str
    """Names the field and the nearest valid values; never citizen text."""
    cause: str


class IntakeRepeated(Record, frozen=True, tag="intake.repeated.v1"):
    """The same submission id again: nothing happens a second time; key: the case id."""

    case: CaseId
    submission: str
    system: str
    at: Instant
    cause: str


IntakeInput = Submitted | Wake
IntakeOutcome = IntakeRejected | IntakeRepeated
