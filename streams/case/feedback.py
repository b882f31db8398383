"""After disposal: feedback calls, what the citizen says on them, and closing."""

from schemas.base import ClosingOutcome
from schemas.commands import CallUnreachable, ConfirmSatisfied, Reopen, ReportDissatisfied
from schemas.events import (
    CaseClosed,
    CaseReopened,
    CitizenDissatisfied,
    CitizenSatisfied,
    FeedbackAttempted,
    FeedbackCallDue,
)
from streams.case import escalate
from streams.case.turn import Turn


def close(turn: Turn, at: int, outcome: ClosingOutcome, rule: str) -> None:
    turn.tell(CaseClosed(*turn.head(rule, at), outcome=outcome, age_ms=max(0, at - turn.case.registered_at)))


def call_due(turn: Turn, at: int) -> None:
    """A feedback call falls due; when the last one brought no answer either, the case closes, never as satisfied."""
    case, rule = turn.case, turn.profile.feedback
    if not case.answered:
        turn.tell(
            FeedbackAttempted(*turn.head("no-outcome-before-next-call", at), attempt=case.attempt, outcome="no-outcome")
        )
    if case.attempt >= rule.attempts:
        close(turn, at, "satisfaction-unknown", "feedback-attempts-used-up")
    else:
        turn.tell(FeedbackCallDue(*turn.head("feedback-call", at), attempt=case.attempt + 1, contact=case.contact))


def unreachable(turn: Turn, command: CallUnreachable) -> None:
    """A call reached nobody. One made before it fell due counts as well."""
    case = turn.case
    attempt = case.attempt + 1 if case.answered else case.attempt
    turn.tell(FeedbackAttempted(*turn.head("call-reached-nobody", command.at), attempt=attempt, outcome="unreachable"))
    if attempt >= turn.profile.feedback.attempts:
        close(turn, command.at, "satisfaction-unknown", "feedback-attempts-used-up")


def satisfied(turn: Turn, command: ConfirmSatisfied) -> None:
    turn.tell(CitizenSatisfied(*turn.head("citizen-satisfied", command.at), recording=command.recording))
    close(turn, command.at, "satisfied", "citizen-satisfied")


def dissatisfied(turn: Turn, command: ReportDissatisfied) -> None:
    """A line for the dissatisfaction register, then up a level."""
    turn.tell(
        CitizenDissatisfied(
            *turn.head("citizen-dissatisfied", command.at),
            reason=command.reason,
            recording=command.recording,
            disposed_level=turn.case.level,
            text=command.text,
        )
    )
    escalate.dissatisfied(turn, command.at, command.reason, command.recording)


def reopen(turn: Turn, command: Reopen) -> None:
    """The citizen comes back in time: as dissatisfaction."""
    turn.tell(
        CaseReopened(*turn.head("reopened-in-time", command.at), reason=command.reason, recording=command.recording)
    )
    escalate.dissatisfied(turn, command.at, command.reason, command.recording)
