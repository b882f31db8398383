"""Which days may still be revised: those that news within intake's lateness can be about."""

from streams.calendar import bounds
from streams.profiles.profile import Profile


def first_open(cut_to: int, profile: Profile) -> int:
    """Start of the first day that may still be revised where all days until `cut_to` are told (UTC ms)."""
    oldest = cut_to - profile.intake.lateness_ms
    return bounds("day", oldest, profile.zone).start_at if oldest > 0 else 0
