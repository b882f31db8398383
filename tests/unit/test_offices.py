"""Whose act it was that names nobody: of whoever held charge at its instant, also where that is told of late."""

from schemas import officers as o
from schemas import topics as t
from schemas.base import Wake
from streams.calendar import bounds
from streams.driver import Driver
from streams.ids import case_id
from streams.officers.charge import conduct
from streams.officers.offices import OFFICES
from streams.officers.place import office_key
from streams.profiles.load import profile
from streams.profiles.profile import DAY_MS, HOUR_MS

SYSTEM, OFFICE = "up-1076", "revenue:dm@161"
KEY, CASE = office_key(SYSTEM, OFFICE), case_id("10", "call", "an act")
FIRST = bounds("day", 1_780_000_000_000, profile(SYSTEM).zone).start_at
OVER = FIRST + DAY_MS + profile(SYSTEM).windows.lateness_ms
BEFORE = o.TakeCharge(SYSTEM, OFFICE, FIRST, "before", FIRST)
SINCE = o.TakeCharge(SYSTEM, OFFICE, FIRST + 13 * HOUR_MS, "since", FIRST + 12 * HOUR_MS)
ACTS = [o.OfficeActed(SYSTEM, OFFICE, FIRST + hour * HOUR_MS, CASE, "viewed", True) for hour in (11, 12)]


def told(*records: o.OfficeTold | Wake) -> dict[tuple[str, str], int]:
    """Officer and result -> actions of delegates, as last told."""
    flow = Driver([OFFICES], now=FIRST)
    for each in records:
        flow.send(t.OFFICE_ACTIVITY, KEY, each)
    flow.advance(OVER + DAY_MS)
    days = [each.value for each in flow.log[t.OFFICER_ACTIVITY]]
    return {(each.officer, each.result): each.delegated for each in days if isinstance(each, o.TellConduct)}


def test_it_does_not_matter_when_the_charge_is_told() -> None:
    assert told(BEFORE, SINCE, *ACTS) == {("before", "final"): 1, ("since", "final"): 1}
    assert told(BEFORE, *ACTS, SINCE) == {("before", "final"): 1, ("since", "final"): 1}


def test_a_charge_told_after_the_day_revises_it_for_both() -> None:
    assert told(BEFORE, *ACTS, Wake(KEY, OVER, OVER), SINCE) == {
        ("before", "final"): 2, ("before", "revised"): 1, ("since", "revised"): 1,
    }  # fmt: skip


def test_they_are_let_go_with_the_days_that_can_be_revised_no_more() -> None:
    flow = Driver([OFFICES], now=FIRST)
    for each in (BEFORE, *ACTS):
        flow.send(t.OFFICE_ACTIVITY, KEY, each)
    flow.advance(OVER)
    assert flow.state["offices"][KEY].unnamed
    late = FIRST + 9 * DAY_MS
    flow.send(t.OFFICE_ACTIVITY, KEY, o.OfficeActed(SYSTEM, OFFICE, late, CASE, "viewed", True))
    flow.advance(late + 2 * DAY_MS)
    office = flow.state["offices"][KEY]
    assert list(office.unnamed) == [bounds("day", late, profile(SYSTEM).zone).start_at]
    assert conduct(office, bounds("day", late, profile(SYSTEM).zone))["before"].delegated == 1
