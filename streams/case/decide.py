"""What a case does with a command, by a table of command x status; and what time does by itself."""

from collections.abc import Callable
from typing import Any, NamedTuple

from msgspec.structs import replace

from schemas import commands as c
from schemas.codec import tag
from schemas.events import CommandRejected, DuplicateLinked
from streams.case import closing, desk, escalate, feedback, guards, ladder
from streams.case.state import REMEMBERED, Case, Status, fingerprint, wake_at
from streams.case.turn import Turn
from streams.profiles.profile import Profile

Handler = Callable[[Turn, Any], None]
Guard = Callable[[Turn, Any], str | None]
"""Why the command cannot be taken now, or None."""


class Row(NamedTuple):
    """A command: the statuses it is possible in, the reason given in others, its handler, and further guards."""

    statuses: frozenset[Status]
    otherwise: str
    handler: Handler
    guards: tuple[Guard, ...] = ()


def _duplicate(turn: Turn, command: c.LinkDuplicate) -> None:
    head = turn.head("same-citizen-same-matter", command.at, channel=command.channel)
    turn.tell(DuplicateLinked(*head, duplicate=command.duplicate))


OPEN: frozenset[Status] = frozenset({"open"})
PENDING: frozenset[Status] = frozenset({"open", "recorded"})
DISPOSED: frozenset[Status] = frozenset({"disposed"})
CLOSED: frozenset[Status] = frozenset({"closed"})
AFTER: frozenset[Status] = frozenset({"disposed", "closed"})
PENDING_OR_DISPOSED: frozenset[Status] = frozenset({"open", "recorded", "disposed"})
ANY: frozenset[Status] = frozenset({"open", "recorded", "disposed", "closed"})

TABLE: dict[type[Any], Row] = {
    c.LinkDuplicate: Row(ANY, "", _duplicate),
    c.View: Row(ANY, "", desk.view),
    c.AddNote: Row(ANY, "", desk.note),
    c.GivePendencyReason: Row(OPEN, "not-pending", desk.pendency_reason, (guards.owner,)),
    c.Transfer: Row(OPEN, "not-pending", desk.transfer, (guards.owner, guards.target)),
    c.Dispose: Row(
        PENDING, "not-pending", desk.dispose, (guards.owner, guards.current, guards.nothing_proposed, guards.disposal)
    ),
    c.CallUnreachable: Row(DISPOSED, "not-disposed", feedback.unreachable),
    c.ConfirmSatisfied: Row(DISPOSED, "not-disposed", feedback.satisfied),
    c.ReportDissatisfied: Row(DISPOSED, "not-disposed", feedback.dissatisfied),
    c.Reopen: Row(CLOSED, "not-closed", feedback.reopen, (guards.in_time,)),
    c.MarkDown: Row(OPEN, "not-pending", ladder.mark, (guards.owner, guards.nothing_proposed, guards.markable)),
    c.ProposeClose: Row(OPEN, "not-pending", closing.propose, (guards.owner, guards.nothing_proposed, guards.special)),
    c.DecideClose: Row(OPEN, "not-pending", desk.decide, (guards.decider,)),
    c.TellCitizen: Row(PENDING_OR_DISPOSED, "closed-already", closing.tell, (guards.owner,)),
    c.ForceClose: Row(PENDING_OR_DISPOSED, "closed-already", closing.force, (guards.owner, guards.forceable)),
    c.SendUp: Row(OPEN, "not-pending", ladder.send_up, (guards.owner, guards.conditions)),
    c.SendBack: Row(OPEN, "not-pending", ladder.send_back, (guards.owner, guards.sends_back)),
    c.GradeDisposal: Row(AFTER, "not-disposed", closing.grade, (guards.gradable,)),
}


def decide(turn: Turn, command: c.LinkDuplicate | c.Action) -> None:
    """Take the command, or say why not."""
    pass_time(turn, command.at)
    reason = _refusal(turn, command)
    if reason is None:
        TABLE[type(command)].handler(turn, command)
    else:
        reject(turn, command, reason)
    remember(turn, command.id)


def _refusal(turn: Turn, command: c.LinkDuplicate | c.Action) -> str | None:
    if fingerprint(command.id) in turn.case.seen:
        return "repeated"
    row = TABLE[type(command)]
    if turn.case.status not in row.statuses:
        return row.otherwise
    for guard in row.guards:
        reason = guard(turn, command)
        if reason is not None:
            return reason
    return None


def remember(turn: Turn, command_id: str) -> None:
    """Keep the command's id, so that a repeat has no effect."""
    known, seen = fingerprint(command_id), turn.case.seen
    if known not in seen:
        turn.case = replace(turn.case, seen=(*seen, known)[-REMEMBERED:])


def pass_time(turn: Turn, now: int) -> None:
    """Let everything happen that falls due up to and including `now`, each at its own instant (docs/decisions/0001)."""
    while (
        turn.case.status in ("open", "disposed") and (due := next_at(turn.case, turn.system)) is not None and due <= now
    ):
        fire(turn, due)


def next_at(case: Case, system: Profile) -> int | None:
    """The instant (UTC ms) at which something happens to this case by itself, changes of its system among it."""
    if case.status != "open" or case.due_at is None or not system.later:
        return wake_at(case)
    own, change = wake_at(case), escalate.redating(system, case.policy)
    return own if change is None or own is None else min(own, max(change.from_at, case.level_at))


def fire(turn: Turn, at: int) -> None:
    """The one thing this case does by itself at its `next_at`."""
    case = turn.case
    match case.status:
        case "open" if wake_at(case) != at:
            escalate.redate(turn, at)
        case "open" if case.warn_at is not None:
            escalate.warn(turn, at)
        case "open":
            escalate.time_out(turn, at)
        case "disposed":
            feedback.call_due(turn, at)
        case "closed" | "recorded" | "expected":
            raise AssertionError("the stage ends what has run out")


def reject(turn: Turn, command: c.Command, reason: str) -> None:
    """The command changes nothing, and this fact says why."""
    head = turn.head("command-rejected", command.at, seq=turn.case.seq)
    turn.tell(CommandRejected(*head, command=tag(command), command_id=command.id, reason=reason))
