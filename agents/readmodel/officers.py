"""What offices and officers change in the read model: the directory, and each officer's standing, days and conduct."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from agents.readmodel.keys import CONDUCT_KEPT_MS, PRESENCE_KEPT_MS, Keys
from agents.readmodel.officer_views import ConductView, OfficerView, PresenceView, after, presence, with_day
from agents.readmodel.slices import Found, Parsed, Reads
from agents.readmodel.writes import Writes
from schemas import officers as o
from schemas.codec import decoder, encode, tag

MONTH: Final = len("2026-02")
_officer: Final[Callable[[bytes], OfficerView]] = decoder(OfficerView)
_presence: Final[Callable[[bytes], PresenceView]] = decoder(PresenceView)
_conduct: Final[Callable[[bytes], ConductView]] = decoder(ConductView)


class DirectoryFold:
    """Offices: the newest entry of each, and which district has it."""

    def reads(self, slice_: Sequence[Parsed], keys: Keys) -> Reads:  # noqa: ARG002 - it knows enough
        return Reads()

    def writes(self, slice_: Sequence[Parsed], keys: Keys, found: Found, writes: Writes) -> None:  # noqa: ARG002
        for entry, raw in slice_:
            writes.values[keys.office(entry.system, entry.office)] = raw
            writes.scores[keys.offices(entry.system, entry.district)][entry.office] = 0
            writes.members[keys.staffed(entry.system)].add(str(entry.district))


class OfficerFold:
    """Facts of officers: standing, presence per day, conduct per month, counters."""

    def reads(self, slice_: Sequence[Parsed], keys: Keys) -> Reads:
        officers = {keys.officer(each.record.system, each.record.officer): None for each in slice_}
        fields: dict[str, dict[str, None]] = {}
        for fact, _ in slice_:
            if isinstance(fact, o.PresenceDay):
                fields.setdefault(keys.presence(fact.system, fact.day), {})[fact.officer] = None
            elif isinstance(fact, o.ConductDay):
                fields.setdefault(_month(keys, fact), {})[fact.officer] = None
        return Reads(values=tuple(officers), fields={key: tuple(each) for key, each in fields.items()})

    def writes(self, slice_: Sequence[Parsed], keys: Keys, found: Found, writes: Writes) -> None:
        before = {key: _officer(raw) for key, raw in found.values.items()}
        views = dict(before)
        days = {place: _presence(raw) for place, raw in found.fields.items() if ":presence:" in place[0]}
        months = {place: _conduct(raw) for place, raw in found.fields.items() if ":conduct:" in place[0]}
        for fact, _ in slice_:
            writes.counts[keys.totals(fact.system)][_counted(fact)] += 1
            key = keys.officer(fact.system, fact.officer)
            view = after(views.get(key), fact)
            if view is not None and not isinstance(fact, o.OfficerCommandRejected):
                views[key] = view
            if isinstance(fact, o.PresenceDay):
                _show_day(fact, days, keys, writes)
            elif isinstance(fact, o.ConductDay):
                place = (_month(keys, fact), fact.officer)
                months[place] = with_day(months.get(place), fact)
                writes.fields[place[0]][place[1]] = encode(months[place])
                writes.expiries[place[0]] = CONDUCT_KEPT_MS
                writes.members[keys.staffed(fact.system)].add(str(fact.district))
        for key, view in views.items():
            if view != before.get(key):
                _show(before.get(key), view, key, keys, writes)


def _counted(fact: Any) -> str:
    if isinstance(fact, o.OfficerCommandRejected):
        return f"officers-rejected:{fact.reason}"
    return f"officers:{tag(fact).removeprefix('officer.').rpartition('.')[0]}"


def _month(keys: Keys, fact: o.ConductDay) -> str:
    return keys.conduct(fact.system, fact.day[:MONTH], fact.district)


def _show(before: OfficerView | None, view: OfficerView, key: str, keys: Keys, writes: Writes) -> None:
    writes.values[key] = encode(view)
    if before is not None and before.district != view.district:
        writes.scores[keys.officers(view.system, before.district)][view.officer] = None
    writes.scores[keys.officers(view.system, view.district)][view.officer] = 0
    writes.members[keys.staffed(view.system)].add(str(view.district))


def _show_day(fact: o.PresenceDay, days: dict[tuple[str, str], PresenceView], keys: Keys, writes: Writes) -> None:
    key = keys.presence(fact.system, fact.day)
    before = days.get((key, fact.officer))
    days[key, fact.officer] = view = presence(fact)
    writes.fields[key][fact.officer] = encode(view)
    writes.expiries[key] = PRESENCE_KEPT_MS
    if before is not None and before.district != view.district:
        writes.scores[keys.absent(fact.system, fact.day, before.district)][fact.officer] = None
    listed = keys.absent(fact.system, fact.day, view.district)
    writes.scores[listed][fact.officer] = view.logins if view.flags else None
    writes.expiries[listed] = PRESENCE_KEPT_MS
