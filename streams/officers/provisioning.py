"""Provisioning (R11): an officer is listed, his login applied for, generated, used for the first time."""

from typing import Final

from schemas import officers as o
from streams.calendar import bounds
from streams.officers.place import OfficePlace, located
from streams.officers.turn import Turn

ORDER: Final[tuple[o.IdStatus, ...]] = ("listed", "requested", "generated")


def place_known(turn: Turn, command: o.ListOfficer) -> str | None:  # noqa: ARG001 - a guard's signature
    return "unknown-office" if located(command.system, command.office) is None else None


def says_something(turn: Turn, command: o.ListOfficer) -> str | None:
    """A list loaded again says nothing new."""
    officer = turn.officer
    same = (officer.office, officer.designation) == (command.office, command.designation)
    known = officer.seq > 0 and same
    if command.status == "left" or officer.status == "left":
        return "nothing-new" if known and command.status == officer.status else None
    return "nothing-new" if known and ORDER.index(command.status) <= ORDER.index(officer.status) else None


def not_requested(turn: Turn, command: o.RequestId) -> str | None:  # noqa: ARG001 - a guard's signature
    return None if turn.officer.status == "listed" else _standing(turn)


def not_generated(turn: Turn, command: o.GenerateId) -> str | None:  # noqa: ARG001 - a guard's signature
    if turn.officer.status == "listed":
        return "not-requested"
    return None if turn.officer.status == "requested" else _standing(turn)


def _standing(turn: Turn) -> str:
    return "has-left" if turn.officer.status == "left" else f"already-{turn.officer.status}"


def list_officer(turn: Turn, command: o.ListOfficer) -> None:
    """What the directory says of him; a status never goes back, save for one who left."""
    where = located(command.system, command.office)
    assert where is not None
    turn.change(office=command.office, designation=command.designation)
    if command.status == "left":
        _leave(turn, command, where)
        return
    if turn.officer.status == "left":
        turn.change(status="listed", generated_at=None)
    _tell_listed(turn, command, where, left=False)
    for status in ORDER[1 : ORDER.index(command.status) + 1]:
        if ORDER.index(status) > ORDER.index(turn.officer.status):
            ADVANCE[status](turn, command.at)


def _leave(turn: Turn, command: o.ListOfficer, where: OfficePlace) -> None:
    """No more days are told of him; days told stay told."""
    turn.change(status="left", days=(), earlier_login_at=None, logged_in=False)
    _tell_listed(turn, command, where, left=True)


def _tell_listed(turn: Turn, command: o.ListOfficer, where: OfficePlace, *, left: bool) -> None:
    turn.tell(
        o.OfficerListed,
        "as-loaded",
        command.at,
        designation=command.designation,
        unit=where.unit,
        scope=where.scope,
        left=left,
    )


def request_id(turn: Turn, command: o.RequestId) -> None:
    _requested(turn, command.at)


def generate_id(turn: Turn, command: o.GenerateId) -> None:
    _generated(turn, command.at)


def _requested(turn: Turn, at: int) -> None:
    turn.change(status="requested")
    turn.tell(o.IdRequested, "applied-for", at)


def _generated(turn: Turn, at: int) -> None:
    """Days are told of him from this one on."""
    turn.change(status="generated", generated_at=at, cut_to=bounds("day", at, turn.profile.zone).start_at, days=())
    turn.tell(o.IdGenerated, "login-exists", at)


ADVANCE: Final = {"requested": _requested, "generated": _generated}
