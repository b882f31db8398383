"""What types cannot say of a profile: references between its tables, dates, and what a change may change."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from streams.profiles import texts
from streams.profiles.profile import Profile
from streams.profiles.rules import Chain, ForceClose, SpecialClose
from streams.profiles.texts import SLOTS, STEPS

__all__ = ["SLOTS", "STEPS", "change_faults", "faults"]

AREAS: Final = ("district", "division", "state")
"""Kinds of place every profile has; the smaller ones are its `unit_kinds`."""
NEVER_CHANGED: Final = ("system", "code", "zone", "windows", "sms", "unit_kinds", "later")
"""What running states and open windows rest on: a change of these is another system."""

Fault = str
"""`file: key: what is wrong`."""


def faults(profile: Profile) -> Iterator[Fault]:
    """Everything that is wrong with a profile, the gravest first."""
    for check in CHECKS:
        yield from check(profile)


def _zone(profile: Profile) -> Iterator[Fault]:
    try:
        ZoneInfo(profile.zone)
    except (ZoneInfoNotFoundError, ValueError):
        yield f"profile.toml: zone: {profile.zone!r} is no time zone"


def change_faults(before: Profile, after: Profile) -> Iterator[Fault]:
    """What a later version may not do."""
    for key in NEVER_CHANGED:
        if getattr(before, key) != getattr(after, key):
            yield f"{key}: cannot change with a date"
    if after.last_level < before.last_level:
        yield f"levels: {after.last_level} of them, cases of version {before.version} may stand at {before.last_level}"
    if after.from_at <= before.from_at:
        yield f"valid_from: not after {before.version}"
    for table in ("departments", "categories"):
        gone = sorted(set(getattr(before, table)) - set(getattr(after, table)))
        if gone:
            yield f"{table}: {gone} cannot go while cases stand with them"


def _some_level(profile: Profile) -> Iterator[Fault]:
    if not profile.levels:
        yield "profile.toml: levels: none"


def _types(profile: Profile) -> Iterator[Fault]:
    strange = sorted(profile.timed_types - profile.case_types)
    if strange:
        yield f"profile.toml: timed_types: {strange} are none of case_types"


def _times(profile: Profile) -> Iterator[Fault]:
    for index, rule in enumerate(profile.levels):
        if rule.time_ms <= profile.warn_before_ms:
            yield f"profile.toml: levels.{index}.days: not longer than warn_before_hours, {profile.warn_before_hours}"
    tables = (
        ("profile.toml: type_days", profile.type_days.items()),
        *((f"categories.toml: categories.{slug}", [("days", each.days)]) for slug, each in profile.categories.items()),
        *(
            (f"sources.toml: intake_sources.{slug}", [("days", each.days)])
            for slug, each in profile.intake_sources.items()
        ),
    )
    for where, rows in tables:
        for key, days in rows:
            if days and len(days) != profile.last_level:
                yield f"{where}.{key}: {len(days)} figures, the profile has {profile.last_level} levels"
            elif any(each * 24 <= profile.warn_before_hours for each in days):
                yield f"{where}.{key}: not longer than warn_before_hours, {profile.warn_before_hours}"


def _clock(profile: Profile) -> Iterator[Fault]:
    for day in profile.holidays:
        try:
            date.fromisoformat(day)
        except ValueError:
            yield f"holidays.toml: holidays.{day}: no date such as 2026-01-26"
    if profile.clock.days == "calendar" and profile.clock.weekly_off:
        yield "profile.toml: clock.weekly_off: only where working days are counted"
    if set(profile.clock.weekly_off) == {"mon", "tue", "wed", "thu", "fri", "sat", "sun"}:
        yield "profile.toml: clock.weekly_off: leaves no working day"


def _levels(profile: Profile) -> Iterator[Fault]:
    last = profile.last_level
    for index, rule in enumerate(profile.levels, 1):
        key = f"profile.toml: levels.{index - 1}"
        if index == last and rule.sent_up_for:
            yield f"{key}.sent_up_for: there is no level above the last"
        if index == 1 and rule.sends_back:
            yield f"{key}.sends_back: there is no level below the first"
        if rule.lapse_is_breach and (index == 1 or not profile.goes_up(index - 1)):
            yield f"{key}.lapse_is_breach: no case reaches it by time-out"
    named = {
        "closing.approved_at": profile.closing.approved_at,
        "closing.special.decided_at": None if profile.closing.special is None else profile.closing.special.decided_at,
        **{f"intake_sources.{slug}.level": each.level for slug, each in profile.intake_sources.items()},
    }
    for key, level in named.items():
        if level is not None and level > last:
            where = "sources.toml" if key.startswith("intake_sources") else "profile.toml"
            yield f"{where}: {key}: {level}, the profile has levels 1 to {last}"
    for key, closing in (("special", profile.closing.special), ("forced", profile.closing.forced)):
        if isinstance(closing, (SpecialClose, ForceClose)) and not closing.reasons:
            yield f"profile.toml: closing.{key}.reasons: none, so that nothing could ever be closed so"


def _intake(profile: Profile) -> Iterator[Fault]:
    taken: dict[str, str] = {}
    for slug, each in profile.intake_sources.items():
        for channel in sorted(each.channels):
            if taken.setdefault(channel, slug) != slug:
                yield f"sources.toml: intake_sources.{slug}.channels: {channel} stands for {taken[channel]} already"
    for slug, refused in profile.not_taken.items():
        if slug in profile.categories:
            yield f"categories.toml: not_taken.{slug}: is a category, which is taken"
        both = sorted(refused.case_types & profile.case_types)
        if both:
            yield f"categories.toml: not_taken.{slug}.case_types: {both} are case_types, which are taken"


def _routes(profile: Profile) -> Iterator[Fault]:
    for index, each in enumerate(profile.routes):
        known: tuple[tuple[str, object, Iterable[object]], ...] = (
            ("chain", each.chain, profile.chains),
            ("department", each.department, profile.departments),
            ("category", each.category, profile.categories),
            ("case_type", each.case_type, profile.case_types),
            ("district", each.district, profile.districts),
        )
        for key, value, there in known:
            if value is not None and value not in there:
                yield f"offices.toml: routes.{index}.{key}: no {key} {value!r}"


def _restricted(profile: Profile) -> Iterator[Fault]:
    for slug, each in profile.restricted.items():
        key = f"offices.toml: restricted.{slug}"
        yield from (
            f"{key}.departments: no department {name!r}" for name in sorted(each.departments - set(profile.departments))
        )
        yield from (
            f"{key}.categories: no category {name!r}" for name in sorted(each.categories - set(profile.categories))
        )
        if not each.roles:
            yield f"{key}.roles: nobody could see these cases"


def _chains(profile: Profile) -> Iterator[Fault]:
    known = {*AREAS, *profile.unit_kinds}
    for slug, chain in profile.chains.items():
        key = f"offices.toml: chains.{slug}.levels"
        if len(chain.levels) != profile.last_level:
            yield f"{key}: {len(chain.levels)} levels, the profile has {profile.last_level}"
        for index, posts in enumerate(chain.levels):
            yield from (f"{key}.{index}: no kind of place {post.unit!r}" for post in posts if post.unit not in known)


def _departments(profile: Profile) -> Iterator[Fault]:
    for slug, department in profile.departments.items():
        if department.chain not in profile.chains:
            there = ", ".join(sorted(profile.chains))
            yield f"offices.toml: departments.{slug}.chain: no chain {department.chain!r}; there are {there}"


def _categories(profile: Profile) -> Iterator[Fault]:
    for slug, category in profile.categories.items():
        if category.department not in profile.departments:
            yield f"categories.toml: categories.{slug}.department: no department {category.department!r}"


def _places(profile: Profile) -> Iterator[Fault]:
    if not profile.districts:
        yield "profile.toml: places: no district"


def _divisions(profile: Profile) -> Iterator[Fault]:
    if any(_divided(chain) for chain in profile.chains.values()):
        for code, district in profile.districts.items():
            if district.division == "none":
                yield f"profile.toml: places.divisions: district {code} ({district.name.en}) is in none"


def _divided(chain: Chain) -> bool:
    return any(post.unit == "division" for level in chain.levels for post in level)


def _units(profile: Profile) -> Iterator[Fault]:
    for kind, units in profile.units.items():
        if kind not in profile.unit_kinds:
            yield f"places.csv: kind: {kind!r} is none of unit_kinds"
        for key in units:
            if int(key.partition("/")[0]) not in profile.districts:
                yield f"places.csv: district: no district {key.partition('/')[0]}"


def _officers(profile: Profile) -> Iterator[Fault]:
    if profile.officers is None:
        return
    steps = [each.step for each in profile.officers.ladder]
    if not steps or len(set(steps)) != len(steps):
        yield "officers.toml: officers.ladder: must name at least one step, and none twice"
    for index, preset in enumerate(profile.officers.presets):
        key = f"officers.toml: officers.presets.{index}"
        if preset.step not in steps:
            yield f"{key}.step: no step {preset.step!r}; there are {', '.join(steps)}"
        if (preset.consecutive_days is None) == (preset.days_in_month is None):
            yield f"{key}: needs consecutive_days or days_in_month, and not both"
    names = [preset.preset for preset in profile.officers.presets]
    if len(set(names)) != len(names):
        yield "officers.toml: officers.presets: a name is given twice"


CHECKS: Final[tuple[Callable[[Profile], Iterator[Fault]], ...]] = (
    _zone, _some_level, _types, _times, _clock, _levels, _chains, _departments, _categories, _places, _divisions,
    _units, _intake, _routes, _restricted, _officers, texts.faults,
)  # fmt: skip
