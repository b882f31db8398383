"""What is known of one SMS between its request and the day it is forgotten."""

from typing import Literal

from msgspec import Struct

from schemas.sms import Audience, SmsRequested

Phase = Literal["claiming", "waiting", "handed-over", "unknown", "given-up", "accepted", "undelivered", "delivered"]
"""`claiming`: asked for its turn under the day cap; `given-up`: failed before the gateway took it; `undelivered`: the
gateway took it and it did not arrive."""


class Sms(Struct, frozen=True, array_like=True, gc=False):
    """One message. While the gateway does not have it, `request` is kept for the next handover."""

    case: str
    system: str
    audience: Audience
    step: str
    phase: Phase
    attempt: int
    """Handovers so far; outcomes of earlier ones than the last count only when they tell of success or refusal."""
    due_at: int
    """When to wake (UTC ms): hand over, no outcome came, or forget."""
    requested_at: int
    request: SmsRequested | None
    maybe: bool = False
    """Some handover ended in a time-out or without an outcome: the gateway may have it."""
    measured: bool = False
    """`due_at` was counted from an instant the clock told, not from the event time of the request."""
