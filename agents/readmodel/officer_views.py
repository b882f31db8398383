"""What the read model holds of an officer, and how it follows from his facts; pure."""

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from schemas import officers as o

MOST_STEPS: Final = 50
"""Steps taken and proposed that are kept per officer, the latest; the log has them all."""


class Step(Struct, frozen=True, omit_defaults=True):
    """A step of the ladder, proposed by a preset or taken by a superior."""

    step: str
    at: int
    cases: tuple[str, ...]
    preset: str | None = None
    days: tuple[str, ...] = ()
    reference: str | None = None


class TicketView(Struct, frozen=True, omit_defaults=True):
    """A ticket that is not closed."""

    category: str
    status: str
    opened_at: int
    due_at: int | None = None


class OfficerView(Struct, frozen=True, omit_defaults=True):
    """An officer as he stands after the fact `seq`. Instants are UTC ms."""

    officer: str
    system: str
    district: int
    department: str
    office: str
    seq: int
    designation: str = ""
    unit: str = ""
    scope: str = ""
    status: o.IdStatus = "listed"
    requested_at: int | None = None
    generated_at: int | None = None
    first_login_at: int | None = None
    last_login_at: int | None = None
    """As of the last day told."""
    proposed: tuple[Step, ...] = ()
    taken: tuple[Step, ...] = ()
    tickets: dict[str, TicketView] = {}


class PresenceView(Struct, frozen=True, omit_defaults=True):
    """One local day of an officer, as last told."""

    district: int
    department: str
    office: str
    logins: int
    minutes: int
    flags: tuple[o.Flag, ...]
    last_login_at: int | None = None
    revised: bool = False


class OfficeDay(Struct, frozen=True, array_like=True):
    """One day of an officer at one office."""

    personal: int
    delegated: int
    defaulters: int


class ConductView(Struct, frozen=True):
    """A month of an officer in a district: local day -> office -> what he did and left undone."""

    days: dict[str, dict[str, OfficeDay]] = {}


def after(view: OfficerView | None, fact: Any) -> OfficerView | None:
    """The view after the fact; None while nobody listed the officer."""
    if view is None and not isinstance(fact, o.OfficerListed):
        return None
    held = view or OfficerView(fact.officer, fact.system, fact.district, fact.department, fact.office, fact.seq)
    change = CHANGES.get(type(fact))
    return replace(held, seq=fact.seq, **(change(held, fact) if change is not None else {}))


def _listed(view: OfficerView, fact: o.OfficerListed) -> dict[str, Any]:
    status = "left" if fact.left else "listed" if view.status == "left" else view.status
    return {
        "district": fact.district,
        "department": fact.department,
        "office": fact.office,
        "designation": fact.designation,
        "unit": fact.unit,
        "scope": fact.scope,
        "status": status,
    }


def _presence(view: OfficerView, fact: o.PresenceDay) -> dict[str, Any]:
    logins = [each for each in (view.last_login_at, fact.last_login_at) if each is not None]
    return {"last_login_at": max(logins, default=None)}


def _proposed(view: OfficerView, fact: o.StepProposed) -> dict[str, Any]:
    step = Step(fact.step, fact.at, fact.cases, fact.preset, fact.days)
    return {"proposed": (*view.proposed, step)[-MOST_STEPS:]}


def _withdrawn(view: OfficerView, fact: o.ProposalWithdrawn) -> dict[str, Any]:
    return {"proposed": tuple(each for each in view.proposed if (each.preset, each.days) != (fact.preset, fact.days))}


def _taken(view: OfficerView, fact: o.StepTaken) -> dict[str, Any]:
    return {"taken": (*view.taken, Step(fact.step, fact.at, fact.cases, reference=fact.reference))[-MOST_STEPS:]}


def _ticket(status: str) -> Callable[[OfficerView, Any], dict[str, Any]]:
    def change(view: OfficerView, fact: Any) -> dict[str, Any]:
        before = view.tickets.get(fact.ticket)
        opened_at = fact.at if before is None else before.opened_at
        due_at = getattr(fact, "due_at", getattr(fact, "close_at", None))
        return {"tickets": {**view.tickets, fact.ticket: TicketView(fact.category, status, opened_at, due_at)}}

    return change


def _ticket_closed(view: OfficerView, fact: o.TicketClosed) -> dict[str, Any]:
    return {"tickets": {name: ticket for name, ticket in view.tickets.items() if name != fact.ticket}}


CHANGES: Final[dict[type[Any], Callable[[OfficerView, Any], dict[str, Any]]]] = {
    o.OfficerListed: _listed,
    o.IdRequested: lambda _, fact: {"status": "requested", "requested_at": fact.at},
    o.IdGenerated: lambda _, fact: {"status": "generated", "generated_at": fact.at},
    o.FirstLogin: lambda _, fact: {"first_login_at": fact.at},
    o.PresenceDay: _presence,
    o.StepProposed: _proposed,
    o.ProposalWithdrawn: _withdrawn,
    o.StepTaken: _taken,
    o.TicketOpened: _ticket("open"),
    o.TicketOverdue: _ticket("overdue"),
    o.TicketAnswered: _ticket("answered"),
    o.TicketReopened: _ticket("open"),
    o.TicketClosed: _ticket_closed,
}


def presence(fact: o.PresenceDay) -> PresenceView:
    return PresenceView(
        fact.district,
        fact.department,
        fact.office,
        fact.logins,
        fact.minutes,
        fact.flags,
        fact.last_login_at,
        fact.result == "revised",
    )


def with_day(view: ConductView | None, fact: o.ConductDay) -> ConductView:
    """The month with this day in its place; in order, so that the same content is the same bytes."""
    days = {} if view is None else dict(view.days)
    offices = {**days.get(fact.day, {}), fact.office: OfficeDay(fact.personal, fact.delegated, fact.defaulters)}
    days[fact.day] = {name: offices[name] for name in sorted(offices)}
    return ConductView({day: days[day] for day in sorted(days)})
