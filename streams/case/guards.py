"""Why a command cannot be taken though the case's status allows it: one guard per rule, each with its reason."""

from schemas import commands as c
from schemas.base import Place
from streams.case.route import route
from streams.case.turn import Turn
from streams.intake.validate import place_faults
from streams.profiles.places import district


def owner(turn: Turn, command: c.Officered) -> str | None:
    """An officer acts only on a case of his own office; a system of record names no office."""
    office = command.by.office
    if office is None or office == turn.case.office:
        return None
    # one who held the case before the latest time-outs may report what he did in time
    return None if any(office == each.office and command.at < each.due_at for each in turn.case.before) else "not-owner"


def current(turn: Turn, command: c.Officered) -> str | None:
    """A report from before the case came to this level is out of date, unless it came up by time-out alone."""
    case = turn.case
    return "superseded" if command.at < case.level_at and not case.before else None


def target(turn: Turn, command: c.Transfer) -> str | None:
    if command.category is None and command.place is None:
        return "no-target"
    if command.category is not None and command.category not in turn.profile.categories:
        return "unknown-category"
    if command.place is not None and district(turn.profile, command.place.district, command.at) is None:
        return "unknown-district"
    return None


def in_time(turn: Turn, command: c.Reopen) -> str | None:
    closed_at = turn.case.closed_at
    return None if closed_at is not None and command.at <= closed_at + turn.profile.reopen_ms else "reopen-too-late"


def nothing_proposed(turn: Turn, command: c.Officered) -> str | None:  # noqa: ARG001 - one of the guards
    return None if turn.case.proposal is None else "decision-pending"


def disposal(turn: Turn, command: c.Dispose) -> str | None:
    """The kinds of disposal this system knows."""
    closing = turn.profile.closing
    if command.kind == "partial" and not closing.partial:
        return "no-partial-close"
    if closing.relief and command.relief is None and turn.case.status != "recorded":
        return "relief-not-stated"
    return "relief-not-asked" if command.relief is not None and not closing.relief else None


def markable(turn: Turn, command: c.MarkDown) -> str | None:
    if not turn.profile.marking:
        return "no-marking"
    if command.to_level >= turn.case.level:
        return "not-below"
    if command.place is None:
        return None
    if command.place.district != turn.case.district:
        return "other-district"
    return "unknown-place" if any(place_faults(turn.profile, command.place, command.at)) else None


def special(turn: Turn, command: c.ProposeClose) -> str | None:
    rule = turn.profile.closing.special
    if rule is None:
        return "no-special-close"
    return None if command.reason in rule.reasons else "unknown-reason"


def decider(turn: Turn, command: c.DecideClose) -> str | None:
    proposal = turn.case.proposal
    if proposal is None:
        return "nothing-proposed"
    return None if command.by.office in (None, proposal.office) else "not-decider"


def forceable(turn: Turn, command: c.ForceClose) -> str | None:
    rule = turn.profile.closing.forced
    if rule == "forbidden":
        return "force-close-forbidden"
    if command.reason not in rule.reasons:
        return "unknown-reason"
    if rule.told_first and turn.case.told_at is None:
        return "citizen-not-told"
    return "not-signed" if rule.signed and command.by.officer is None else None


def conditions(turn: Turn, command: c.SendUp) -> str | None:
    listed = turn.profile.levels[turn.case.level - 1].sent_up_for
    if not listed:
        return "not-sent-up-from-this-level"
    return None if command.condition in listed else "unknown-condition"


def sends_back(turn: Turn, command: c.SendBack) -> str | None:  # noqa: ARG001 - one of the guards
    return None if turn.profile.levels[turn.case.level - 1].sends_back else "not-sent-back-from-this-level"


def gradable(turn: Turn, command: c.GradeDisposal) -> str | None:
    """Seniors grade: an office of a level above the one that made the disposal, once."""
    case, profile = turn.case, turn.profile
    if not profile.closing.graded:
        return "no-grades"
    if not case.disposed_level:
        return "not-disposed"
    if case.graded:
        return "graded-already"
    if command.by.office is None:
        return None
    place = Place(case.district, case.units)
    seniors = {
        route(profile, case.department, place, level, category=case.category, case_type=case.case_type).id
        for level in range(case.disposed_level + 1, profile.last_level + 1)
    }
    return None if command.by.office in seniors else "not-senior"
