"""What a system watches of its officers, typed: presence, the action ladder, the support desk (`officers.toml`)."""

from typing import Annotated

from msgspec import Meta, Struct

from schemas.base import Slug
from streams.profiles.rules import DAY_MS, Days, Name


class PresenceRule(Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked of an officer with a login on every local day; 0 asks nothing."""

    checks_per_day: Annotated[int, Meta(ge=0)]
    minutes_per_day: Annotated[int, Meta(ge=0)]
    silent_days: Annotated[int, Meta(ge=0)]
    """No login for this many days: silent."""

    @property
    def silent_ms(self) -> int:
        return self.silent_days * DAY_MS


class LadderStep(Struct, frozen=True, forbid_unknown_fields=True):
    """A step of the action ladder; the profile lists them from the mildest."""

    step: Slug
    title: Name


class Preset(Struct, frozen=True, forbid_unknown_fields=True):
    """When a step is proposed: so many days in a row, or so many in a local month, a defaulter."""

    preset: Slug
    step: Slug
    consecutive_days: Annotated[int, Meta(ge=1, le=31)] | None = None
    days_in_month: Annotated[int, Meta(ge=1, le=31)] | None = None


class DeskRule(Struct, frozen=True, forbid_unknown_fields=True):
    """The officers' own support desk: what it takes, how long it has, how long an answer waits for the officer."""

    categories: dict[Slug, Name]
    answer_days: Days
    confirm_days: Days

    @property
    def answer_ms(self) -> int:
        return self.answer_days * DAY_MS

    @property
    def confirm_ms(self) -> int:
        return self.confirm_days * DAY_MS


class OfficersRule(Struct, frozen=True, forbid_unknown_fields=True):
    """What a system watches of its officers, and what follows (`officers.toml`)."""

    presence: PresenceRule
    ladder: tuple[LadderStep, ...]
    presets: tuple[Preset, ...]
    desk: DeskRule
