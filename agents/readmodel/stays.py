"""Where a case is pending, and was: how each fact moves it from office to office."""

from typing import NamedTuple

from msgspec.structs import replace

from agents.readmodel.views import CaseView
from schemas import events as e
from schemas.codec import tag
from streams.review.registers import Reason, Stay


class Moved(NamedTuple):
    """What a fact did: stays that ended, began, or turned out never to have been or never to have ended."""

    view: CaseView
    ended: Stay | None = None
    begun: Stay | None = None
    void: Stay | None = None
    """A stay above that a taken-back time-out unmakes."""
    resumed: Stay | None = None
    """As it was ended; it goes on now."""
    noted: Stay | None = None
    """The stay as it was, of which more is known now."""


def moved(before: CaseView | None, view: CaseView, fact: e.Event) -> Moved:
    """The view with its stay after `fact`, and what changed."""
    stay = before.stay if before is not None else None
    if isinstance(fact, e.EscalationWithdrawn) and stay is not None and view.earlier:
        *earlier, last = view.earlier
        resumed = replace(last, until=None, ended_by="", due_at=view.due_at)
        return Moved(replace(view, stay=resumed, earlier=tuple(earlier)), begun=resumed, void=stay, resumed=last)
    if _elsewhere(stay, view):
        return _went(stay, view, fact)
    if stay is None:
        return Moved(view)
    same = _noted(stay, view, fact)
    return Moved(view) if same == stay else Moved(replace(view, stay=same), noted=same)


def _elsewhere(stay: Stay | None, view: CaseView) -> bool:
    if stay is None or view.pending is None:
        return (stay is None) != (view.pending is None)
    return (stay.district, stay.department, stay.level, stay.office) != (*view.pending, view.office)


def _went(stay: Stay | None, view: CaseView, fact: e.Event) -> Moved:
    kind = tag(fact).removeprefix("case.").rpartition(".")[0]
    ended = None if stay is None else replace(stay, until=max(fact.at, stay.from_at), ended_by=kind)
    # late news of a move may be older than the arrival here: a case is never at two offices at once
    from_at = fact.at if ended is None else max(fact.at, ended.until or 0)
    begun = None if view.pending is None else _begun(view, fact, from_at)
    by_time = isinstance(fact, e.CaseEscalated) and fact.cause == "time-out"
    earlier = (*view.earlier, ended) if by_time and ended is not None else ()
    return Moved(replace(view, stay=begun, earlier=earlier), ended, begun)


def _begun(view: CaseView, fact: e.Event, from_at: int) -> Stay:
    return Stay(
        view.case,
        fact.seq,
        view.district,
        view.department,
        view.level,
        view.office,
        view.registered_at,
        view.pending_since,
        from_at,
        view.due_at,
        restricted=view.restricted,
    )


def _noted(stay: Stay, view: CaseView, fact: e.Event) -> Stay:
    """What is to be known of a case where it is."""
    match fact:
        case e.CaseViewed(by=by) if stay.seen_at is None and by.office in {None, stay.office}:
            return replace(stay, seen_at=fact.at)
        case e.PendencyReasonGiven(reason=reason, text=text):
            return replace(stay, reasons=(*stay.reasons, Reason(fact.at, reason, text)))
        case e.DefaulterWarned():
            return replace(stay, warned_at=fact.at)
        case _:
            return stay if stay.due_at == view.due_at else replace(stay, due_at=view.due_at)
