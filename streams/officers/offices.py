"""The offices stage: who answers for an office, and at the end of each day what its officer did and left undone."""

from typing import Any, Final

from msgspec.structs import replace

from schemas import officers as o
from schemas.base import Wake
from schemas.topics import DIRECTORY, OFFICE_ACTIVITY, OFFICER_ACTIVITY
from streams.calendar import EARLIEST, LATEST, Span, bounds, day_key
from streams.ids import digest
from streams.officers.charge import (
    MOST_CASES,
    NOBODY,
    Blot,
    Conduct,
    Office,
    conduct,
    counted,
    days,
    entry,
    holder,
    next_day,
    trimmed,
)
from streams.officers.lateness import first_open
from streams.officers.place import located, office_key
from streams.profiles.load import profiles
from streams.profiles.profile import Profile
from streams.stage import Origin, Output, Refused, Stage, Step

NO_BLOT: Final = Refused("not-overdue", "case: is not overdue at this office")
TOO_LATE: Final = Refused("too-late", "at: lies in a day that can be revised no more")


def step(state: Office | None, record: Any, origin: Origin) -> Step[Office]:
    """Fold one record into its office."""
    if isinstance(record, Wake):
        return Step(state, []) if state is None else _woken(state, record, origin)
    profile = profiles().get(record.system)
    refused = _refusal(record, profile)
    if refused is not None or profile is None:
        return Step(state, [], refused)
    before = state or Office(record.system, record.office)
    after = _changed(before, record, profile)
    if isinstance(after, Refused):
        return Step(state, [], after)
    if after == before:
        return Step(state, [])
    entered = _entered(before, after, record.at, profile)
    return Step(after, [*entered, *_revised(before, after, _from(record), profile, origin)])


def _refusal(record: Any, profile: Profile | None) -> Refused | None:
    if profile is None:
        return Refused("unknown-system", "system: no profile of that name")
    if profile.officers is None:
        return Refused("no-officers", "system: its profile watches no officers")
    if located(record.system, record.office) is None:
        return Refused("unknown-office", "office: the profile can have no such office")
    instants = (record.at, getattr(record, "from_at", record.at), getattr(record, "since", record.at))
    if not all(EARLIEST <= each < LATEST for each in instants):
        return Refused("out-of-range", "at: lies outside the years 1971 to 8999")
    return None


def _changed(office: Office, record: Any, profile: Profile) -> Office | Refused:
    match record:
        case o.ListOffice(name=name):
            return replace(office, listed=True, name=name)
        case o.TakeCharge(officer=officer, from_at=from_at):
            return _charged(office, o.Charge(officer, from_at))
        case o.OfficeActed():
            return _acted(office, record, profile)
        case o.OfficeOverdue(case=case, at=at):
            known = any(blot.case == case and blot.since == at for blot in office.blots)
            return office if known else replace(office, blots=(*office.blots, Blot(case, at)))
        case o.OfficeRelieved(case=case, since=since, at=at):
            return _ended(office, case, since, (Blot(case, since, at),))
        case o.OfficeCleared(case=case, since=since):
            return _ended(office, case, since, ())
        case _:
            raise AssertionError(f"no rule for {type(record).__name__}")


def _charged(office: Office, charge: o.Charge) -> Office:
    """Charges in order of time; one who holds it already takes nothing over."""
    others = [each for each in office.charges if each.from_at != charge.from_at]
    ordered = sorted([*others, charge], key=lambda each: each.from_at)
    kept = [each for index, each in enumerate(ordered) if not index or ordered[index - 1].officer != each.officer]
    return replace(office, charges=tuple(kept))


def _acted(office: Office, record: o.OfficeActed, profile: Profile) -> Office | Refused:
    day = bounds("day", record.at, profile.zone)
    if day.start_at < first_open(office.cut_to, profile):
        return TOO_LATE
    if record.officer is None:
        # a charge that is told of late may still say whose it was
        unnamed = (*office.unnamed.get(day.start_at, ()), (record.at, record.delegated))
        vacant = holder(office, record.at) == NOBODY and day.end_at <= office.cut_to
        return replace(
            office,
            unnamed={**office.unnamed, day.start_at: unnamed},
            vacant_acts=office.vacant_acts + vacant,
        )
    acts = office.acts.get(day.start_at, {})
    counts = counted(acts.get(record.officer, (0, 0)), delegated=record.delegated)
    return replace(office, acts={**office.acts, day.start_at: {**acts, record.officer: counts}})


def _ended(office: Office, case: str, since: int, instead: tuple[Blot, ...]) -> Office | Refused:
    others = tuple(blot for blot in office.blots if (blot.case, blot.since) != (case, since))
    return NO_BLOT if len(others) == len(office.blots) else replace(office, blots=(*others, *instead))


def _from(record: Any) -> int:
    """From when on the record may change what an officer's days hold."""
    match record:
        case o.TakeCharge(from_at=from_at):
            return from_at
        case o.OfficeCleared(since=since):
            return since
        case _:
            return int(record.at)


def _revised(before: Office, after: Office, start_at: int, profile: Profile, origin: Origin) -> list[Output]:
    """Days told already that are not as they were told: each officer whose day it is, anew."""
    outputs: list[Output] = []
    if start_at >= before.cut_to:
        return outputs
    at = before.cut_to + profile.windows.lateness_ms
    for day in days(max(start_at, first_open(before.cut_to, profile)), before.cut_to, profile.zone):
        was, now = conduct(before, day), conduct(after, day)
        outputs += [
            _told(after, who, day, now.get(who, Conduct()), "revised", at, profile, origin)
            for who in sorted(was.keys() | now.keys())
            if was.get(who) != now.get(who) and who != NOBODY
        ]
    return outputs


def _woken(office: Office, wake: Wake, origin: Origin) -> Step[Office]:
    profile = profiles()[office.system]
    outputs: list[Output] = []
    after = office
    while (day := next_day(after, profile.zone)) is not None:
        at = day.end_at + profile.windows.lateness_ms
        if at > wake.now_at:
            break
        told = conduct(after, day)
        vacant = told.pop(NOBODY, Conduct())
        outputs += [_told(after, who, day, told[who], "final", at, profile, origin) for who in sorted(told)]
        after = replace(
            after,
            cut_to=day.end_at,
            vacant_acts=after.vacant_acts + vacant.personal + vacant.delegated,
            vacant_defaulters=after.vacant_defaulters + len(vacant.cases),
        )
    after = after if after is office else trimmed(after, first_open(after.cut_to, profile))
    return Step(after, [*_entered(office, after, wake.now_at, profile), *outputs])


def _told(
    office: Office,
    who: str,
    day: Span,
    one: Conduct,
    result: o.Result,
    at: int,
    profile: Profile,
    origin: Origin,
) -> Output:
    name = day_key(day.start_at, profile.zone)
    told = o.TellConduct(
        id=f"day-{digest(office.system, office.office, who, name, origin.id)}",
        system=office.system,
        officer=who,
        at=at,
        office=office.office,
        day=name,
        result=result,
        personal=one.personal,
        delegated=one.delegated,
        defaulters=len(one.cases),
        cases=one.cases[:MOST_CASES],
    )
    return Output(OFFICER_ACTIVITY, office_key(office.system, who), told, at)


def _entered(before: Office, after: Office, at: int, profile: Profile) -> list[Output]:
    """The directory's entry, where it is not what it was."""
    old, new = entry(before, at, profile), entry(after, at, profile)
    fresh = before == Office(before.system, before.office)
    return [Output(DIRECTORY, office_key(after.system, after.office), new, at)] if fresh or old != new else []


def wake_at(office: Office) -> int | None:
    """When the first day with anything to tell is over, and its allowed lateness with it."""
    profile = profiles()[office.system]
    day = next_day(office, profile.zone)
    return None if day is None else day.end_at + profile.windows.lateness_ms


OFFICES: Final[Stage[Office]] = Stage(
    name="offices",
    reads=OFFICE_ACTIVITY,
    writes=(DIRECTORY, OFFICER_ACTIVITY),
    records=o.OfficeInput,
    state=Office,
    step=step,
    wake_at=wake_at,
)
