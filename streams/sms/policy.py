"""When an SMS may be handed over, how long to wait before it is tried again, and when it is forgotten."""

import zlib
from typing import Final

from schemas.sms import Audience
from streams.calendar import outside
from streams.profiles.profile import Profile, SmsRule

_SPREAD: Final = 1024


def allowed_at(profile: Profile, audience: Audience, at: int) -> int:
    """The earliest instant from `at` on (UTC ms) at which this audience may be texted: citizens not in quiet hours."""
    hours = profile.sms.quiet_hours
    return at if hours is None or audience == "officer" else outside(hours, at, profile.zone)


def backoff_ms(rule: SmsRule, id: str, attempt: int) -> int:  # noqa: A002 - the record's own field name
    """Wait after the `attempt`-th handover found no gateway: doubling, capped, the upper half spread by the id.

    The spread is derived, not drawn: messages that failed together do not return together, and a replay waits the same.
    """
    most: int = min(rule.backoff_ms * 2 ** (attempt - 1), rule.backoff_max_ms)
    spread = zlib.crc32(f"{id}/{attempt}".encode()) % _SPREAD
    return most // 2 + most * spread // (2 * _SPREAD)
