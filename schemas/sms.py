"""An SMS from its request to its receipt; key: the SMS id, which is also the gateway's idempotency key."""

from typing import Annotated, Literal

from msgspec import Meta

from schemas.base import CaseId, Count, Instant, Language, Record, Slug, Token, Wake
from schemas.intake import Sealed

SmsId = Annotated[str, Meta(max_length=64, description="case id, sequence number of the fact it tells, audience")]
Audience = Literal["citizen", "officer"]
Refusal = Literal["accepted", "refused", "unavailable", "unknown"]


class SmsRequested(Record, frozen=True, tag="sms.requested.v1"):
    """Tell one audience of one step of one case; the text is filled and fits its template."""

    id: SmsId
    case: CaseId
    system: Slug
    at: Instant
    audience: Audience
    step: Slug
    language: Language
    template: str
    """DLT template id of the operator; a placeholder until the operator's is set."""
    text: Annotated[str, Meta(min_length=1, max_length=700)]
    segments: Count
    office: str | None = None
    citizen: Token | None = None
    contact: Sealed | None = None
    entity: str = ""
    """DLT principal entity id of the operator; a placeholder until the operator's is set."""
    header: str = ""
    """Registered sender name; the sender's own setting where it is empty."""


class SmsHandover(Record, frozen=True, tag="sms.handover.v1"):
    """The sender shall hand this to the gateway now, with the SMS id as idempotency key."""

    request: SmsRequested
    attempt: Count
    at: Instant


class SmsOutcome(Record, frozen=True, tag="sms.outcome.v1"):
    """What the gateway answered to a handover: `unknown` is a time-out after which it may or may not have accepted."""

    id: SmsId
    attempt: Count
    at: Instant
    outcome: Refusal
    code: Annotated[str, Meta(max_length=64)] = ""
    ref: Annotated[str, Meta(max_length=64)] = ""
    """The gateway's own id of the message, by which its delivery report names it; empty where it gave none."""


class SmsReceipt(Record, frozen=True, tag="sms.receipt.v1"):
    """The gateway's delivery report."""

    id: SmsId
    at: Instant
    delivered: bool
    code: Annotated[str, Meta(max_length=64)] = ""


class SmsClaim(Record, frozen=True, tag="sms.claim.v1"):
    """Asks when this citizen may be texted once more: the system caps what one number gets on a day."""

    id: SmsId
    citizen: Token
    system: Slug
    at: Instant
    """When it would be handed over."""


class SmsTurn(Record, frozen=True, tag="sms.turn.v1"):
    """The answer to a claim: from when on it may be handed over; None: on none of the days that were looked at."""

    id: SmsId
    at: Instant
    """The claim's own instant."""
    from_at: Instant | None


SmsInput = SmsRequested | SmsOutcome | SmsReceipt | SmsTurn | Wake
TurnInput = SmsClaim | Wake


class OfSms(Record, frozen=True):
    """What every fact of an SMS begins with."""

    id: SmsId
    case: CaseId
    system: str
    at: Instant
    audience: Audience
    step: str


class SmsDelivery(OfSms, frozen=True, tag="sms.delivery.v1"):
    """A fact in the life of an SMS."""

    state: Literal["handed-over", "accepted", "delivered", "failed", "unknown", "repeated"]
    attempt: Count
    cause: str
    code: str = ""


class SmsDeferred(OfSms, frozen=True, tag="sms.deferred.v1"):
    """An SMS that waits, and why: citizens are not texted in quiet hours, nor more often on a day than its cap."""

    until: Instant
    reason: Literal["quiet-hours", "day-cap"]
    cause: str


SmsFact = SmsDelivery | SmsDeferred
