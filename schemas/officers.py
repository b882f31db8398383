"""Offices, who holds charge of them, and officers: presence, ids, conduct, action taken, and their own tickets."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from schemas.base import Because, CaseId, Count, Instant, LongText, Record, ShortText, Slug, Wake

OFFICER_ID: Final = r"(?!.*[0-9]{10})[A-Za-z0-9][A-Za-z0-9._-]{1,63}"
OfficerId = Annotated[
    str,
    Meta(
        pattern=rf"\A{OFFICER_ID}\Z",
        description="opaque id of an officer: letters, digits, . _ -; never a name, an address or a telephone number",
    ),
]
OfficeId = Annotated[
    str,
    Meta(
        pattern=r"\A[a-z0-9-]+:[a-z0-9-]+@[^\s|]{1,80}\Z",
        description="`<department>:<post>@<scope>`, as in facts of cases",
    ),
]
RecordId = Annotated[str, Meta(min_length=8, max_length=128, description="idempotency key: the same id has one effect")]
Day = Annotated[str, Meta(pattern=r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z", description="local day of the system's time zone")]
SealedPerson = Annotated[
    str,
    Meta(
        max_length=1200,
        description="base64url AES-256-GCM of name, mobile and e-mail as JSON; associated data: topic and officer id",
    ),
]
TicketId = Annotated[str, Meta(min_length=8, max_length=64, pattern=r"\A[A-Za-z0-9._-]+\Z")]
Minutes = Annotated[int, Meta(ge=1, le=1440)]

IdStatus = Literal["listed", "requested", "generated", "left"]
"""`listed`: known, no application yet; `requested`: applied for; `generated`: there is a login; `left`: gone."""
Flag = Literal["under-checks", "under-minutes", "never-logged-in", "silent"]
Result = Literal["final", "revised"]


# an office: what is told of it; key: `system|office`


class OfficeTold(Record, frozen=True):
    """Common to what is told of an office."""

    system: Slug
    office: OfficeId
    at: Instant


class ListOffice(OfficeTold, frozen=True, tag="office.list.v1"):
    """The directory has this office; where it is follows from its id."""

    name: ShortText


class TakeCharge(OfficeTold, frozen=True, tag="office.take-charge.v1"):
    """From `from_at` on this officer answers for the office; its cases keep their clocks."""

    officer: OfficerId
    from_at: Instant


class OfficeActed(OfficeTold, frozen=True, tag="office.acted.v1"):
    """Somebody acted on a case in the office's name (R19)."""

    case: CaseId
    action: Slug
    """The fact of the case it is: `viewed`, `note-added`, `disposed`, ..."""
    delegated: bool
    officer: str | None = None
    """Who, where the action says so; a delegate's action counts with the officer in charge."""


class OfficeOverdue(OfficeTold, frozen=True, tag="office.overdue.v1"):
    """From `at` on a case is past its due instant at this office: a defaulter."""

    case: CaseId


class OfficeRelieved(OfficeTold, frozen=True, tag="office.relieved.v1"):
    """At `at` the case that was overdue since `since` was disposed or went to another office; the blot stays."""

    case: CaseId
    since: Instant


class OfficeCleared(OfficeTold, frozen=True, tag="office.cleared.v1"):
    """The case was disposed in time after all: it never was overdue here, and the blot goes."""

    case: CaseId
    since: Instant


OfficeInput = ListOffice | TakeCharge | OfficeActed | OfficeOverdue | OfficeRelieved | OfficeCleared | Wake


class Charge(Struct, frozen=True):
    """Who answers for an office, from when on."""

    officer: str
    from_at: Instant


class OfficeEntry(Record, frozen=True, tag="office.entry.v1"):
    """The newest that is known of an office, on the compacted directory; key: `system|office`."""

    system: str
    office: str
    at: Instant
    listed: bool
    """False: cases went to an office that nobody loaded."""
    name: str
    district: int
    """LGD code; 0 for offices above districts."""
    department: str
    unit: str
    """Kind of place it covers: `block`, `tehsil`, `thana`, ..., `district`, `division`, `state`."""
    scope: str
    charges: tuple[Charge, ...]
    """In order of `from_at`; the present and future ones, and those of the days that may still be revised."""
    vacant_acts: Count = 0
    """Actions while nobody held charge."""
    vacant_defaulters: Count = 0
    """Cases that were overdue on a day that began with nobody in charge, counted once per day."""


# an officer: what is told of him; key: `system|officer`


class OfficerTold(Record, frozen=True):
    """Common to what is told of an officer."""

    id: RecordId
    system: Slug
    officer: OfficerId
    at: Instant


class ListOfficer(OfficerTold, frozen=True, tag="officer.list.v1"):
    """The directory has this officer; the person is under seal and stays in this record."""

    office: OfficeId
    designation: ShortText
    status: IdStatus = "listed"
    person: SealedPerson | None = None


class RequestId(OfficerTold, frozen=True, tag="officer.request-id.v1"):
    """The application for a login was sent."""


class GenerateId(OfficerTold, frozen=True, tag="officer.generate-id.v1"):
    """The login exists from now on."""


class Login(OfficerTold, frozen=True, tag="officer.login.v1"):
    """The officer logged in: one check of his list."""


class PortalTime(OfficerTold, frozen=True, tag="officer.portal-time.v1"):
    """Minutes on the portal since it last told of him; they count for the day of `at`."""

    minutes: Minutes


class TakeStep(OfficerTold, frozen=True, tag="officer.take-step.v1"):
    """A superior takes a step of the action ladder, for these cases (R22)."""

    step: Slug
    cases: Annotated[tuple[CaseId, ...], Meta(min_length=1, max_length=200)]
    reference: ShortText | None = None
    """Number of the letter."""


class TellConduct(OfficerTold, frozen=True, tag="officer.tell-conduct.v1"):
    """Written by the offices stage: one local day of an officer at one office, whole; a later one takes its place."""

    office: OfficeId
    day: Day
    result: Result
    personal: Count = 0
    delegated: Count = 0
    defaulters: Count = 0
    """Cases overdue on that day for which he answers."""
    cases: tuple[CaseId, ...] = ()
    """The longest overdue of them."""


class Ticketed(OfficerTold, frozen=True):
    """Common to what is told of a ticket at the officers' support desk (R24)."""

    ticket: TicketId


class OpenTicket(Ticketed, frozen=True, tag="ticket.open.v1"):
    category: Slug
    text: LongText


class AnswerTicket(Ticketed, frozen=True, tag="ticket.answer.v1"):
    text: LongText


class CloseTicket(Ticketed, frozen=True, tag="ticket.close.v1"):
    """The officer says that his problem is solved."""


class ReopenTicket(Ticketed, frozen=True, tag="ticket.reopen.v1"):
    """The officer says that it is not."""

    text: LongText


OfficerCommand = (
    ListOfficer | RequestId | GenerateId | Login | PortalTime | TakeStep | TellConduct
    | OpenTicket | AnswerTicket | CloseTicket | ReopenTicket
)  # fmt: skip
OfficerInput = OfficerCommand | Wake


# facts; key: `system|officer`


class OfficerEvent(Record, frozen=True):
    """Common to all facts of an officer: enough of it for a reader that keeps no state."""

    system: str
    officer: str
    seq: Annotated[
        int, Meta(ge=0, description="1, 2, 3 ... in the officer's own order; a rejection repeats the last one")
    ]
    at: Instant
    district: int
    department: str
    office: str
    because: Because


class OfficerListed(OfficerEvent, frozen=True, tag="officer.listed.v1"):
    """New in the directory, or what it says of him has changed."""

    designation: str
    unit: str
    scope: str
    left: bool = False


class IdRequested(OfficerEvent, frozen=True, tag="officer.id-requested.v1"):
    pass


class IdGenerated(OfficerEvent, frozen=True, tag="officer.id-generated.v1"):
    pass


class FirstLogin(OfficerEvent, frozen=True, tag="officer.first-login.v1"):
    pass


class PresenceDay(OfficerEvent, frozen=True, tag="officer.presence-day.v1"):
    """One local day of an officer who has a login (R10): `final` once; a `revised` one takes its place."""

    day: Day
    result: Result
    logins: Count
    minutes: Count
    flags: tuple[Flag, ...]
    """Why he stands in the day's list; empty: he does not."""
    last_login_at: Instant | None
    """The last one up to the end of the day."""


class ConductDay(OfficerEvent, frozen=True, tag="officer.conduct-day.v1"):
    """One local day of an officer at one office (R14, R19): `office` is that office; a later one takes its place."""

    day: Day
    result: Result
    personal: Count
    delegated: Count
    defaulters: Count
    cases: tuple[CaseId, ...]


class StepProposed(OfficerEvent, frozen=True, tag="officer.step-proposed.v1"):
    """A preset of the profile is met: this step of the ladder is due, for these cases. People decide."""

    preset: Slug
    step: Slug
    days: tuple[Day, ...]
    cases: tuple[CaseId, ...]


class ProposalWithdrawn(OfficerEvent, frozen=True, tag="officer.proposal-withdrawn.v1"):
    """A day it rested on is no defaulter's day any more."""

    preset: Slug
    step: Slug
    days: tuple[Day, ...]


class StepTaken(OfficerEvent, frozen=True, tag="officer.step-taken.v1"):
    step: Slug
    cases: tuple[CaseId, ...]
    reference: str | None = None


class TicketEvent(OfficerEvent, frozen=True):
    """Common to the facts of a ticket."""

    ticket: str
    category: str


class TicketOpened(TicketEvent, frozen=True, tag="ticket.opened.v1"):
    text: LongText
    due_at: Instant


class TicketOverdue(TicketEvent, frozen=True, tag="ticket.overdue.v1"):
    """The desk has not answered by its due instant."""


class TicketAnswered(TicketEvent, frozen=True, tag="ticket.answered.v1"):
    text: LongText
    close_at: Instant
    """When it closes if the officer says nothing."""


class TicketReopened(TicketEvent, frozen=True, tag="ticket.reopened.v1"):
    text: LongText
    due_at: Instant


class TicketClosed(TicketEvent, frozen=True, tag="ticket.closed.v1"):
    confirmed: bool
    """False: the officer said nothing; never counted as solved to his satisfaction."""


class OfficerCommandRejected(OfficerEvent, frozen=True, tag="officer.command-rejected.v1"):
    """Nothing changed, and this is why."""

    command: str
    command_id: str
    reason: Slug


OfficerFact = (
    OfficerListed | IdRequested | IdGenerated | FirstLogin | PresenceDay | ConductDay | StepProposed | ProposalWithdrawn
    | StepTaken | TicketOpened | TicketOverdue | TicketAnswered | TicketReopened | TicketClosed | OfficerCommandRejected
)  # fmt: skip
