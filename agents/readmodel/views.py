"""What the read model holds of a case, an SMS, a window and a rejection, and how each follows from the log; pure."""

from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from schemas import events as e
from schemas.base import Attachment, CaseType, Channel, PendencyReason
from schemas.sla import Counts, SlaWindow
from schemas.sms import Audience
from streams.review.registers import Stay

Phase = Literal["registered", "open", "disposed", "closed", "recorded"]
"""`recorded`: no clock runs (information, suggestion)."""


class Pending(NamedTuple):
    """The unit a case is pending at."""

    district: int
    department: str
    level: int


class CaseView(Struct, frozen=True, omit_defaults=True):
    """A case as it stands after the fact `seq`. Instants are UTC ms."""

    case: str
    system: str
    case_type: CaseType
    channel: Channel | None
    category: str
    district: int
    units: dict[str, str]
    department: str
    level: int
    office: str
    status: Phase
    registered_at: int
    seq: int
    at: int
    """When the last fact happened."""
    facts: int = 1
    """How many stand in the timeline."""
    since: dict[int, int] = {}
    """Level -> since when the case is or was there."""
    due_at: int | None = None
    call_at: int | None = None
    closed_at: int | None = None
    outcome: str | None = None
    escalations: int = 0
    defaulted: int = 0
    duplicates: int = 0
    reopened: int = 0
    flagged: bool = False
    pendency_reason: PendencyReason | None = None
    """The last one given at the present level."""
    policy: str = ""
    stay: Stay | None = None
    """Where it is pending now."""
    earlier: tuple[Stay, ...] = ()
    """Stays ended by time-outs since anybody last acted: late news may take them back."""
    source: str | None = None
    restricted: str | None = None
    visible_to: tuple[str, ...] = ()
    """Roles that may see it, where it is restricted."""
    proposed: str | None = None
    """What waits for a senior office: `full`, `partial` or `special`."""
    decider_office: str | None = None
    revived: int = 0
    grade: str | None = None
    external: str | None = None
    """The number that the register it was transferred from knows it by."""
    attachments: tuple[Attachment, ...] = ()

    @property
    def pending(self) -> Pending | None:
        """Where an office has to act on it; None while none has."""
        return Pending(self.district, self.department, self.level) if self.status == "open" else None

    @property
    def pending_since(self) -> int:
        """Since when it is at its level; transfers between offices of a level do not start it anew."""
        return self.since.get(self.level, self.registered_at)


class SmsView(Struct, frozen=True):
    """The last that is known of an SMS."""

    audience: Audience
    step: str
    state: str
    attempt: int
    at: int
    code: str = ""


class RejectionView(Struct, frozen=True):
    """Why a submission became no case."""

    system: str
    reason: str
    detail: str
    at: int


class WindowView(Struct, frozen=True, omit_defaults=True):
    """A window of a unit: its final result and all revisions, added up."""

    end_at: int
    counts: Counts = {}
    disposals: int = 0
    disposal_ms: int = 0
    histogram: dict[str, int] = {}
    open_change: int = 0
    finals: int = 0
    revisions: int = 0


NOTHING_PROPOSED: Final[dict[str, Any]] = {"proposed": None, "decider_office": None}


def registered(fact: e.CaseRegistered) -> CaseView:
    return CaseView(
        case=fact.case,
        system=fact.system,
        case_type=fact.case_type,
        channel=fact.channel,
        category=fact.category,
        district=fact.district,
        units=fact.place.units,
        department=fact.department,
        level=fact.level,
        office=fact.office,
        status="registered",
        registered_at=fact.at,
        seq=fact.seq,
        at=fact.at,
        policy=fact.because.policy,
        source=fact.source,
        restricted=fact.restricted,
        visible_to=fact.visible_to,
        external=fact.external,
        attachments=fact.attachments,
    )


def after(view: CaseView, fact: e.Event) -> CaseView:
    """The view after the fact; a rejection shows in the timeline only."""
    if isinstance(fact, e.CommandRejected):
        return replace(view, facts=view.facts + 1)
    change = CHANGES.get(type(fact))
    more = change(view, fact) if change is not None else {}
    owner = {"level": fact.level, "office": fact.office, "department": fact.department, "district": fact.district}
    return replace(view, seq=fact.seq, at=fact.at, facts=view.facts + 1, **(owner | more))


def _arrived(view: CaseView, fact: e.Event) -> dict[str, Any]:
    return {"since": {**view.since, fact.level: fact.at}, "pendency_reason": None}


def _routed(view: CaseView, fact: e.CaseRouted) -> dict[str, Any]:
    status: Phase = "recorded" if fact.due_at is None else "open"
    return {"status": status, "due_at": fact.due_at, **_arrived(view, fact)}


def _transferred(_view: CaseView, fact: e.CaseTransferred) -> dict[str, Any]:
    return {
        "category": fact.category,
        "units": fact.place.units,
        "due_at": fact.due_at,
        "pendency_reason": None,
        "restricted": fact.restricted,
        "visible_to": fact.visible_to,
        **NOTHING_PROPOSED,
    }


def _disposed(_view: CaseView, fact: e.CaseDisposed) -> dict[str, Any]:
    return {"status": "disposed", "due_at": None, "call_at": fact.call_at, "grade": None, **NOTHING_PROPOSED}


def _begun(view: CaseView, fact: Any) -> dict[str, Any]:
    """A level begins: an office has it and a clock runs."""
    return {
        "status": "open",
        "due_at": fact.due_at,
        "call_at": None,
        "closed_at": None,
        "outcome": None,
        "policy": fact.because.policy,
        **NOTHING_PROPOSED,
        **_arrived(view, fact),
    }


def _escalated(view: CaseView, fact: e.CaseEscalated | e.CaseSentUp) -> dict[str, Any]:
    return {**_begun(view, fact), "escalations": view.escalations + 1}


def _marked(view: CaseView, fact: e.CaseMarked) -> dict[str, Any]:
    return {"units": fact.place.units, **NOTHING_PROPOSED, **_arrived(view, fact)}


def _proposed(_view: CaseView, fact: e.CloseProposed) -> dict[str, Any]:
    return {"proposed": fact.kind, "decider_office": fact.decider_office}


def _withdrawn(view: CaseView, fact: e.EscalationWithdrawn) -> dict[str, Any]:
    return {"due_at": fact.due_at, "escalations": view.escalations - 1, "defaulted": view.defaulted - 1}


def _closed(_view: CaseView, fact: e.CaseClosed) -> dict[str, Any]:
    return {**_ended(fact, fact.outcome), "flagged": fact.flagged}


def _ended(fact: e.Event, outcome: str) -> dict[str, Any]:
    closed = {"status": "closed", "closed_at": fact.at, "outcome": outcome}
    return {**closed, "due_at": None, "call_at": None, **NOTHING_PROPOSED}


CHANGES: Final[dict[type[e.Event], Callable[[CaseView, Any], dict[str, Any]]]] = {
    e.CaseRouted: _routed,
    e.CaseTransferred: _transferred,
    e.CaseDisposed: _disposed,
    e.CaseEscalated: _escalated,
    e.EscalationWithdrawn: _withdrawn,
    e.CaseClosed: _closed,
    e.DuplicateLinked: lambda view, _: {"duplicates": view.duplicates + 1},
    e.PendencyReasonGiven: lambda _, fact: {"pendency_reason": fact.reason},
    e.FeedbackCallDue: lambda _, __: {"call_at": None},
    e.BecameDefaulter: lambda view, _: {"defaulted": view.defaulted + 1},
    e.CaseReopened: lambda view, _: {"reopened": view.reopened + 1},
    e.CaseMarked: _marked,
    e.CaseRevived: lambda view, fact: {**_begun(view, fact), "revived": view.revived + 1},
    e.CloseProposed: _proposed,
    e.CloseReturned: lambda _, __: NOTHING_PROPOSED,
    e.SpecialClosed: lambda _, fact: _ended(fact, "special"),
    e.ForceClosed: lambda _, fact: _ended(fact, "forced"),
    e.CaseSentUp: _escalated,
    e.CaseSentBack: _begun,
    e.DisposalGraded: lambda _, fact: {"grade": fact.grade},
    e.CaseRedated: lambda _, fact: {"due_at": fact.due_at, "policy": fact.because.policy},
}


def joined(view: WindowView | None, window: SlaWindow) -> WindowView:
    """The window with one more published result."""
    held = view or WindowView(window.end_at)
    final = window.result == "final"
    return WindowView(
        end_at=held.end_at,
        counts=_sum(held.counts, window.counts),
        disposals=held.disposals + window.disposals,
        disposal_ms=held.disposal_ms + window.disposal_ms,
        histogram=_sum(held.histogram, window.histogram),
        open_change=held.open_change + window.open_change,
        finals=held.finals + final,
        revisions=held.revisions + (not final),
    )


def _sum(left: dict[Any, int], right: dict[Any, int]) -> dict[Any, int]:
    total = dict(left)
    for name, count in right.items():
        total[name] = total.get(name, 0) + count
    # sorted, so that the same content is the same bytes in whatever order the results came
    return {name: total[name] for name in sorted(total) if total[name]}
