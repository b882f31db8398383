"""How a fact changes a case: `evolve(case, fact) -> case`, one row per fact."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from schemas import events as e
from streams.case.state import Before, Case, Proposal
from streams.profiles.profile import Profile
from streams.profiles.rules import Evidence

Change = Callable[[Case, Any, Profile], dict[str, Any]]


def evolve(case: Case, fact: e.Event, profile: Profile) -> Case:
    """The case after the fact; a rejection changes nothing."""
    if type(fact) is e.CommandRejected:
        return case
    return replace(case, seq=fact.seq, **CHANGES[type(fact)](case, fact, profile))


def _clock(profile: Profile, due_at: int | None) -> dict[str, Any]:
    return {"due_at": due_at, "warn_at": None if due_at is None else due_at - profile.warn_before_ms}


def _nothing(_case: Case, _fact: e.Event, _profile: Profile) -> dict[str, Any]:
    return {}


def _registered(_case: Case, fact: e.CaseRegistered, _profile: Profile) -> dict[str, Any]:
    return {
        "registered_at": fact.at,
        "status": "recorded",
        "level": fact.level,
        "office": fact.office,
        "source": fact.source,
        "forget_at": None,
    }


def _routed(_case: Case, fact: e.CaseRouted, profile: Profile) -> dict[str, Any]:
    timed = fact.due_at is not None
    return {
        "status": "open" if timed else "recorded",
        "policy": fact.because.policy,
        "level": fact.level,
        "office": fact.office,
        "level_at": fact.at,
        "forget_at": None if timed else fact.at + profile.forget_after_ms,
        **_clock(profile, fact.due_at),
    }


def _transferred(_case: Case, fact: e.CaseTransferred, _profile: Profile) -> dict[str, Any]:
    return {
        "department": fact.department,
        "category": fact.category,
        "district": fact.district,
        "units": fact.place.units,
        "office": fact.office,
        "before": (),
        "proposal": None,
    }


def _disposed(_case: Case, fact: e.CaseDisposed, _profile: Profile) -> dict[str, Any]:
    return {
        "status": "disposed",
        "due_at": None,
        "warn_at": None,
        "call_at": fact.call_at,
        "attempt": 0,
        "answered": True,
        "before": (),
        "proposal": None,
        "graded": False,
        "disposed_level": fact.level,
        "evidence": _evidence(fact),
    }


def _evidence(fact: e.CaseDisposed) -> tuple[Evidence, ...]:
    told: dict[Evidence, bool] = {"site-visit": fact.site_visit, "talked-to-complainant": fact.talked_to_complainant}
    return tuple(kind for kind, given in told.items() if given)


def _call_due(_case: Case, fact: e.FeedbackCallDue, profile: Profile) -> dict[str, Any]:
    return {"attempt": fact.attempt, "answered": False, "call_at": fact.at + profile.feedback.spacing_ms}


def _attempted(_case: Case, fact: e.FeedbackAttempted, profile: Profile) -> dict[str, Any]:
    # an unanswered call moves the next one; a missing report does not: its successor is falling due right now
    moved = {"call_at": fact.at + profile.feedback.spacing_ms} if fact.outcome == "unreachable" else {}
    return {"attempt": fact.attempt, "answered": True, **moved}


def _escalated(case: Case, fact: e.CaseEscalated, profile: Profile) -> dict[str, Any]:
    before: tuple[Before, ...] = ()
    if fact.cause == "time-out":
        before = (*case.before, Before(case.level, case.office, fact.at, case.level_at, case.policy, fact.breach))
    again = case.reexamined + (fact.from_level == fact.to_level)
    return {**_arrived(fact, profile, fact.due_at), "reexamined": again, "before": before}


def _arrived(fact: e.CaseEvent, profile: Profile, due_at: int | None) -> dict[str, Any]:
    """A level begins, and with it its time and the rules in force."""
    return {
        "status": "open",
        "policy": fact.because.policy,
        "level": fact.level,
        "office": fact.office,
        "level_at": fact.at,
        "call_at": None,
        "closed_at": None,
        "forget_at": None,
        "before": (),
        "proposal": None,
        **_clock(profile, due_at),
    }


def _sent(_case: Case, fact: e.CaseSentUp | e.CaseSentBack, profile: Profile) -> dict[str, Any]:
    return _arrived(fact, profile, fact.due_at)


def _revived(case: Case, fact: e.CaseRevived, profile: Profile) -> dict[str, Any]:
    return {**_arrived(fact, profile, fact.due_at), "reexamined": case.reexamined + 1}


def _marked(_case: Case, fact: e.CaseMarked, _profile: Profile) -> dict[str, Any]:
    return {"level": fact.level, "office": fact.office, "units": fact.place.units, "before": (), "proposal": None}


def _proposed(_case: Case, fact: e.CloseProposed, _profile: Profile) -> dict[str, Any]:
    proposal = Proposal(
        fact.kind, fact.by, fact.decider_level, fact.decider_office, fact.text, fact.reason,
        fact.talked_to_complainant, fact.site_visit, fact.relief,
    )  # fmt: skip
    return {"proposal": proposal}


def _returned(_case: Case, _fact: e.CloseReturned, _profile: Profile) -> dict[str, Any]:
    return {"proposal": None}


def _told(_case: Case, fact: e.CitizenTold, _profile: Profile) -> dict[str, Any]:
    return {"told_at": fact.at}


def _graded(_case: Case, _fact: e.DisposalGraded, _profile: Profile) -> dict[str, Any]:
    return {"graded": True}


def _redated(_case: Case, fact: e.CaseRedated, profile: Profile) -> dict[str, Any]:
    warn_at = max(fact.at, fact.due_at - profile.warn_before_ms)
    return {"policy": fact.because.policy, "due_at": fact.due_at, "warn_at": warn_at}


def _withdrawn(case: Case, _fact: e.EscalationWithdrawn, _profile: Profile) -> dict[str, Any]:
    *earlier, last = case.before
    return {
        "level": last.level,
        "office": last.office,
        "level_at": last.level_at,
        "due_at": last.due_at,
        "warn_at": None,
        "before": tuple(earlier),
        "policy": last.policy or case.policy,
        "proposal": None,
    }


def _warned(_case: Case, _fact: e.DefaulterWarned, _profile: Profile) -> dict[str, Any]:
    return {"warn_at": None}


def _defaulted(case: Case, _fact: e.BecameDefaulter, profile: Profile) -> dict[str, Any]:
    return {} if profile.goes_up(case.level) else {"due_at": None}


def _closed(_case: Case, fact: e.CaseClosed | e.SpecialClosed | e.ForceClosed, profile: Profile) -> dict[str, Any]:
    return {
        "status": "closed",
        "due_at": None,
        "warn_at": None,
        "call_at": None,
        "proposal": None,
        "closed_at": fact.at,
        "forget_at": fact.at + profile.forget_after_ms,
    }


CHANGES: dict[type[Any], Change] = {
    e.CaseRegistered: _registered,
    e.DuplicateLinked: _nothing,
    e.CaseRouted: _routed,
    e.CaseViewed: _nothing,
    e.NoteAdded: _nothing,
    e.PendencyReasonGiven: _nothing,
    e.CaseTransferred: _transferred,
    e.CaseDisposed: _disposed,
    e.FeedbackCallDue: _call_due,
    e.FeedbackAttempted: _attempted,
    e.CitizenSatisfied: _nothing,
    e.CitizenDissatisfied: _nothing,
    e.CaseEscalated: _escalated,
    e.EscalationWithdrawn: _withdrawn,
    e.DefaulterWarned: _warned,
    e.BecameDefaulter: _defaulted,
    e.CaseClosed: _closed,
    e.CaseReopened: _nothing,
    e.CaseMarked: _marked,
    e.CaseRevived: _revived,
    e.CloseProposed: _proposed,
    e.CloseReturned: _returned,
    e.SpecialClosed: _closed,
    e.CitizenTold: _told,
    e.ForceClosed: _closed,
    e.CaseSentUp: _sent,
    e.CaseSentBack: _sent,
    e.DisposalGraded: _graded,
    e.CaseRedated: _redated,
}
