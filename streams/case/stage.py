"""The stage of cases: one command in, facts decided, and everything that follows from the facts written with them."""

from collections.abc import Callable, Mapping
from functools import partial

from schemas import commands as c
from schemas import events as e
from schemas import topics as t
from schemas.base import Because, Wake
from schemas.codec import tag
from schemas.registry import department_feed
from streams.case.decide import decide, next_at, pass_time, reject, remember
from streams.case.project import project
from streams.case.register import decode_early, hold, opened, register
from streams.case.state import Case, fingerprint
from streams.case.state import wake_at as own_wake
from streams.case.turn import Turn
from streams.profiles.load import departments, profiles
from streams.profiles.profile import Profile
from streams.stage import Origin, Output, Refused, Stage, Step

Book = Callable[[], Mapping[str, Profile]]
"""The systems by id, each its first version."""


def step(book: Book, case: Case | None, record: c.CaseCommand, origin: Origin) -> Step[Case]:
    """Fold one record of `grievance.case.commands.v1` into its case."""
    systems = book()
    if isinstance(record, Wake):
        return _woken(systems, case, record, origin)
    before = None if case is None else _run_out(systems, case, record.at, origin)
    if before is None:
        return _commanded(systems, case, record, origin)
    state, outputs, refused = _commanded(systems, before.state, record, origin)
    return Step(state, before.outputs + outputs, refused)


def _commanded(
    systems: Mapping[str, Profile], case: Case | None, record: c.Register | c.LinkDuplicate | c.Action, origin: Origin
) -> Step[Case]:
    if isinstance(record, c.Register):
        return _register(systems, case, record, origin)
    if case is None or case.status == "expected":
        waiting = hold(case, record)
        if waiting is None:
            return Step(case, [], Refused("too-many-early", "too many commands wait for a case that is not registered"))
        return Step(waiting, [])
    turn = Turn(case, systems[case.system], origin.id)
    decide(turn, record)
    return _done(turn)


def _register(systems: Mapping[str, Profile], case: Case | None, command: c.Register, origin: Origin) -> Step[Case]:
    if case is not None and case.status != "expected":
        turn = Turn(case, systems[case.system], origin.id)
        pass_time(turn, command.at)
        reject(turn, command, "repeated" if fingerprint(command.id) in case.seen else "case-exists")
        return _done(turn)
    system = systems.get(command.system)
    if system is None:
        return Step(case, [], Refused("unknown-system", "no profile of this system is shipped with this worker"))
    profile = system.at(command.at)
    if command.category not in profile.categories:
        return Step(case, [], Refused("unknown-category", "the profile has no such category"))
    turn = Turn(opened(command, profile), system, origin.id)
    remember(turn, command.id)
    register(turn, command, () if case is None else case.early)
    return _done(turn, command)


def _woken(systems: Mapping[str, Profile], case: Case | None, wake: Wake, origin: Origin) -> Step[Case]:
    """A wake is taken only if it is the one the state wants: a stale or repeated one changes nothing."""
    if case is None or _wanted(systems, case) != wake.due_at:
        return Step(case, [])
    if _over(case, wake.due_at):
        return _end(case, origin)
    turn = Turn(case, systems[case.system], origin.id)
    pass_time(turn, wake.due_at)
    return _done(turn)


def _wanted(systems: Mapping[str, Profile], case: Case) -> int | None:
    system = systems.get(case.system)
    return own_wake(case) if system is None or not system.later else next_at(case, system)


def _over(case: Case, now: int) -> bool:
    """The time this state was to be kept has run out."""
    return case.forget_at is not None and case.forget_at <= now


def _run_out(systems: Mapping[str, Profile], case: Case, now: int, origin: Origin) -> Step[Case] | None:
    """How the time of this state ran out before `now`, though no wake has told it; None: it is still kept."""
    if _over(case, now):
        return _end(case, origin)
    due = _wanted(systems, case)
    if due is None or due > now or case.status == "expected":
        return None
    # what is due meanwhile may close the case, and be followed by the day on which it is forgotten
    turn = Turn(case, systems[case.system], origin.id)
    pass_time(turn, now)
    return Step(None, _done(turn).outputs) if _over(turn.case, now) else None


def _end(case: Case, origin: Origin) -> Step[Case]:
    """Forget the case; what waited for a registration that never came is rejected as facts."""
    return Step(None, _never_registered(case, origin))


def _never_registered(case: Case, origin: Origin) -> list[Output]:
    outputs = []
    for raw in case.early:
        command = decode_early(raw)
        because = Because("never-registered", "none", origin.id)
        rejected = e.CommandRejected(
            case.id, 0, command.at, "unknown", "complaint", 0, "unknown", 0, "none", because, None,
            command=tag(command), command_id=command.id, reason="unknown-case",
        )  # fmt: skip
        outputs.append(Output(t.CASE_EVENTS, case.id, rejected, command.at))
    return outputs


def _done(turn: Turn, command: c.Register | None = None) -> Step[Case]:
    return Step(turn.case, project(turn.facts, command))


def _writes() -> tuple[str, ...]:
    feeds = tuple(department_feed(department) for department in sorted(departments()))
    return (t.CASE_EVENTS, t.CLUSTER_SIGHTED, t.ESCALATION_RAISED, t.SMS_REQUESTED, t.SLA_FACTS, *feeds)


def stage(book: Book = profiles) -> Stage[Case]:
    """The stage over these systems (those shipped, unless told otherwise)."""
    return Stage(
        name="case",
        reads=t.CASE_COMMANDS,
        writes=_writes(),
        records=c.CaseCommand,
        state=Case,
        step=partial(step, book),
        wake_at=lambda case: _wanted(book(), case),
    )


CASE: Stage[Case] = stage()
