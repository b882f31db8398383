"""What facts of cases say of offices: who acted, which case is past its due instant where.

It goes by what a fact says and not by a list of facts, so that a fact added to the case machine is counted, too.
"""

import re
from typing import Any, Final

from msgspec import Struct

from schemas import events as e
from schemas.codec import tag
from schemas.officers import OFFICER_ID, OfficeActed, OfficeCleared, OfficeOverdue, OfficeRelieved, OfficeTold
from schemas.topics import CASE_EVENTS, OFFICE_ACTIVITY
from streams.officers.place import located, office_key
from streams.profiles.load import profiles
from streams.stage import Origin, Output, Stage, Step

_OFFICER: Final = re.compile(OFFICER_ID)
ENDINGS: Final = frozenset({"disposed", "closed"})
"""Last words of the names of facts after which no office has to act: `disposed`, `closed`, `...-closed`."""


class Overdue(Struct, frozen=True, array_like=True):
    """The office at which the case is past its due instant, and since when (UTC ms)."""

    office: str
    since: int


Told = tuple[Overdue | None, list[OfficeTold]]


def step(state: Overdue | None, fact: Any, origin: Origin) -> Step[Overdue]:  # noqa: ARG001 - a stage's signature
    """Tell the offices what the fact says of them; systems that watch no officers are passed over."""
    profile = profiles().get(fact.system)
    if profile is None or profile.officers is None:
        return Step(state, [])
    acted = _acted(fact)
    state, told = _standing(state, fact)
    outputs = [Output(OFFICE_ACTIVITY, office_key(fact.system, each.office), each, each.at) for each in (*acted, *told)]
    return Step(state, outputs)


def name(fact: Any) -> str:
    """`case.note-added.v1` is `note-added`."""
    return tag(fact).removeprefix("case.").rpartition(".")[0]


def _acted(fact: Any) -> list[OfficeTold]:
    """An action of an officer or a delegate, in the name of the office he names, else of the one that had the case."""
    by = getattr(fact, "by", None)
    if by is None or by.role not in {"officer", "delegate"}:
        return []
    own = getattr(fact, "from_office", fact.office)
    office = by.office if by.office is not None and located(fact.system, by.office) is not None else own
    officer = by.officer if by.officer is not None and _OFFICER.fullmatch(by.officer) else None
    delegated = by.role == "delegate"
    who = None if delegated else officer
    return [OfficeActed(fact.system, office, fact.at, fact.case, name(fact), delegated, who)]


def _standing(state: Overdue | None, fact: Any) -> Told:
    """Where the case is past its due instant after the fact, and what that tells which office."""
    match fact:
        case e.BecameDefaulter(office=office, due_at=due_at):
            return Overdue(office, due_at), [OfficeOverdue(fact.system, office, due_at, fact.case)]
        case e.EscalationWithdrawn(office=office, due_at=due_at):
            return None, _cleared(state, fact, Overdue(office, due_at))
        case e.CommandRejected():
            return state, []
        case _ if state is not None:
            return _moved(state, fact)
        case _:
            return None, []


def _cleared(state: Overdue | None, fact: Any, before: Overdue) -> list[OfficeTold]:
    """The blot of the level it goes back to, and of the one it stood at, go: it was disposed before either."""
    gone = [before] if state is None else [before, state]
    return [OfficeCleared(fact.system, each.office, fact.at, fact.case, each.since) for each in gone]


def _moved(state: Overdue, fact: Any) -> Told:
    """Ended, or under a new due instant: overdue no more. At another office under the old one: overdue there."""
    ended = name(fact).rpartition("-")[2] in ENDINGS
    anew = (getattr(fact, "due_at", None) or 0) > fact.at
    if not ended and not anew and fact.office == state.office:
        return state, []
    told: list[OfficeTold] = [OfficeRelieved(fact.system, state.office, fact.at, fact.case, state.since)]
    if ended or anew:
        return None, told
    return Overdue(fact.office, fact.at), [*told, OfficeOverdue(fact.system, fact.office, fact.at, fact.case)]


CONDUCT: Final[Stage[Overdue]] = Stage(
    name="conduct", reads=CASE_EVENTS, writes=(OFFICE_ACTIVITY,), records=e.Event, state=Overdue, step=step
)
