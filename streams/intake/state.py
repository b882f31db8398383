"""What intake remembers of one citizen: recent submissions and monthly counts, each until a stated instant."""

from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from schemas.intake import Submitted
from schemas.sla import Grain
from streams.calendar import bounds
from streams.ids import digest
from streams.profiles.profile import DAY_MS, Profile
from streams.text import fold

REMEMBER_AT_LEAST_MS: Final = DAY_MS
"""A submission id is known for a day even where no duplicates are linked: channels retry within hours (default)."""
RECENT_LIMIT: Final = 200
"""Most submissions of one citizen kept at once; beyond it the oldest go, and are not known again (default)."""


class Submission(Struct, frozen=True, array_like=True, gc=False):
    """One submission that was taken: digests to know it again by, never its text."""

    id: str
    content: str
    sameness: str
    case: str
    at: int
    until: int
    opened: bool
    """It opened the case; otherwise it was linked to another."""


class MonthCount(Struct, frozen=True, array_like=True, gc=False):
    """Cases opened in one system by submissions of one month or day (of the profile's time zone)."""

    system: str
    start_at: int
    until: int
    count: int
    grain: Grain = "month"


class Citizen(Struct, frozen=True, array_like=True, gc=False):
    """State of one citizen token."""

    recent: tuple[Submission, ...] = ()
    months: tuple[MonthCount, ...] = ()

    def at_instant(self, now: int) -> "Citizen":
        """Without what need not be remembered at `now`; the same object when nothing goes."""
        recent = tuple(each for each in self.recent if each.until > now)
        months = tuple(each for each in self.months if each.until > now)
        if len(recent) == len(self.recent) and len(months) == len(self.months):
            return self
        return Citizen(recent, months)

    def known(self, id_digest: str) -> Submission | None:
        """The submission that had this id."""
        return next((each for each in self.recent if each.id == id_digest), None)

    def original(self, sameness: str, at: int, window_ms: int) -> Submission | None:
        """The case that said the same within `window_ms` before or after `at`; the earliest opened, if several."""
        same = (
            each for each in self.recent if each.opened and each.sameness == sameness and abs(at - each.at) <= window_ms
        )
        return min(same, key=lambda each: each.at, default=None)

    def opened_in(self, system: str, start_at: int, grain: Grain = "month") -> int:
        wanted = (system, start_at, grain)
        return next((each.count for each in self.months if (each.system, each.start_at, each.grain) == wanted), 0)

    def remember(self, submission: Submission) -> "Citizen":
        return replace(self, recent=(*self.recent, submission)[-RECENT_LIMIT:])

    def count(self, span: MonthCount) -> "Citizen":
        """With one more case opened in this month or day."""
        key = (span.system, span.start_at, span.grain)
        others = tuple(each for each in self.months if (each.system, each.start_at, each.grain) != key)
        return replace(self, months=(*others, replace(span, count=self.opened_in(*key) + 1)))

    def forget_at(self) -> int | None:
        """When the last of it need not be remembered any more: one wake per quiet citizen, not one per submission."""
        untils = [*(each.until for each in self.recent), *(each.until for each in self.months)]
        return max(untils, default=None)


class Digests(NamedTuple):
    """What a submission is known again by; each is made once, for the text of one may be long."""

    id: str
    content: str
    sameness: str


def digests_of(submitted: Submitted) -> Digests:
    return Digests(id_digest(submitted), content_digest(submitted), sameness_digest(submitted))


def id_digest(submitted: Submitted) -> str:
    return digest(submitted.system, submitted.id)


def content_digest(submitted: Submitted) -> str:
    """What is the same where the id is: all but the instants, the trace, and the seal (never twice the same)."""
    return digest(
        submitted.case,
        submitted.case_type,
        submitted.channel,
        submitted.category,
        *_place_parts(submitted),
        submitted.text,
        submitted.language,
        str(submitted.against_level),
        *((submitted.source,) if submitted.source is not None else ()),
        *((submitted.external,) if submitted.external is not None else ()),
        *(f"{each.store} {each.ref}" for each in submitted.attachments),
    )


def _place_parts(submitted: Submitted) -> tuple[str, str]:
    return str(submitted.place.district), str(sorted(submitted.place.units.items()))


def sameness_digest(submitted: Submitted) -> str:
    """What two submissions of one citizen share when they say the same: system, category, place and folded text."""
    return digest(submitted.system, submitted.category, *_place_parts(submitted), fold(submitted.text))


def remembered(digests: Digests, submitted: Submitted, profile: Profile, *, opened: bool) -> Submission:
    """The submission as it is kept: from when it reached us, for the window in which it may come again."""
    until = submitted.received_at + max(profile.intake.dedupe_ms, REMEMBER_AT_LEAST_MS)
    return Submission(*digests, submitted.case, submitted.at, until, opened)


def span_of(submitted: Submitted, profile: Profile, grain: Grain) -> MonthCount:
    """The month or day its event time lies in; kept until nothing of that span can arrive any more."""
    start_at, end_at = bounds(grain, submitted.at, profile.zone)
    return MonthCount(submitted.system, start_at, end_at + profile.intake.lateness_ms, 0, grain)
