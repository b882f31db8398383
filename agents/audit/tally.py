"""Counts what the logs say happened, in the terms of a ground truth (`agents/simulate/truth.py`)."""

from collections import Counter, defaultdict
from typing import Any, Final

from schemas import commands as c
from schemas import events as e
from schemas import topics as t
from schemas.base import Record, Wake
from schemas.codec import tag
from schemas.intake import IntakeRejected, IntakeRepeated
from schemas.sms import SmsRequested

TAKEN: Final[dict[type[Any], type[Any]]] = {
    e.CaseViewed: c.View,
    e.NoteAdded: c.AddNote,
    e.PendencyReasonGiven: c.GivePendencyReason,
    e.CaseTransferred: c.Transfer,
    e.CaseDisposed: c.Dispose,
    e.CitizenSatisfied: c.ConfirmSatisfied,
    e.CitizenDissatisfied: c.ReportDissatisfied,
    e.CaseReopened: c.Reopen,
    e.CaseMarked: c.MarkDown,
    e.CloseProposed: c.ProposeClose,
    e.CloseReturned: c.DecideClose,
    e.SpecialClosed: c.DecideClose,
    e.CitizenTold: c.TellCitizen,
    e.ForceClosed: c.ForceClose,
    e.CaseSentUp: c.SendUp,
    e.CaseSentBack: c.SendBack,
    e.DisposalGraded: c.GradeDisposal,
}
"""The fact that says a command was taken; `FeedbackAttempted` says it of a call where its outcome is `unreachable`."""
BY_INTAKE: Final = frozenset({tag(c.Register), tag(c.LinkDuplicate)})


class Tally:
    """Fed with records in the order of their logs, each topic's partitions one after the other or mixed."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)
        self._sent = 0
        self._standing: dict[str, str] = {}

    def see(self, topic: str, record: Record) -> None:
        """Count one record of a topic."""
        match topic:
            case t.CASE_EVENTS:
                self._fact(record)
            case t.CASE_COMMANDS:
                self._command(record)
            case t.INTAKE_REJECTED:
                self._refused(record)
            case t.SMS_REQUESTED if isinstance(record, SmsRequested):
                self._counts["sms"][f"{record.step} {record.audience}"] += 1
            case _:
                pass

    def dead(self, topic: str, error: str) -> None:
        """Count a dead letter of `topic`, by its error class."""
        if topic == t.INTAKE_SUBMITTED:
            self._counts["submissions"][f"dead {error}"] += 1
        elif topic == t.CASE_COMMANDS:
            self._counts["commands"][f"dead {error}"] += 1

    def shown(self) -> dict[str, dict[str, int]]:
        """All counts, by name as in the ground truth."""
        commands = self._counts["commands"]
        answered = sum(count for name, count in commands.items() if not name.startswith("dead "))
        waiting = {"waiting": self._sent - answered}
        standing = Counter(self._standing.values())
        names = ("submissions", "commands", "events", "escalations", "closed", "sms")
        found = {name: dict(sorted(self._counts[name].items())) for name in names}
        found["commands"] |= {name: count for name, count in waiting.items() if count}
        return found | {"standing": dict(sorted(standing.items()))}

    def _command(self, record: Record) -> None:
        match record:
            case c.Register():
                self._counts["submissions"]["registered"] += 1
            case c.LinkDuplicate():
                self._counts["submissions"]["duplicate"] += 1
            case Wake():
                pass
            case _:
                self._sent += 1

    def _refused(self, record: Record) -> None:
        match record:
            case IntakeRepeated():
                self._counts["submissions"]["repeated"] += 1
            case IntakeRejected(reason=reason):
                self._counts["submissions"][f"rejected {reason}"] += 1
            case _:
                pass

    def _fact(self, fact: Record) -> None:
        self._counts["events"][tag(fact)] += 1
        match fact:
            case e.CommandRejected(command=command, reason=reason) if command not in BY_INTAKE:
                self._counts["commands"][f"rejected {reason}"] += 1
            case e.FeedbackAttempted(outcome="unreachable"):
                self._counts["commands"]["taken"] += 1
            case _ if type(fact) in TAKEN:
                self._counts["commands"]["taken"] += 1
            case _:
                pass
        self._stand(fact)

    def _stand(self, fact: Record) -> None:
        match fact:
            case e.CaseRouted(due_at=None):
                self._standing[fact.case] = "recorded"
            case e.CaseRouted() | e.EscalationWithdrawn():
                self._standing[fact.case] = f"open L{fact.level}"
            case e.CaseEscalated(cause=cause, from_level=low, to_level=high):
                self._counts["escalations"][f"{cause} L{low} to L{high}"] += 1
                self._standing[fact.case] = f"open L{high}"
            case e.CaseDisposed():
                self._standing[fact.case] = "disposed"
            case e.CaseMarked() | e.CaseRevived() | e.CaseSentUp() | e.CaseSentBack():
                self._standing[fact.case] = f"open L{fact.level}"
            case e.CaseClosed(outcome=outcome):
                self._counts["closed"][outcome] += 1
                self._standing[fact.case] = "closed"
            case e.SpecialClosed() | e.ForceClosed():
                self._counts["closed"]["special" if isinstance(fact, e.SpecialClosed) else "forced"] += 1
                self._standing[fact.case] = "closed"
            case _:
                pass
