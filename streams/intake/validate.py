"""What a profile takes: each field that names something the profile has not, with the nearest that it has."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from schemas.base import CaseType, Channel, Language, Place
from streams.calendar import LATEST
from streams.profiles.places import stands
from streams.profiles.profile import Profile

NEAREST: Final = 3
TEXT_LIMIT: Final = 8000


class Fault(NamedTuple):
    """One field that cannot be taken. `detail` names valid values, never what a citizen wrote in free text."""

    field: str
    reason: str
    detail: str


def unknown_system(system: str, known: Iterable[str]) -> Fault:
    """The fault of a submission to a system that is not served."""
    return Fault("system", "unknown-system", f"no system {system!r}{_nearest(system, known)}")


def faults(
    profile: Profile,
    case_type: CaseType,
    category: str,
    place: Place,
    language: Language,
    against_level: int | None,
    *,
    channel: Channel | None = None,
    source: str | None = None,
    spoken_language: str | None = None,
    at: int | None = None,
) -> Iterator[Fault]:
    """Every fault of one submission against its system's profile, at its event time; none: it can be taken."""
    refused = not_taken(profile, case_type, category, language)
    if refused is not None:
        yield refused
        return
    if case_type not in profile.case_types:
        yield Fault(
            "type", "unknown-type", f"{profile.system} takes no {case_type}; it takes {_list(profile.case_types)}"
        )
    yield from category_faults(profile, category)
    yield from place_faults(profile, place, at)
    if language not in profile.languages:
        yield Fault(
            "language", "unknown-language", f"{profile.system} speaks {_list(profile.languages)}, not {language}"
        )
    if against_level is not None and against_level > profile.last_level:
        yield Fault("against_level", "unknown-level", f"{profile.system} has levels 1 to {profile.last_level}")
    yield from _way_faults(profile, channel, source, spoken_language)


def not_taken(profile: Profile, case_type: CaseType, category: str, language: Language) -> Fault | None:
    """Why a subject is no grievance here, in the words the citizen is told."""
    subject = profile.not_taken.get(category)
    field = "category"
    if subject is None:
        field = "type"
        subject = next((each for each in profile.not_taken.values() if case_type in each.case_types), None)
    if subject is None:
        return None
    return Fault(field, "not-taken", subject.answer.hi if language == "hi" else subject.answer.en)


def _way_faults(
    profile: Profile, channel: Channel | None, source: str | None, spoken_language: str | None
) -> Iterator[Fault]:
    if channel is not None and profile.channels is not None and channel not in profile.channels:
        yield Fault("channel", "unknown-channel", f"{profile.system} takes {_list(profile.channels)}, not {channel}")
    if source is not None and source not in profile.intake_sources:
        yield Fault("source", "unknown-source", f"no source {source!r}{_nearest(source, profile.intake_sources)}")
    if spoken_language is not None and profile.spoken_languages and spoken_language not in profile.spoken_languages:
        spoken = _list(profile.spoken_languages)
        yield Fault("spoken_language", "unknown-language", f"{profile.system} hears {spoken}, not {spoken_language!r}")


def category_faults(profile: Profile, category: str) -> Iterator[Fault]:
    """Whether the profile has this category."""
    if category not in profile.categories:
        yield Fault("category", "unknown-category", f"no category {category!r}{_nearest(category, profile.categories)}")


def place_faults(profile: Profile, place: Place, at: int | None = None) -> Iterator[Fault]:
    """Whether the profile has this district, and smaller units of these kinds; as of `at` (UTC ms), where given."""
    district = profile.districts.get(place.district)
    if district is None or (at is not None and not stands(district, at, profile.zone)):
        yield _unknown_district(place.district, profile, at)
    for kind, code in place.units.items():
        if kind not in profile.unit_kinds:
            yield Fault(
                f"place.{kind}", "unknown-unit", f"{profile.system} knows {_list(profile.unit_kinds)}, no {kind!r}"
            )
        elif kind in profile.units:
            yield from _unit_faults(profile, place.district, kind, code, at)


def _unit_faults(profile: Profile, district: int, kind: str, code: str, at: int | None) -> Iterator[Fault]:
    known = profile.units[kind]
    unit = known.get(f"{district}/{code}")
    if unit is None or (at is not None and not stands(unit, at, profile.zone)):
        prefix = f"{district}/"
        there = [
            key.removeprefix(prefix)
            for key, each in known.items()
            if key.startswith(prefix) and (at is None or stands(each, at, profile.zone))
        ]
        yield Fault(f"place.{kind}", "unknown-unit", f"no {kind} {code!r} in {district}{_nearest(code, there)}")


def text_fault(text: str) -> Fault | None:
    """The fault of a text in its normal form, which may be longer than it was sent."""
    if not text.strip():
        return Fault("text", "blank-text", "says nothing")
    if len(text) > TEXT_LIMIT:
        return Fault("text", "text-too-long", f"more than {TEXT_LIMIT} characters in Unicode normal form C")
    return None


def instant_fault(at: int) -> Fault | None:
    """The fault of an event time that no calendar day can be told of."""
    return Fault("at", "unknown-instant", "lies beyond the calendar") if at >= LATEST else None


def _unknown_district(code: int, profile: Profile, at: int | None) -> Fault:
    named: Mapping[str, str] = {
        str(each): f"{each} ({district.name.en})"
        for each, district in profile.districts.items()
        if at is None or stands(district, at, profile.zone)
    }
    close = difflib.get_close_matches(str(code), named, n=NEAREST, cutoff=0.0)
    nearest = ", ".join(named[each] for each in close)
    return Fault("place.district", "unknown-district", f"no district {code} in {profile.system}; nearest: {nearest}")


def _nearest(value: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(value, sorted(known), n=NEAREST, cutoff=0.3)
    return f"; nearest: {', '.join(close)}" if close else ""


def _list(values: Iterable[str]) -> str:
    return ", ".join(sorted(values))
