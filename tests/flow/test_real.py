"""Half a year of real cases through all stages in memory: every number as in the independent recount."""

import pytest
from msgspec.structs import replace

from deploy.real.compare import compare
from deploy.real.feed import Feed
from deploy.real.memory import in_memory
from deploy.real.recounted import recounted
from deploy.real.seen import Seen
from deploy.real.span import HALF_YEAR, zone
from schemas.sla import SlaWindow

pytestmark = pytest.mark.thorough
ROWS = 20_230


@pytest.fixture(scope="module")
def recount():
    return recounted(HALF_YEAR)


@pytest.fixture(scope="module")
def feed():
    return Feed(HALF_YEAR)


@pytest.fixture(scope="module")
def run(feed):
    return in_memory(feed.in_time_order(), HALF_YEAR)


def test_every_number_is_the_recounts(run, feed, recount):
    checks = compare(run.seen, feed.noted, recount)

    assert {check.name: check.differences for check in checks if not check.held} == {}
    assert sum(check.compared for check in checks) > 300_000


def test_every_row_is_a_case_or_is_told_why_not(run):
    facts = run.seen.facts

    assert facts["cases"] + facts["repeated"] + facts["refused: conflict"] == ROWS
    assert run.dead == 0


def test_told_in_order_of_time_nothing_is_revised(run):
    assert {name for name in run.seen.windows if name.endswith("revised")} == set()


def test_a_single_wrong_window_is_noticed(recount):
    seen = Seen(zone())
    window = SlaWindow(
        "nyc-council", 7, "parks", 1, grain="day", start_at=0, end_at=1, result="final", counts={"received": 1}
    )
    seen.record(window)
    seen.record(replace(window, grain="month"))

    named = {check.name: check.differences for check in compare(seen, {}, recount) if not check.held}

    assert any(
        "parks 1" in each and "product 1, recount 0" in each for each in named["counts per department, level and day"]
    )
    assert any("7 parks 1" in each for each in named["counts per district, department, level and month"])
    assert any("is no local day" in each for each in named["one final result per window, on local edges"])
