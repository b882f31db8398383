"""Up a level: by time-out at the due instant, by dissatisfaction, and what happens where neither takes it up."""

from schemas.base import DissatisfactionReason, EscalationCause, Place, Recording
from schemas.events import BecameDefaulter, CaseClosed, CaseEscalated, CaseRedated, CaseRevived, DefaulterWarned
from streams.case.route import route
from streams.case.turn import Turn
from streams.profiles.due import due_at
from streams.profiles.profile import Profile


def warn(turn: Turn, at: int) -> None:
    """The due instant is near."""
    assert turn.case.due_at is not None
    turn.tell(DefaulterWarned(*turn.head("warning-before-due", at), due_at=turn.case.due_at))


def time_out(turn: Turn, at: int) -> None:
    """The due instant has come and the case is not disposed: a defaulter, and up, where time takes it up."""
    case, profile = turn.case, turn.profile
    turn.tell(BecameDefaulter(*turn.head("due-instant-passed", at), due_at=at))
    if profile.goes_up(case.level):
        up(turn, at, "time-out", case.level + 1, f"time-out-of-level-{case.level}")


def dissatisfied(turn: Turn, at: int, reason: DissatisfactionReason, recording: Recording) -> None:
    """Not satisfied: up a level, or the same office again; when that is used up, closed and flagged."""
    case, profile = turn.case, turn.profile
    revives = profile.levels[case.level - 1].dissatisfied == "revive"
    if case.level < profile.last_level and not revives:
        up(turn, at, "dissatisfaction", case.level + 1, "dissatisfied-goes-up", reason, recording)
    elif case.reexamined < profile.reexaminations and revives:
        revive(turn, at, reason, recording)
    elif case.reexamined < profile.reexaminations:
        up(turn, at, "dissatisfaction", case.level, "dissatisfied-at-last-level-is-reexamined", reason, recording)
    else:
        head = turn.head("reexaminations-used-up", at)
        turn.tell(CaseClosed(*head, outcome="dissatisfied", age_ms=max(0, at - case.registered_at), flagged=True))


def up(
    turn: Turn,
    at: int,
    cause: EscalationCause,
    level: int,
    rule: str,
    reason: DissatisfactionReason | None = None,
    recording: Recording | None = None,
) -> None:
    """Escalate to `level` with its full time from `at`."""
    case, profile = turn.case, turn.begin_level(at)
    place = Place(case.district, case.units)
    office = route(profile, case.department, place, level, category=case.category, case_type=case.case_type)
    turn.tell(
        CaseEscalated(
            *turn.head(rule, at, level=level, office=office.id),
            cause=cause,
            from_level=case.level,
            to_level=level,
            from_office=case.office,
            to_office=office.id,
            age_ms=max(0, at - case.registered_at),
            due_at=due_at(profile, level, case.kind, at),
            reason=reason,
            recording=recording,
            breach=cause == "time-out" and profile.levels[level - 1].lapse_is_breach,
        )
    )


def revive(turn: Turn, at: int, reason: DissatisfactionReason, recording: Recording) -> None:
    """The same office works on it again, with its full time from `at`."""
    case, profile = turn.case, turn.begin_level(at)
    turn.tell(
        CaseRevived(
            *turn.head("dissatisfied-revives-at-the-same-office", at),
            reason=reason,
            recording=recording,
            times=case.reexamined + 1,
            due_at=due_at(profile, case.level, case.kind, at),
        )
    )


def redating(system: Profile, policy: str) -> Profile | None:
    """The next version after `policy` whose days also hold for running clocks. `system` is the first version."""
    if not system.later:
        return None
    since = system.named(policy).from_at
    return next((each for each in system.later if each.redates_running and each.from_at > since), None)


def redate(turn: Turn, at: int) -> None:
    """A change that holds for running clocks comes into force: the due instant moves, though never before now."""
    case, profile = turn.case, turn.begin_level(at)
    assert case.due_at is not None
    due = max(at, due_at(profile, case.level, case.kind, case.level_at))
    head = turn.head("change-of-days-holds-for-running-clocks", at)
    turn.tell(CaseRedated(*head, from_due_at=case.due_at, due_at=due))
