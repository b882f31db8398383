"""The counters of a system: which fact moves which."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from agents.readmodel.views import CaseView
from schemas import events as e
from schemas.intake import IntakeOutcome, IntakeRejected
from schemas.sms import SmsDeferred, SmsDelivery

OPEN: Final = "open"
DEFERRED: Final = "deferred"
COUNTED: Final[dict[type[e.Event], Callable[[Any], tuple[str, ...]]]] = {
    e.CaseRegistered: lambda fact: (
        "registered",
        f"type:{fact.case_type}",
        f"channel:{fact.channel}",
        *((f"source:{fact.source}",) if fact.source is not None else ()),
        *((f"restricted:{fact.restricted}",) if fact.restricted is not None else ()),
    ),
    e.DuplicateLinked: lambda _: ("duplicates",),
    e.CaseRouted: lambda fact: ("routed", "routed-to-fallback") if fact.fallback else ("routed",),
    e.CaseViewed: lambda _: ("viewed",),
    e.NoteAdded: lambda _: ("notes",),
    e.PendencyReasonGiven: lambda fact: (f"pendency-reason:{fact.reason}",),
    e.CaseTransferred: lambda _: ("transferred",),
    e.CaseDisposed: lambda fact: (
        "disposed",
        *(("disposed:partial",) if fact.kind == "partial" else ()),
        *((f"relief:{'yes' if fact.relief else 'no'}",) if fact.relief is not None else ()),
    ),
    e.FeedbackCallDue: lambda _: ("calls-due",),
    e.FeedbackAttempted: lambda fact: (f"calls:{fact.outcome}",),
    e.CitizenSatisfied: lambda _: ("satisfied",),
    e.CitizenDissatisfied: lambda fact: ("dissatisfied", f"dissatisfied:{fact.reason}"),
    e.CaseEscalated: lambda fact: (f"escalated:{fact.cause}", *(("breaches",) if fact.breach else ())),
    e.EscalationWithdrawn: lambda fact: ("escalations-withdrawn", *(("breaches-withdrawn",) if fact.breach else ())),
    e.DefaulterWarned: lambda _: ("warned",),
    e.BecameDefaulter: lambda _: ("defaulted",),
    e.CaseClosed: lambda fact: (f"closed:{fact.outcome}", "flagged") if fact.flagged else (f"closed:{fact.outcome}",),
    e.CaseReopened: lambda _: ("reopened",),
    e.CaseMarked: lambda _: ("marked-down",),
    e.CaseRevived: lambda _: ("revived",),
    e.CloseProposed: lambda fact: (f"proposed:{fact.kind}",),
    e.CloseReturned: lambda fact: (f"returned:{fact.kind}",),
    e.SpecialClosed: lambda fact: ("closed:special", f"special:{fact.reason}"),
    e.CitizenTold: lambda _: ("citizens-told",),
    e.ForceClosed: lambda fact: ("closed:forced", f"forced:{fact.reason}"),
    e.CaseSentUp: lambda fact: ("sent-up", f"sent-up:{fact.condition}"),
    e.CaseSentBack: lambda _: ("sent-back",),
    e.DisposalGraded: lambda fact: (f"grade:{fact.grade}",),
    e.CaseRedated: lambda _: ("redated",),
    e.CommandRejected: lambda fact: (f"rejected:{fact.reason}",),
}


def of_fact(fact: e.Event) -> tuple[str, ...]:
    return COUNTED[type(fact)](fact)


def of_change(before: CaseView | None, after: CaseView) -> Iterator[tuple[str, int]]:
    """How the number of open cases per level moves."""
    left = before.pending if before is not None else None
    come = after.pending
    if left != come:
        if left is not None:
            yield f"{OPEN}:{left.level}", -1
        if come is not None:
            yield f"{OPEN}:{come.level}", 1


def of_sms(fact: SmsDelivery | SmsDeferred) -> str:
    return f"sms:{DEFERRED if isinstance(fact, SmsDeferred) else fact.state}"


def of_intake(outcome: IntakeOutcome) -> str:
    return f"intake-rejected:{outcome.reason}" if isinstance(outcome, IntakeRejected) else "intake-repeated"
