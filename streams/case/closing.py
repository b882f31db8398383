"""Endings that need a senior office or settle nothing: reports to approve, special and forced closing, grades."""

from typing import get_args

from schemas.base import Grade, Place
from schemas.commands import DecideClose, Dispose, ForceClose, GradeDisposal, ProposeClose, TellCitizen
from schemas.events import CitizenTold, CloseProposed, CloseReturned, DisposalGraded, ForceClosed, SpecialClosed
from streams.case.route import route
from streams.case.state import Proposal
from streams.case.turn import Turn


def report(turn: Turn, command: Dispose, level: int) -> None:
    """A disposal that a senior office has to approve."""
    proposal = Proposal(
        kind=command.kind,
        by=command.by,
        level=level,
        office=_decider(turn, level),
        text=command.remarks,
        talked_to_complainant=command.talked_to_complainant,
        site_visit=command.site_visit,
        relief=command.relief,
    )
    _propose(turn, command.at, "report-needs-approval", proposal)


def propose(turn: Turn, command: ProposeClose) -> None:
    """A special close goes to the level that decides it; above that level the office that has the case decides."""
    rule = turn.profile.closing.special
    assert rule is not None
    level = max(rule.decided_at, turn.case.level)
    proposal = Proposal("special", command.by, level, _decider(turn, level), command.text, command.reason)
    _propose(turn, command.at, "special-close-needs-decision", proposal)


def _decider(turn: Turn, level: int) -> str:
    case = turn.case
    place = Place(case.district, case.units)
    return route(turn.profile, case.department, place, level, category=case.category, case_type=case.case_type).id


def _propose(turn: Turn, at: int, rule: str, proposal: Proposal) -> None:
    turn.tell(
        CloseProposed(
            *turn.head(rule, at),
            by=proposal.by,
            kind=proposal.kind,
            decider_level=proposal.level,
            decider_office=proposal.office,
            text=proposal.text,
            reason=proposal.reason,
            talked_to_complainant=proposal.talked_to_complainant,
            site_visit=proposal.site_visit,
            relief=proposal.relief,
        )
    )


def returned(turn: Turn, command: DecideClose, proposal: Proposal) -> None:
    head = turn.head("not-approved-work-goes-on", command.at)
    turn.tell(CloseReturned(*head, by=command.by, kind=proposal.kind, text=command.text))


def special(turn: Turn, command: DecideClose, proposal: Proposal) -> None:
    assert proposal.reason is not None
    turn.tell(
        SpecialClosed(
            *turn.head("special-close-approved", command.at),
            by=command.by,
            proposed_by=proposal.by,
            reason=proposal.reason,
            age_ms=max(0, command.at - turn.case.registered_at),
        )
    )


def tell(turn: Turn, command: TellCitizen) -> None:
    head = turn.head("citizen-told", command.at)
    turn.tell(CitizenTold(*head, by=command.by, text=command.text, recording=command.recording))


def force(turn: Turn, command: ForceClose) -> None:
    case = turn.case
    turn.tell(
        ForceClosed(
            *turn.head("closed-without-settlement", command.at),
            by=command.by,
            reason=command.reason,
            text=command.text,
            told_at=case.told_at,
            age_ms=max(0, command.at - case.registered_at),
            was_disposed=case.status == "disposed",
            timed=case.status != "recorded",
        )
    )


def grade(turn: Turn, command: GradeDisposal) -> None:
    """The grade counts at the level that made the disposal, wherever the case is now; missing evidence lowers it."""
    case, grades = turn.case, get_args(Grade)
    missing = set(turn.profile.closing.evidence) - set(case.evidence)
    counted: Grade = grades[min(grades.index(command.grade) + len(missing), len(grades) - 1)]
    lowered = counted != command.grade
    turn.tell(
        DisposalGraded(
            *turn.head("graded-lower-without-evidence" if lowered else "graded-by-senior", command.at),
            by=command.by,
            grade=counted,
            disposed_level=case.disposed_level,
            text=command.text,
            given=command.grade if lowered else None,
        )
    )
