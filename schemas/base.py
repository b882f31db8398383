"""The vocabulary all records share: instants, ids, places, actors, and the shape of a record."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Instant = Annotated[int, Meta(ge=0, le=253_402_300_799_999, description="milliseconds since 1970-01-01T00:00:00Z")]
CaseId = Annotated[str, Meta(pattern=r"\A[0-9]{18}\Z", description="system code, 15 digits, Damm check digit")]
Token = Annotated[
    str,
    Meta(pattern=r"\Act_[0-9a-f]{32}\Z", description="keyed hash that stands for a citizen; never a number or a name"),
]
Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Slug = Annotated[
    str, Meta(pattern=r"\A[a-z0-9]+(-[a-z0-9]+)*\Z", max_length=64, description="lower-case words joined by dashes")
]
Code = Annotated[str, Meta(min_length=1, max_length=64, description="a code of another register, kept as text")]
External = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Z]{2,8}(/[A-Z]{1,2})?/20[0-9]{2}/[0-9]{1,7}\Z",
        description="another register's own number, such as PMOPG/E/2026/0001234: office code, kind, year, serial",
    ),
]
"""So narrow that neither a telephone number nor a person's name alone fits it: it is shown, and goes into URLs."""
ShortText = Annotated[str, Meta(min_length=1, max_length=256)]
LongText = Annotated[
    str,
    Meta(
        min_length=1, max_length=8000, description="NFC; digit runs that could be a phone or Aadhaar number are masked"
    ),
]
Level = Annotated[int, Meta(ge=1, le=9, description="escalation level, 1 is the lowest office")]
Count = Annotated[int, Meta(ge=0)]

MOST_ATTACHMENTS = 10
"""Of one submission; a default of ours."""

CaseType = Literal["complaint", "information", "demand", "suggestion"]
Channel = Literal["call", "portal", "app", "whatsapp", "sms", "counter", "camp", "email", "transfer"]
Language = Literal["hi", "en"]
Role = Literal["citizen", "call-centre", "officer", "delegate", "system"]
EscalationCause = Literal["time-out", "dissatisfaction"]
ClosingOutcome = Literal["satisfied", "satisfaction-unknown", "dissatisfied", "recorded"]
DissatisfactionReason = Literal[
    "not-done", "partly-done", "wrong-report", "not-contacted", "bribe-asked", "poor-quality", "wrong-office", "other"
]
DisposalKind = Literal["full", "partial"]
Grade = Literal["A", "B", "C"]
PendencyReason = Literal[
    "under-inquiry", "awaiting-site-visit", "awaiting-funds", "awaiting-other-department", "court-stay",
    "complainant-not-available", "policy-matter", "other",
]  # fmt: skip


# gc=False here and in the states of stages: what is frozen holds nothing that could lead back to it, and a stream makes
# so many of these that looking for cycles among them costs more than making them
class Record(Struct, frozen=True, omit_defaults=True, tag_field="type", gc=False):
    """A value on a topic: UTF-8 JSON whose `type` names it and its version."""


class Place(Struct, frozen=True, omit_defaults=True, gc=False):
    """Where it happened: LGD district code, and codes of smaller units by kind (`block`, `tehsil`, `thana`, ...)."""

    district: Annotated[int, Meta(ge=0, description="Local Government Directory code of the district")]
    units: dict[Slug, Code] = {}


class Actor(Struct, frozen=True, omit_defaults=True, gc=False):
    """Who acted: role, and where it is an officer or a delegate, the office and an opaque officer id."""

    role: Role
    office: Annotated[str, Meta(max_length=160)] | None = None
    officer: Annotated[str, Meta(max_length=64)] | None = None


class Recording(Struct, frozen=True, gc=False):
    """A call recording by reference: never the audio, never a public address."""

    store: Slug
    ref: Annotated[str, Meta(min_length=1, max_length=200)]
    sha256: Sha256
    started_at: Instant
    duration_ms: Count


class Attachment(Struct, frozen=True, omit_defaults=True, gc=False):
    """A picture, voice message or paper by reference: never the file, never a public address.

    `store` is the keeper that the operator knows, `ref` its own name of the file there, such as a media id.
    """

    store: Slug
    ref: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\A[!-~]+\Z")]
    media_type: Annotated[
        str, Meta(pattern=r"\A[a-z]+/[a-z0-9][a-z0-9.+-]{0,79}\Z", description="IANA media type without parameters")
    ]
    sha256: Sha256 | None = None
    """Of the file, where the keeper tells it."""


Attachments = Annotated[tuple[Attachment, ...], Meta(max_length=MOST_ATTACHMENTS)]


class Because(Struct, frozen=True, gc=False):
    """Why a fact holds: the rule that decided it, the policy version in force, the record that caused it."""

    rule: Slug
    policy: str
    cause: str
    """`topic/partition/offset` of the causing record."""


class Wake(Record, frozen=True, tag="wake.v1"):
    """Time, as a record: the state of `key` asked to be woken at `due_at`; it was `now_at` when the clock wrote it.

    On the clock topic: time has moved to `now_at`; what fell due until `due_at` has been dealt with.
    """

    key: str
    due_at: Instant
    now_at: Instant
