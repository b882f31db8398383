"""Which office owns a case: place x department x level, by the profile's chains, and never nobody."""

from typing import NamedTuple

from schemas.base import CaseType, Place
from streams.profiles.profile import Profile


class Office(NamedTuple):
    """An office by its id `<department>:<post>@<scope>`; `fallback` where no rule named one."""

    id: str
    fallback: bool


def route(
    profile: Profile,
    department: str,
    place: Place,
    level: int,
    *,
    category: str | None = None,
    case_type: CaseType | None = None,
) -> Office:
    """The first post of the level whose unit the place names; else the profile's fallback owner."""
    chain = profile.chain(department, category, case_type, place.district)
    if chain is not None:
        for post in chain.levels[level - 1]:
            scope = _scope(profile, place, post.unit)
            if scope is not None:
                return Office(f"{department}:{post.post}@{scope}", fallback=False)
    return fallback(profile, department)


def fallback(profile: Profile, department: str) -> Office:
    """The owner of what nobody else owns."""
    return Office(f"{department}:{profile.fallback.post}@{profile.fallback.unit}", fallback=True)


def start(
    profile: Profile,
    department: str,
    place: Place,
    against_level: int | None,
    *,
    first: int = 1,
    category: str | None = None,
    case_type: CaseType | None = None,
) -> tuple[int, Office]:
    """Level and office a new case begins with; a complaint against an officer begins above that officer."""
    level = first if against_level is None else max(first, against_level + 1)
    if level > profile.last_level:
        return profile.last_level, fallback(profile, department)
    return level, route(profile, department, place, level, category=category, case_type=case_type)


def _scope(profile: Profile, place: Place, unit: str) -> str | None:
    match unit:
        case "state":
            return "state"
        case "district":
            return str(place.district) if place.district in profile.districts else None
        case "division":
            district = profile.districts.get(place.district)
            return None if district is None or district.division == "none" else district.division
        case _:
            code = place.units.get(unit)
            return None if code is None else f"{place.district}/{code}"
