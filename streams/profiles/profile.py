"""A grievance system's rules as of a date; a change is a later version of them, and running clocks keep theirs."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.base import CaseType, Channel, Language, Level, Slug
from streams.profiles.officer_rules import OfficersRule, PresenceRule, Preset
from streams.profiles.rules import (
    DAY_MS,
    HOUR_MS,
    Category,
    Chain,
    ClockRule,
    ClosingRule,
    Day,
    Department,
    District,
    Dlt,
    FeedbackRule,
    IntakeRule,
    IntakeSource,
    LevelRule,
    Mark,
    Name,
    NotTaken,
    Post,
    Restriction,
    Retention,
    Review,
    Route,
    SmsRule,
    Source,
    Template,
    Unit,
    Watch,
    WindowRule,
)

__all__ = [
    "DAY_MS",
    "HOUR_MS",
    "Chain",
    "IntakeRule",
    "Mark",
    "Name",
    "OfficersRule",
    "Post",
    "PresenceRule",
    "Preset",
    "Profile",
    "ProfileError",
    "SmsRule",
    "Source",
]


class ProfileError(ValueError):
    """A profile is not valid; the message names the file, the key and what is wrong."""


class Profile(Struct, frozen=True):
    """One version of a grievance system. Instants are UTC ms; days are N x 24 h unless `clock` says otherwise."""

    system: Slug
    code: Annotated[str, Meta(pattern=r"\A[0-9]{2}\Z")]
    """First two digits of every case id of the system."""
    version: str
    """`<system>@<valid from>`: what facts name as the policy that decided them."""
    zone: str
    name: Name
    languages: tuple[Language, ...]
    """In which citizens are written to; the first is the officers'."""
    case_types: frozenset[CaseType]
    timed_types: frozenset[CaseType]
    """Types that start a clock; the others are recorded, acknowledged and forwarded."""
    levels: tuple[LevelRule, ...]
    warn_before_hours: int
    late_disposal: Literal["withdraw", "keep"]
    """A disposal made before the due instant that reaches us after the time-out: take the time-out back, or keep it."""
    reexaminations: int
    """Dissatisfaction that goes no higher: this many times back to the same level, then closed and flagged."""
    reopen_days: int
    forget_after_days: int
    feedback: FeedbackRule
    intake: IntakeRule
    windows: WindowRule
    sms: SmsRule
    unit_kinds: tuple[Slug, ...]
    chains: dict[Slug, Chain]
    fallback: Post
    departments: dict[Slug, Department]
    categories: dict[Slug, Category]
    districts: dict[int, District]
    templates: dict[str, Template]
    """`<step>.<audience>.<language>` -> text."""
    sources: dict[str, Source]
    """Dotted key -> where the value comes from."""
    dlt: Dlt | None = None
    type_days: dict[CaseType, tuple[int, ...]] = {}
    """Days per level for a case type; the levels' own, where it is not named."""
    clock: ClockRule = ClockRule()
    holidays: dict[Day, Name] = {}
    marking: bool = False
    """An office may mark a case down to one below, which then reports; the clock runs on."""
    closing: ClosingRule = ClosingRule()
    channels: frozenset[Channel] | None = None
    """Channels it takes submissions from; None: all."""
    intake_sources: dict[Slug, IntakeSource] = {}
    not_taken: dict[Slug, NotTaken] = {}
    routes: tuple[Route, ...] = ()
    restricted: dict[Slug, Restriction] = {}
    units: dict[Slug, dict[str, Unit]] = {}
    """Kind -> `<district>/<code>` -> the unit; kinds that are not listed take any code."""
    spoken_languages: tuple[str, ...] = ()
    """ISO 639 codes of what people speak on the line, apart from the language they are written to in."""
    unsaid: dict[str, str] = {}
    """`<step>.<audience>` without a text -> why."""
    reviews: tuple[Review, ...] = ()
    watch: Watch = Watch()
    retention: Retention | None = None
    officers: OfficersRule | None = None
    """None: the system watches no officers."""
    from_at: int = 0
    """From when it is in force, UTC ms; a system's first version also decides what came before."""
    redates_running: bool = False
    """Its days also hold for levels that had begun before it came into force."""
    later: tuple["Profile", ...] = ()
    """On a system's first version: those that follow, in order of time."""

    def at(self, at: int) -> "Profile":
        """The version in force at an instant (UTC ms). Ask a system's first version."""
        return next((each for each in reversed(self.later) if each.from_at <= at), self) if self.later else self

    def named(self, version: str) -> "Profile":
        """The version that a case names as its policy; the first, if there is none of that name any more."""
        return next((each for each in self.later if each.version == version), self) if self.later else self

    @property
    def last_level(self) -> Level:
        return len(self.levels)

    def goes_up(self, level: Level) -> bool:
        """Whether the due instant takes a case of this level to the next."""
        return level < len(self.levels) and self.levels[level - 1].time_out == "up"

    @property
    def warn_before_ms(self) -> int:
        return self.warn_before_hours * HOUR_MS

    @property
    def reopen_ms(self) -> int:
        return self.reopen_days * DAY_MS

    @property
    def forget_after_ms(self) -> int:
        return self.forget_after_days * DAY_MS

    def source_of(self, channel: Channel, source: Slug | None) -> Slug | None:
        """The intake source of a submission: the one it names, or the one its channel stands for."""
        if source is not None:
            return source
        return next((slug for slug, each in self.intake_sources.items() if channel in each.channels), None)

    def restriction(self, department: Slug, category: Slug) -> tuple[Slug, Restriction] | None:
        """The class of a case that only some roles may see; one that names its category before its department's."""
        named = next(((slug, each) for slug, each in self.restricted.items() if category in each.categories), None)
        if named is not None:
            return named
        return next(((slug, each) for slug, each in self.restricted.items() if department in each.departments), None)

    def visible(self, restricted: Slug | None, roles: frozenset[str]) -> bool:
        """Whether somebody of these roles may see a case of this class (None: of none)."""
        if restricted is None:
            return True
        found = self.restricted.get(restricted)
        return found is not None and not roles.isdisjoint(found.roles)

    def chain(self, department: Slug, category: Slug | None, case_type: CaseType | None, district: int) -> Chain | None:
        """Who owns cases of this kind, level by level; None where the department is unknown."""
        found = self.departments.get(department)
        if found is None:
            return None
        for each in self.routes:
            if (
                each.department in (None, department)
                and each.category in (None, category)
                and each.case_type in (None, case_type)
                and each.district in (None, district)
            ):
                return self.chains[each.chain]
        return self.chains[found.chain]
