"""What offices do with a case: look, note, give a reason, transfer, dispose."""

from schemas.base import Actor, Place
from schemas.commands import AddNote, DecideClose, Dispose, GivePendencyReason, Transfer, View
from schemas.events import (
    CaseDisposed,
    CaseTransferred,
    CaseViewed,
    EscalationWithdrawn,
    NoteAdded,
    PendencyReasonGiven,
)
from streams.case import closing
from streams.case.feedback import close
from streams.case.route import route
from streams.case.turn import Turn


def view(turn: Turn, command: View) -> None:
    turn.tell(CaseViewed(*turn.head("viewed", command.at), by=command.by))


def note(turn: Turn, command: AddNote) -> None:
    turn.tell(NoteAdded(*turn.head("noted", command.at), by=command.by, text=command.text))


def pendency_reason(turn: Turn, command: GivePendencyReason) -> None:
    head = turn.head("reason-given", command.at)
    turn.tell(PendencyReasonGiven(*head, by=command.by, reason=command.reason, text=command.text))


def transfer(turn: Turn, command: Transfer) -> None:
    """Same level, other office; the due instant stays where it was."""
    case, profile = turn.case, turn.profile
    category = command.category or case.category
    place = command.place or Place(case.district, case.units)
    department = profile.categories[category].department
    office = route(profile, department, place, case.level, category=category, case_type=case.case_type)
    restricted = profile.restriction(department, category)
    head = turn.head(
        "transferred-same-clock", command.at, office=office.id, department=department, district=place.district
    )
    turn.tell(
        CaseTransferred(
            *head,
            by=command.by,
            from_office=case.office,
            from_department=case.department,
            from_district=case.district,
            category=category,
            place=place,
            due_at=case.due_at,
            restricted=None if restricted is None else restricted[0],
            visible_to=() if restricted is None else restricted[1].roles,
        )
    )


def dispose(turn: Turn, command: Dispose) -> None:
    """The office reports the matter settled; where a senior office has to approve, it waits for that."""
    case, approved_at = turn.case, turn.profile.closing.approved_at
    if approved_at is not None and case.level < approved_at and case.status != "recorded":
        closing.report(turn, command, approved_at)
    else:
        settle(turn, command)


def decide(turn: Turn, command: DecideClose) -> None:
    """The senior office approves what was reported or proposed, or returns it."""
    proposal = turn.case.proposal
    assert proposal is not None
    match proposal.kind:
        case _ if not command.approve:
            closing.returned(turn, command, proposal)
        case "special":
            closing.special(turn, command, proposal)
        case "full" | "partial" as kind:
            report = Dispose(
                command.id, command.case, command.at, proposal.by, proposal.text, proposal.talked_to_complainant,
                proposal.site_visit, kind, proposal.relief,
            )  # fmt: skip
            settle(turn, report, approved_by=command.by)


def settle(turn: Turn, command: Dispose, approved_by: Actor | None = None) -> None:
    """Settled; a disposal made in time that comes late is decided by the profile."""
    case, profile = turn.case, turn.profile
    rule = "disposed" if approved_by is None else "report-approved"
    if command.at < case.level_at:
        rule = f"late-disposal-{profile.late_disposal}s-escalation"
        if profile.late_disposal == "withdraw":
            _withdraw(turn, rule, command.at)
    recorded, calls = case.status == "recorded", profile.feedback.attempts
    turn.tell(
        CaseDisposed(
            *turn.head(rule, command.at),
            by=command.by,
            remarks=command.remarks,
            talked_to_complainant=command.talked_to_complainant,
            site_visit=command.site_visit,
            age_ms=max(0, command.at - case.registered_at),
            call_at=None if recorded or not calls else command.at + profile.feedback.first_after_ms,
            timed=not recorded,
            kind=command.kind,
            relief=command.relief,
            approved_by=approved_by,
        )
    )
    if recorded:
        close(turn, command.at, "recorded", "no-clock-no-feedback")
    elif not calls:
        close(turn, command.at, "satisfaction-unknown", "nobody-calls-in-this-system")


def _withdraw(turn: Turn, rule: str, at: int) -> None:
    """Take back the time-outs that fell due after the disposal was made, newest first."""
    while turn.case.before and at < turn.case.before[-1].due_at:
        level, last = turn.case.level, turn.case.before[-1]
        turn.profile = turn.system.named(last.policy or turn.case.policy)
        head = turn.head(rule, at, level=last.level, office=last.office)
        turn.tell(
            EscalationWithdrawn(*head, from_level=level, to_level=last.level, due_at=last.due_at, breach=last.breach)
        )
