"""The parts a profile is made of, typed: levels, clocks, closing, feedback, intake, caps, SMS, reviews, retention."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.base import CaseType, Channel, Level, Slug

Days = Annotated[int, Meta(ge=1, le=3650)]
Millis = Annotated[int, Meta(ge=0)]
Mark = Literal["S", "I", "D"]
Day = Annotated[str, Meta(pattern=r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z", description="a local date")]
DAY_MS = 86_400_000
HOUR_MS = 3_600_000


class Source(Struct, frozen=True):
    """Where a value comes from: S stated in a public page, I inferred from one, D a default of ours to confirm."""

    mark: Mark
    source: str


class Name(Struct, frozen=True, forbid_unknown_fields=True):
    """A name in Hindi and English."""

    hi: str
    en: str


class LevelRule(Struct, frozen=True, forbid_unknown_fields=True):
    """One escalation level: its title, the days an office at it has, and how a case leaves it."""

    title: Name
    days: Days
    time_out: Literal["up", "stay"] = "up"
    """At the due instant: to the next level, or a defaulter that stays. The last level has no next one."""
    dissatisfied: Literal["up", "revive"] = "up"
    """The citizen is not satisfied: to the next level, or the same office works on it again."""
    sent_up_for: tuple[Slug, ...] = ()
    """Conditions on which an officer of this level may send a case up by hand; none: he may not."""
    sends_back: bool = False
    """An office of this level may send a case back to the level below."""
    lapse_is_breach: bool = False
    """Reaching this level by time-out is a breach of orders, counted apart."""

    @property
    def time_ms(self) -> int:
        return self.days * DAY_MS


class ClockRule(Struct, frozen=True, forbid_unknown_fields=True):
    """How days are counted and when in the last of them a case falls due."""

    days: Literal["calendar", "working"] = "calendar"
    due: Literal["same-time", "end-of-day"] = "same-time"
    """`same-time`: N x 24 h (of working days: the same local time on the Nth of them); `end-of-day`: 23:59:59.999."""
    weekly_off: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = ()


class FeedbackRule(Struct, frozen=True, forbid_unknown_fields=True):
    """Calls after disposal: how many, how far apart, and how soon the first."""

    attempts: Annotated[int, Meta(ge=0, le=20)]
    """0: nobody calls, a disposal closes the case at once as satisfaction unknown."""
    first_after_hours: Annotated[int, Meta(ge=0)]
    spacing_hours: Annotated[int, Meta(ge=1)]

    @property
    def first_after_ms(self) -> int:
        return self.first_after_hours * HOUR_MS

    @property
    def spacing_ms(self) -> int:
        return self.spacing_hours * HOUR_MS


class SpecialClose(Struct, frozen=True, forbid_unknown_fields=True):
    """A matter that cannot be settled as asked: proposed with a reason of this list, decided at a level."""

    decided_at: Level
    """An office of this level decides; above it, the office that has the case."""
    reasons: tuple[Slug, ...]


class ForceClose(Struct, frozen=True, forbid_unknown_fields=True):
    """Closing without a settlement."""

    reasons: tuple[Slug, ...]
    told_first: bool = True
    """Only after the complainant was told."""
    signed: bool = True
    """The officer is named, not the office alone."""


Evidence = Literal["site-visit", "talked-to-complainant"]


class ClosingRule(Struct, frozen=True, forbid_unknown_fields=True):
    """How cases end, beside a disposal that the citizen confirms."""

    partial: bool = False
    """A disposal may be partial, and is then counted apart."""
    relief: bool = False
    """A disposal says whether relief was given."""
    approved_at: Level | None = None
    """A disposal by an office below this level is a report, which an office of this level approves or returns."""
    graded: bool = False
    """Seniors grade disposals A, B or C."""
    evidence: tuple[Evidence, ...] = ()
    """What a disposal must tell of: each thing that is missing lowers its grade by a letter."""
    special: SpecialClose | None = None
    forced: ForceClose | Literal["forbidden"] = "forbidden"


class IntakeSource(Struct, frozen=True, forbid_unknown_fields=True):
    """An office or gathering through which cases come in."""

    name: Name
    channels: frozenset[Channel] = frozenset()
    """Submissions of these channels that name no source are taken to come from here."""
    days: tuple[Days, ...] = ()
    """Days per level for its cases; the levels' own, where it names none."""
    level: Level = 1
    """Where its cases begin, to be marked down from there."""


class NotTaken(Struct, frozen=True, forbid_unknown_fields=True):
    """A subject that is no grievance here; who submits it is told why, in his language."""

    name: Name
    answer: Name
    case_types: frozenset[CaseType] = frozenset()
    """Every submission of these types is of this subject."""


class IntakeRule(Struct, frozen=True, forbid_unknown_fields=True):
    """What intake takes: duplicates, caps, how late an event may be told."""

    dedupe_days: Annotated[int, Meta(ge=0)]
    lateness_days: Annotated[int, Meta(ge=0)]
    monthly_cap: Annotated[int, Meta(ge=1)] | None = None
    """Cases one citizen may open in a local month; more are refused."""
    daily_cap: Annotated[int, Meta(ge=1)] | None = None
    """Cases one citizen may open in a local day; then the number is blocked for the rest of it."""
    cluster_days: Annotated[int, Meta(ge=0)] = 0
    """Cases of different citizens about one place and category are suggested as a cluster within this time."""

    @property
    def dedupe_ms(self) -> int:
        return self.dedupe_days * DAY_MS

    @property
    def lateness_ms(self) -> int:
        return self.lateness_days * DAY_MS

    @property
    def cluster_ms(self) -> int:
        return self.cluster_days * DAY_MS


class WindowRule(Struct, frozen=True, forbid_unknown_fields=True):
    """Allowed lateness of the SLA windows."""

    lateness_hours: Annotated[int, Meta(ge=0)]

    @property
    def lateness_ms(self) -> int:
        return self.lateness_hours * HOUR_MS


class SmsRule(Struct, frozen=True, forbid_unknown_fields=True):
    """How an SMS is handed over and given up."""

    max_attempts: Annotated[int, Meta(ge=1)]
    backoff_ms: Millis
    backoff_max_ms: Millis
    no_outcome_ms: Millis
    resend_unknown: bool
    """The gateway honours idempotency keys, so a time-out after which it may have accepted is handed over again."""
    forget_after_days: Days
    quiet_hours: tuple[int, int] | None = None
    """Local hours [from, to) in which citizens are not texted."""
    day_cap: Annotated[int, Meta(ge=1)] | None = None
    """Most messages to one citizen's number on a local day; more wait for the next day with room. None: no cap."""
    resend_without_key: bool = False
    """Call a gateway that honours no idempotency key again after it may have taken the message: it may arrive twice."""

    @property
    def forget_after_ms(self) -> int:
        return self.forget_after_days * DAY_MS


class Dlt(Struct, frozen=True, forbid_unknown_fields=True):
    """Who sends: the principal entity and the sender name registered for it (domain.md D1); ids are digits, as text."""

    entity: Annotated[str, Meta(pattern=r"\A([0-9]{10,30}|placeholder-[a-z0-9-]+)\Z")]
    header: Annotated[str, Meta(pattern=r"\A[A-Z0-9]{3,11}(-[PSTG])?\Z")]


class Template(Struct, frozen=True, forbid_unknown_fields=True):
    """A registered SMS text with `{slot}` variables; `id` is the operator's DLT template id."""

    id: Annotated[str, Meta(pattern=r"\A([0-9]{10,30}|placeholder-[a-z0-9-]+)\Z")]
    text: str
    why_longer: str = ""
    """Why the filled text takes more than one segment; without a reason it may not."""


class Post(Struct, frozen=True, forbid_unknown_fields=True):
    """An office of a chain: the kind of place it covers and its title."""

    unit: Slug
    post: Slug
    title: Name


class Chain(Struct, frozen=True, forbid_unknown_fields=True):
    """Who owns a case at each level: posts, most local first; the first whose unit the place names is taken."""

    levels: tuple[tuple[Post, ...], ...]


class Route(Struct, frozen=True, forbid_unknown_fields=True):
    """An exception to a department's chain: what it names must all be so, and the first that fits is taken."""

    chain: Slug
    department: Slug | None = None
    category: Slug | None = None
    case_type: CaseType | None = None
    district: int | None = None


class Department(Struct, frozen=True, forbid_unknown_fields=True):
    name: Name
    chain: Slug


class Category(Struct, frozen=True, forbid_unknown_fields=True):
    name: Name
    department: Slug
    days: tuple[Days, ...] = ()
    """Days per level for cases of this category; the levels' own, where it names none."""


class Restriction(Struct, frozen=True, forbid_unknown_fields=True):
    """A class of cases that only some roles may see."""

    name: Name
    roles: tuple[Slug, ...]
    departments: frozenset[Slug] = frozenset()
    categories: frozenset[Slug] = frozenset()


class District(Struct, frozen=True, forbid_unknown_fields=True):
    """A district (LGD code is its key), the division it belongs to, and from when to when (exclusive) it exists."""

    name: Name
    division: Slug = "none"
    valid_from: Day | None = None
    valid_to: Day | None = None


class Unit(Struct, frozen=True, forbid_unknown_fields=True):
    """A smaller place of a kind (`block`, `thana`, ...) in a district, from when to when (exclusive) it exists."""

    name: str
    valid_from: Day | None = None
    valid_to: Day | None = None


class Review(Struct, frozen=True, forbid_unknown_fields=True):
    """A standing review: who holds it, how often, and over what."""

    by: Name
    every: Literal["day", "week", "fortnight", "month"]
    scope: Literal["district", "division", "department", "state"]
    day: Annotated[int, Meta(ge=1, le=31)] | None = None
    """Day of the month, where one is fixed."""


class Watch(Struct, frozen=True, forbid_unknown_fields=True):
    """What reviews ask for by name: cases open too long."""

    open_over_days: Days | None = None


class Retention(Struct, frozen=True, forbid_unknown_fields=True):
    """How long what is kept outside the log stays."""

    personal_days: Days
    recording_days: Days
