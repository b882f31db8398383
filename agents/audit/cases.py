"""Follows every case by its facts alone: each due instant fired once, none for a case that had no clock running.

Nothing of the case machine is used here; the only figures taken from the profile are the warning's lead and the
spacing of calls.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from agents.audit.log import Log
from agents.audit.report import Findings, Result
from schemas import events as e
from schemas import topics as t
from schemas.codec import decoder
from streams.profiles.due import Kind, due_at
from streams.profiles.load import profile
from streams.profiles.profile import Profile

_decode: Final[Callable[[bytes], Any]] = decoder(e.Event)


class Follower:
    """What must come next of one case. Instants are UTC ms."""

    __slots__ = ("call_at", "due_at", "fired", "kind", "level_at", "profile", "redated_at", "seq", "system", "warned")

    def __init__(self, rules: Profile) -> None:
        """`rules` is the first version of its system's profile."""
        self.system = self.profile = rules
        self.kind = Kind("complaint", "")
        self.level_at = self.redated_at = 0
        self.seq = 0
        self.due_at: int | None = None
        """The clock that runs."""
        self.call_at: int | None = None
        """When the next feedback call falls due."""
        self.warned: int | None = None
        """The due instant that was warned of."""
        self.fired: int | None = None
        """The instant of a time-out whose escalation must come next, at the levels below the last."""

    def see(self, fact: Any) -> str | None:
        """Take the next fact; answer what is wrong with it."""
        if isinstance(fact, e.CommandRejected):
            return (
                None
                if fact.seq == self.seq
                else f"a rejection repeats the sequence number {self.seq}, this one is {fact.seq}"
            )
        if fact.seq != self.seq + 1:
            return f"sequence number {fact.seq} after {self.seq}"
        self.seq = fact.seq
        self.profile = self.system.named(fact.because.policy)
        if self.fired is not None and not isinstance(fact, e.CaseEscalated):
            self.fired = None
            return "a due instant passed below the last level and the case did not go up"
        rule = RULES.get(type(fact))
        return None if rule is None else rule(self, fact)

    def overdue(self, until: int) -> str | None:
        """What should have fired up to `until` and did not."""
        if self.due_at is not None and self.due_at <= until:
            return f"its due instant {self.due_at} has passed and did not fire"
        if self.call_at is not None and self.call_at <= until:
            return f"its feedback call of {self.call_at} has not fallen due"
        return None


def _registered(case: Follower, fact: e.CaseRegistered) -> str | None:
    case.kind = Kind(fact.case_type, fact.category, fact.source)
    return None


def _begun(case: Follower, fact: Any, level: int) -> str | None:
    """A level begins, with the rules in force and its full time."""
    case.due_at, case.call_at, case.level_at, case.redated_at = fact.due_at, None, fact.at, 0
    if fact.because.policy != case.system.at(fact.at).version:
        return f"decided by {fact.because.policy}, in force was {case.system.at(fact.at).version}"
    due = due_at(case.profile, level, case.kind, fact.at)
    return None if fact.due_at == due else f"due at {fact.due_at} at level {level}, not at {due}"


def _routed(case: Follower, fact: e.CaseRouted) -> str | None:
    if fact.due_at is None:
        return None
    return _begun(case, fact, fact.level)


def _same_clock(case: Follower, fact: e.CaseMarked) -> str | None:
    return None if fact.due_at == case.due_at else "marking down moved its due instant"


def _sent(case: Follower, fact: e.CaseSentUp | e.CaseSentBack) -> str | None:
    return _begun(case, fact, fact.to_level)


def _revived(case: Follower, fact: e.CaseRevived) -> str | None:
    running = case.due_at
    return "revived while it was pending" if running is not None else _begun(case, fact, fact.level)


def _redated(case: Follower, fact: e.CaseRedated) -> str | None:
    wrong = fact.from_due_at != case.due_at
    case.due_at, case.redated_at = fact.due_at, fact.at
    due = max(fact.at, due_at(case.profile, fact.level, case.kind, case.level_at))
    return "a new due instant for another clock" if wrong or due != fact.due_at else None


def _transferred(case: Follower, fact: e.CaseTransferred) -> str | None:
    case.kind = case.kind._replace(category=fact.category)
    return None if fact.due_at == case.due_at else "a transfer moved its due instant"


def _warned(case: Follower, fact: e.DefaulterWarned) -> str | None:
    wanted = None if case.due_at is None else max(case.due_at - case.profile.warn_before_ms, case.redated_at)
    if fact.at != wanted or case.warned == case.due_at:
        return "a warning at the wrong instant, or twice"
    case.warned = case.due_at
    return None


def _defaulted(case: Follower, fact: e.BecameDefaulter) -> str | None:
    if not fact.at == fact.due_at == case.due_at:
        return f"a time-out at {fact.at} for a case whose clock stands at {case.due_at}"
    case.due_at = None
    case.fired = fact.at if case.profile.goes_up(fact.level) else None
    return None


def _escalated(case: Follower, fact: e.CaseEscalated) -> str | None:
    fired, running, case.fired = case.fired, case.due_at, None
    wrong = _begun(case, fact, fact.to_level)
    if fact.cause == "time-out" and fired != fact.at:
        return "went up by time-out without a due instant"
    if fact.cause == "dissatisfaction" and running is not None:
        return "went up by dissatisfaction while it was pending"
    return wrong


def _withdrawn(case: Follower, fact: e.EscalationWithdrawn) -> str | None:
    case.due_at = fact.due_at
    return None if fact.at < fact.due_at else "a time-out taken back for a disposal that was not in time"


def _disposed(case: Follower, fact: e.CaseDisposed) -> str | None:
    late = case.due_at is not None and fact.at > case.due_at
    case.due_at, case.call_at = None, fact.call_at
    return "disposed after a due instant that had not fired" if late else None


def _call_due(case: Follower, fact: e.FeedbackCallDue) -> str | None:
    wanted, case.call_at = case.call_at, fact.at + case.profile.feedback.spacing_ms
    return None if fact.at == wanted else f"a feedback call at {fact.at}, not at {wanted}"


def _attempted(case: Follower, fact: e.FeedbackAttempted) -> str | None:
    if fact.outcome == "no-outcome":
        return None if fact.at == case.call_at else "a call was given up before the next one fell due"
    case.call_at = fact.at + case.profile.feedback.spacing_ms
    return None


def _ended(case: Follower, fact: e.SpecialClosed | e.ForceClosed) -> str | None:  # noqa: ARG001 - one of RULES
    case.due_at = case.call_at = None
    return None


def _closed(case: Follower, fact: e.CaseClosed) -> str | None:  # noqa: ARG001 - one of RULES
    wrong = case.due_at is not None
    case.due_at = case.call_at = None
    return "closed while an office's clock ran" if wrong else None


RULES: Final[dict[type[Any], Callable[[Follower, Any], str | None]]] = {
    e.CaseRegistered: _registered,
    e.CaseRouted: _routed,
    e.CaseTransferred: _transferred,
    e.DefaulterWarned: _warned,
    e.BecameDefaulter: _defaulted,
    e.CaseEscalated: _escalated,
    e.EscalationWithdrawn: _withdrawn,
    e.CaseDisposed: _disposed,
    e.FeedbackCallDue: _call_due,
    e.FeedbackAttempted: _attempted,
    e.CaseClosed: _closed,
    e.CaseMarked: _same_clock,
    e.CaseRevived: _revived,
    e.CaseSentUp: _sent,
    e.CaseSentBack: _sent,
    e.CaseRedated: _redated,
    e.SpecialClosed: _ended,
    e.ForceClosed: _ended,
}
FIRED: Final[dict[type[e.Event], str]] = {
    e.BecameDefaulter: "due instants fired",
    e.DefaulterWarned: "warnings",
    e.FeedbackCallDue: "feedback calls due",
}


def check(log: Log) -> Result:
    """Every due instant of an open case fired once; nothing fired for a case without a running clock."""
    findings, figures = Findings(), Counter[str]()
    until = log.now()
    cases: dict[str, Follower] = {}
    for entry in log.read(t.CASE_EVENTS):
        fact = _decode(entry.value or b"")
        if fact.system == "unknown":  # a rejection for a number that is nobody's case
            continue
        case = cases.get(fact.case)
        if case is None:
            case = cases[fact.case] = Follower(profile(fact.system))
        wrong = case.see(fact)
        if wrong is not None:
            findings.add(f"case {fact.case}, fact {fact.seq}: {wrong}")
        name = FIRED.get(type(fact))
        if name is not None:
            figures[name] += 1
    for number, case in cases.items():
        late = case.overdue(until)
        if late is not None:
            findings.add(f"case {number}: {late}")
    running = sum(case.due_at is not None for case in cases.values())
    return findings.result(
        "due instants",
        "each of an open case fired once, none for a case closed before",
        {"cases": len(cases), **figures, "clocks running": running},
    )
