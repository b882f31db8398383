"""Whether a case lies within a token's scope, and whether an officer acts as himself and for his own office."""

from collections.abc import Iterator, Mapping
from typing import Any

from agents.gateway.auth import Caller, allow_system
from agents.gateway.problems import FieldError, Kind, Problem
from agents.gateway.services import Services
from agents.gateway.unavailable import AWAY, RETRY_UNAVAILABLE, away
from schemas.base import Actor, Place
from streams.case.route import route
from streams.profiles.profile import Profile

OUTSIDE = "the case lies outside what the token is for"


def covers(caller: Caller, found: Mapping[str, Any]) -> bool:
    """Whether a case as the board has it lies within the scope.

    What is no case (a number on its way, a duplicate's, a rejected one's) is of a system and says nothing of a place.
    """
    if "department" not in found:
        return caller.systems is None or found.get("system") in {None, *caller.systems}
    return caller.covers(found["system"], found["district"], found["department"])


async def allow_act(services: Services, caller: Caller, case: str, profile: Profile, by: Actor | None) -> None:
    """Raises Problem FORBIDDEN outside the scope, UNAVAILABLE where the read model cannot tell."""
    allow_system(caller, profile.system)
    if errors := list(_not_itself(caller, by)):
        raise Problem(Kind.FORBIDDEN, "the token speaks for its own holder", errors=errors)
    if caller.office is None and caller.districts is None and caller.department is None:
        return
    try:
        found = await services.board.case(case)
    except AWAY as error:
        raise away(error) from None
    if found is None or "department" not in found:
        if found is None and await services.keys.accepted(case) is not None:
            said = "the case is on its way to the board: whose it is is not known yet"
            raise Problem(Kind.UNAVAILABLE, said, retry_after=RETRY_UNAVAILABLE)
        raise Problem(Kind.NOT_FOUND, "no case with this number is known")
    if not covers(caller, found):
        raise Problem(Kind.FORBIDDEN, OUTSIDE)
    if caller.office is not None and caller.office not in offices(profile, found):
        raise Problem(Kind.FORBIDDEN, "the case is neither with the token's office nor in its chain")


def offices(profile: Profile, found: Mapping[str, Any]) -> frozenset[str]:
    """Who has to do with a case: the office that has it, one asked to decide, and that of each level of its chain."""
    then = profile.at(found["at"])
    place = Place(found["district"], found.get("units", {}))
    chain = (
        route(
            then,
            found["department"],
            place,
            level,
            category=found.get("category"),
            case_type=found.get("case_type"),
        ).id
        for level in range(1, then.last_level + 1)
    )
    return frozenset(filter(None, (found["office"], found.get("decider_office"), *chain)))


def _not_itself(caller: Caller, by: Actor | None) -> Iterator[FieldError]:
    if caller.officer is not None and (by is None or by.officer != caller.officer):
        yield FieldError("by.officer", "must be the officer the token is for")
    if caller.office is not None and by is not None and by.office not in {None, caller.office}:
        yield FieldError("by.office", "must be the office the token is for")
