"""Where an office is, read from its id `<department>:<post>@<scope>` and the profile's chains."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from streams.profiles.load import profiles
from streams.profiles.profile import Chain, Post, Profile

_ID: Final = re.compile(r"([a-z0-9-]+):([a-z0-9-]+)@(\S{1,80})")
AREAS: Final = ("state", "division", "district")


class OfficePlace(NamedTuple):
    """An office taken apart. `district` is an LGD code, 0 above districts; `scope` the code of the place it covers."""

    department: str
    unit: str
    scope: str
    district: int


class UnknownOfficeError(ValueError):
    """The profile can have no such office; the message says what would be right and repeats nothing."""


def office_key(system: str, office: str) -> str:
    """The key of what is told of an office; an officer's is made the same way."""
    return f"{system}|{office}"


def place(profile: Profile, office: str) -> OfficePlace:
    """Raises UnknownOfficeError."""
    found = _ID.fullmatch(office)
    if found is None:
        raise UnknownOfficeError("must be <department>:<post>@<place>, for example revenue:dm@161")
    department, post, scope = found.groups()
    if department not in profile.departments:
        raise UnknownOfficeError(f"no such department; there are {', '.join(sorted(profile.departments))}")
    # of any chain: a department's cases may be sent along another's
    posts = [profile.fallback, *(post for chain in profile.chains.values() for post in _posts(chain))]
    units = {each.unit for each in posts if each.post == post}
    if not units:
        raise UnknownOfficeError(f"no such post; there are {', '.join(sorted({each.post for each in posts}))}")
    return _placed(profile, department, units, scope)


def _posts(chain: Chain) -> Iterator[Post]:
    for level in chain.levels:
        yield from level


def _placed(profile: Profile, department: str, units: set[str], scope: str) -> OfficePlace:
    head, slash, code = scope.partition("/")
    if slash:
        smaller = sorted(units.difference(AREAS))
        if smaller and code and head.isdecimal() and int(head) in profile.districts:
            return OfficePlace(department, smaller[0], code, int(head))
    elif "district" in units and head.isdecimal() and int(head) in profile.districts:
        return OfficePlace(department, "district", head, int(head))
    elif "state" in units and scope == "state":
        return OfficePlace(department, "state", scope, 0)
    elif "division" in units and scope in {each.division for each in profile.districts.values()} - {"none"}:
        return OfficePlace(department, "division", scope, 0)
    raise UnknownOfficeError(f"the place of this post must be {' or '.join(map(_form, sorted(units)))}")


def _form(unit: str) -> str:
    match unit:
        case "state":
            return "`state`"
        case "division":
            return "one of the profile's divisions"
        case "district":
            return "the code of one of the profile's districts"
        case _:
            return f"<district code>/<code of the {unit}>"


@lru_cache(maxsize=65_536)
def located(system: str, office: str) -> OfficePlace | None:
    """The place of an office of a system; None where there can be none."""
    profile = profiles().get(system)
    try:
        return None if profile is None else place(profile, office)
    except UnknownOfficeError:
        return None


def implied(profile: Profile) -> Iterator[str]:
    """Offices at district, division and state that follow from the profile alone; smaller places are not in it."""
    divisions = sorted({each.division for each in profile.districts.values()} - {"none"})
    scopes = {"state": ["state"], "division": divisions, "district": [str(code) for code in sorted(profile.districts)]}
    for department in sorted(profile.departments):
        chain = profile.chains[profile.departments[department].chain]
        for post, unit in dict.fromkeys((each.post, each.unit) for each in _posts(chain)):
            yield from (f"{department}:{post}@{scope}" for scope in scopes.get(unit, ()))
