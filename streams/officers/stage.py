"""The officers stage: what is told of an officer, by a table of command x guards; and what time does by itself."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from schemas import officers as o
from schemas.base import Wake
from schemas.topics import OFFICER_ACTIVITY, OFFICER_EVENTS
from streams.calendar import EARLIEST, LATEST
from streams.case.state import fingerprint
from streams.officers import desk, ladder, presence, provisioning
from streams.officers.state import REMEMBERED, Officer, next_due
from streams.officers.turn import Turn
from streams.profiles.load import profiles
from streams.stage import Origin, Refused, Stage, Step

Guard = Callable[[Turn, Any], str | None]
"""Why the command cannot be taken now, or None."""


class Row(NamedTuple):
    """A command: its handler, its guards, and whether its id is kept with the officer (else with his day, or not)."""

    handler: Callable[[Turn, Any], None]
    guards: tuple[Guard, ...] = ()
    remembered: bool = True


def _here(turn: Turn, command: o.OfficerTold) -> str | None:  # noqa: ARG001 - a guard's signature
    return "has-left" if turn.officer.status == "left" else None


TABLE: Final[dict[type[Any], Row]] = {
    o.ListOfficer: Row(provisioning.list_officer, (provisioning.place_known, provisioning.says_something)),
    o.RequestId: Row(provisioning.request_id, (provisioning.not_requested,)),
    o.GenerateId: Row(provisioning.generate_id, (provisioning.not_generated,)),
    o.Login: Row(presence.login, (presence.active,), remembered=False),
    o.PortalTime: Row(presence.portal_time, (presence.active,), remembered=False),
    o.TellConduct: Row(ladder.tell_conduct, remembered=False),
    o.TakeStep: Row(ladder.take_step, (ladder.may_take,)),
    o.OpenTicket: Row(desk.open_ticket, (_here, desk.may_open)),
    o.AnswerTicket: Row(desk.answer, (desk.is_open,)),
    o.CloseTicket: Row(desk.close, (desk.is_there,)),
    o.ReopenTicket: Row(desk.reopen, (desk.is_answered,)),
}


def step(state: Officer | None, record: Any, origin: Origin) -> Step[Officer]:
    """Fold one record of `grievance.officer.activity.v1` into its officer."""
    if isinstance(record, Wake):
        return Step(state, []) if state is None else _woken(state, record, origin)
    profile = profiles().get(record.system)
    if profile is None:
        return Step(state, [], Refused("unknown-system", "system: no profile of that name"))
    if profile.officers is None:
        return Step(state, [], Refused("no-officers", "system: its profile watches no officers"))
    if not EARLIEST <= record.at < LATEST:
        return Step(state, [], Refused("out-of-range", "at: lies outside the years 1971 to 8999"))
    turn = Turn(state or Officer(record.system, record.officer), profile, profile.officers, origin.id)
    if state is None and not isinstance(record, o.ListOfficer):
        turn.reject(record, "unknown-officer")
        return Step(None, turn.outputs)
    pass_time(turn, record.at)
    _decide(turn, record)
    return Step(turn.officer if turn.officer.seq else None, turn.outputs)


def _decide(turn: Turn, command: o.OfficerCommand) -> None:
    row = TABLE[type(command)]
    reason = _refusal(turn, command, row)
    if reason is not None:
        turn.reject(command, reason)
    else:
        row.handler(turn, command)
    if row.remembered and reason != "repeated":
        turn.change(seen=(*turn.officer.seen, fingerprint(command.id))[-REMEMBERED:])


def _refusal(turn: Turn, command: o.OfficerCommand, row: Row) -> str | None:
    if row.remembered and fingerprint(command.id) in turn.officer.seen:
        return "repeated"
    return next((reason for guard in row.guards if (reason := guard(turn, command)) is not None), None)


def pass_time(turn: Turn, now: int) -> None:
    """Let everything happen that falls due up to and including `now`, each at its own instant (docs/decisions/0001)."""
    while (due := next_due(turn.officer, turn.profile)) is not None and due.at <= now:
        if due.ticket is None:
            presence.cut(turn, due.at)
        else:
            desk.pass_due(turn, due.ticket, due.at)


def _woken(state: Officer, wake: Wake, origin: Origin) -> Step[Officer]:
    """A wake is taken only if it is the one the state wants: a stale or repeated one changes nothing."""
    profile = profiles()[state.system]
    if profile.officers is None or wake_at(state) != wake.due_at:
        return Step(state, [])
    turn = Turn(state, profile, profile.officers, origin.id)
    pass_time(turn, wake.due_at)
    return Step(turn.officer, turn.outputs)


def wake_at(state: Officer) -> int | None:
    """The end of the officer's present day and its lateness, or of a ticket's time, whichever is first (UTC ms)."""
    due = next_due(state, profiles()[state.system])
    return None if due is None else due.at


OFFICERS: Final[Stage[Officer]] = Stage(
    name="officers",
    reads=OFFICER_ACTIVITY,
    writes=(OFFICER_EVENTS,),
    records=o.OfficerInput,
    state=Officer,
    step=step,
    wake_at=wake_at,
)
