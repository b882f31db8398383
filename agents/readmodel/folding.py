"""What a slice of a topic changes in the read model: one fold per topic, which first says what it must know."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from agents.readmodel import calls, registers, totals
from agents.readmodel.keys import (
    DEFAULTERS_KEPT_MS,
    LISTED_KEPT_MS,
    LONGEST_TIMELINE,
    REJECTION_KEPT_MS,
    WINDOWS_KEPT,
    Keys,
    unit_field,
    window_field,
)
from agents.readmodel.officers import DirectoryFold, OfficerFold
from agents.readmodel.slices import Fold, Found, Parsed, Reads
from agents.readmodel.stays import moved
from agents.readmodel.totals import DEFERRED
from agents.readmodel.views import CaseView, RejectionView, SmsView, WindowView, after, joined, registered
from agents.readmodel.writes import Writes
from schemas import events as e
from schemas.codec import decoder, encode
from schemas.intake import IntakeOutcome, IntakeRejected
from schemas.officers import OfficeEntry, OfficerFact
from schemas.review import ReviewOutcome
from schemas.sla import Grain, SlaWindow
from schemas.sms import SmsDeferred, SmsDelivery, SmsFact
from schemas.topics import (
    CASE_EVENTS,
    DIRECTORY,
    ESCALATION_RAISED,
    INTAKE_REJECTED,
    OFFICER_EVENTS,
    REVIEW_OUTCOMES,
    SLA_WINDOW,
    SMS_DELIVERY,
)
from streams.calendar import day_key
from streams.profiles.load import profiles

Series = tuple[str, Grain]
"""System and grain: the windows of these are kept and dropped together."""


def forget_after_ms(system: str) -> int:
    """How long a finished case stays in the read model; the log keeps it."""
    profile = profiles().get(system)
    return DEFAULTERS_KEPT_MS if profile is None else profile.forget_after_ms


class CaseFold:
    """Facts of cases: summary, timeline, pendency, defaulters, counters."""

    def reads(self, slice_: Sequence[Parsed], keys: Keys) -> Reads:
        return Reads(values=tuple({keys.case(each.record.case): None for each in slice_}))

    def writes(self, slice_: Sequence[Parsed], keys: Keys, found: Found, writes: Writes) -> None:
        before = {key: _case_view(raw) for key, raw in found.values.items()}
        views = dict(before)
        for fact, raw in slice_:
            key = keys.case(fact.case)
            self._count(fact, keys, writes)
            held = views.get(key)
            registers.write(fact, None if held is None else held.restricted, keys, writes)
            if held is None and not isinstance(fact, e.CaseRegistered):
                continue  # a rejection for a number that is no case: counted, and there is nothing to show it with
            done = moved(held, _shown(held, fact), fact)
            views[key] = view = done.view
            registers.write_stays(view.system, done, keys, writes)
            calls.write(fact, held, view, keys, writes)
            if view.pending is not None:
                # of every fact, not of the last in the slice: the same whatever the slices are
                writes.members[keys.units(view.system)].add(unit_field(*view.pending))
            writes.lists[keys.timeline(fact.case)].append(raw)
            self._mark(fact, keys, writes)
        for key, view in views.items():
            if view is not before.get(key):
                _show(before.get(key), view, keys, writes)

    @staticmethod
    def _count(fact: e.Event, keys: Keys, writes: Writes) -> None:
        counts = writes.counts[keys.totals(fact.system)]
        for field in totals.of_fact(fact):
            counts[field] += 1

    @staticmethod
    def _mark(fact: e.Event, keys: Keys, writes: Writes) -> None:
        match fact:
            case e.CaseRegistered():
                day = keys.registered(fact.system, day_key(fact.at, profiles()[fact.system].zone))
                writes.scores[day][fact.case] = fact.at
                writes.expiries[day] = LISTED_KEPT_MS
            case e.DuplicateLinked(duplicate=duplicate):
                writes.values[keys.duplicate(duplicate)] = fact.case.encode()
                writes.expiries[keys.duplicate(duplicate)] = forget_after_ms(fact.system)
            case e.BecameDefaulter(due_at=due_at):
                day = _day(keys, fact.system, due_at)
                writes.scores[day][fact.case] = due_at
                writes.expiries[day] = DEFAULTERS_KEPT_MS
            case e.EscalationWithdrawn(due_at=due_at):
                writes.scores[_day(keys, fact.system, due_at)][fact.case] = None
            case _:
                pass


def _shown(held: CaseView | None, fact: e.Event) -> CaseView:
    if held is None or isinstance(fact, e.CaseRegistered):
        assert isinstance(fact, e.CaseRegistered)
        return registered(fact)
    return after(held, fact)


_case_view: Final[Callable[[bytes], CaseView]] = decoder(CaseView)


def _day(keys: Keys, system: str, at: int) -> str:
    return keys.defaulters(system, day_key(at, profiles()[system].zone))


def _show(before: CaseView | None, view: CaseView, keys: Keys, writes: Writes) -> None:
    """The summary of a case and its place among the pending ones."""
    key, timeline = keys.case(view.case), keys.timeline(view.case)
    writes.values[key] = encode(view)
    counts = writes.counts[keys.totals(view.system)]
    for field, by in totals.of_change(before, view):
        counts[field] += by
    left, come = before.pending if before is not None else None, view.pending
    if left is not None and left != come:
        writes.scores[keys.pending(view.system, *left)][view.case] = None
    if come is not None:
        writes.scores[keys.pending(view.system, *come)][view.case] = view.pending_since
    if view.facts > LONGEST_TIMELINE:
        writes.long_lists.add(timeline)
    _keep(before, view, (key, timeline), writes)


def _keep(before: CaseView | None, view: CaseView, shown: tuple[str, ...], writes: Writes) -> None:
    """A finished case goes after its time. Writing a value anew takes its expiry away, so it is set at each write."""
    finished = view.status in {"closed", "recorded"}
    if finished or (before is not None and before.status in {"closed", "recorded"}):
        for key in shown:
            writes.expiries[key] = forget_after_ms(view.system) if finished else None


class WindowFold:
    """Closed windows: the latest of each grain, revisions added."""

    def reads(self, slice_: Sequence[Parsed], keys: Keys) -> Reads:
        fields: dict[str, dict[str, None]] = {}
        for window, _ in slice_:
            fields.setdefault(_window_key(keys, window), {})[window_field(window)] = None
        series = {(window.system, window.grain): None for window, _ in slice_}
        return Reads(
            fields={key: tuple(each) for key, each in fields.items()},
            ranges=tuple(keys.windows(system, grain) for system, grain in series),
        )

    def writes(self, slice_: Sequence[Parsed], keys: Keys, found: Found, writes: Writes) -> None:
        views: dict[tuple[str, str], WindowView] = {place: _window_view(raw) for place, raw in found.fields.items()}
        kept = self._kept(slice_, keys, found, writes)
        for window, _ in slice_:
            if window.start_at in kept[window.system, window.grain]:
                key, field = _window_key(keys, window), window_field(window)
                views[key, field] = view = joined(views.get((key, field)), window)
                writes.fields[key][field] = encode(view)
                writes.scores[keys.windows(window.system, window.grain)][str(window.start_at)] = window.start_at

    @staticmethod
    def _kept(slice_: Sequence[Parsed], keys: Keys, found: Found, writes: Writes) -> dict[Series, set[int]]:
        """The latest windows of each series; what is older goes, and what is told of it later is not shown."""
        starts: dict[Series, set[int]] = {}
        for window, _ in slice_:
            series = (window.system, window.grain)
            if series not in starts:
                starts[series] = {int(start) for start in found.ranges.get(keys.windows(*series), ())}
            starts[series].add(window.start_at)
        for (system, grain), known in starts.items():
            for start in sorted(known)[: -WINDOWS_KEPT[grain]]:
                known.discard(start)
                writes.deleted.append(keys.window(system, grain, start))
                writes.scores[keys.windows(system, grain)][str(start)] = None
        return starts


_window_view: Final[Callable[[bytes], WindowView]] = decoder(WindowView)


def _window_key(keys: Keys, window: SlaWindow) -> str:
    return keys.window(window.system, window.grain, window.start_at)


class EscalationFold:
    """The feed of escalations."""

    def reads(self, slice_: Sequence[Parsed], keys: Keys) -> Reads:  # noqa: ARG002 - it knows enough
        return Reads()

    def writes(self, slice_: Sequence[Parsed], keys: Keys, found: Found, writes: Writes) -> None:  # noqa: ARG002
        writes.streams[keys.escalations()] += [
            {
                "department": each.department,
                "district": str(each.district),
                "visible_to": " ".join(each.visible_to),
                "data": raw,
            }
            for each, raw in slice_
        ]


class SmsFold:
    """What became of the messages of a case."""

    def reads(self, slice_: Sequence[Parsed], keys: Keys) -> Reads:  # noqa: ARG002 - it knows enough
        return Reads()

    def writes(self, slice_: Sequence[Parsed], keys: Keys, found: Found, writes: Writes) -> None:  # noqa: ARG002
        for fact, _ in slice_:
            writes.counts[keys.totals(fact.system)][totals.of_sms(fact)] += 1
            if (view := _sms_view(fact)) is not None:
                key = keys.sms(fact.case)
                writes.fields[key][fact.id] = encode(view)
                writes.expiries[key] = forget_after_ms(fact.system)


def _sms_view(fact: SmsDelivery | SmsDeferred) -> SmsView | None:
    """The last that is known of a message; a repeated request says nothing of it."""
    match fact:
        case SmsDeferred():
            return SmsView(fact.audience, fact.step, DEFERRED, 0, fact.at, fact.reason)
        case SmsDelivery(state="repeated"):
            return None
        case SmsDelivery():
            return SmsView(fact.audience, fact.step, fact.state, fact.attempt, fact.at, fact.code)


class IntakeFold:
    """Submissions that became no case, so that whoever asks by number is told why."""

    def reads(self, slice_: Sequence[Parsed], keys: Keys) -> Reads:  # noqa: ARG002 - it knows enough
        return Reads()

    def writes(self, slice_: Sequence[Parsed], keys: Keys, found: Found, writes: Writes) -> None:  # noqa: ARG002
        for outcome, _ in slice_:
            writes.counts[keys.totals(outcome.system)][totals.of_intake(outcome)] += 1
            if isinstance(outcome, IntakeRejected):
                key = keys.rejection(outcome.case)
                view = RejectionView(outcome.system, outcome.reason, outcome.detail, outcome.at)
                writes.values[key] = encode(view)
                writes.expiries[key] = REJECTION_KEPT_MS


class ReviewFold:
    """What reviewers found: the last word on each case of a sample."""

    def reads(self, slice_: Sequence[Parsed], keys: Keys) -> Reads:  # noqa: ARG002 - it knows enough
        return Reads()

    def writes(self, slice_: Sequence[Parsed], keys: Keys, found: Found, writes: Writes) -> None:  # noqa: ARG002
        for outcome, raw in slice_:
            if outcome.system in profiles():
                registers.write_outcome(outcome, raw, keys, writes)


FOLDS: Final[Mapping[str, tuple[Callable[[bytes], Any], Fold]]] = {
    CASE_EVENTS: (decoder(e.Event), CaseFold()),
    SLA_WINDOW: (decoder(SlaWindow), WindowFold()),
    ESCALATION_RAISED: (decoder(e.EscalationRaised | e.EscalationSentUp), EscalationFold()),
    SMS_DELIVERY: (decoder(SmsFact), SmsFold()),
    INTAKE_REJECTED: (decoder(IntakeOutcome), IntakeFold()),
    REVIEW_OUTCOMES: (decoder(ReviewOutcome), ReviewFold()),
    DIRECTORY: (decoder(OfficeEntry), DirectoryFold()),
    OFFICER_EVENTS: (decoder(OfficerFact), OfficerFold()),
}
TOPICS: Final = tuple(FOLDS)
