"""Suggested clusters: which cases are seen together, and when a place is forgotten."""

from schemas import topics as t
from schemas.base import Place, Wake
from schemas.clusters import ClusterSighting, ClusterSuggested
from streams.cluster.stage import CLUSTER, MOST, cluster_key
from streams.driver import Driver
from streams.ids import case_id
from streams.profiles.profile import DAY_MS

T0 = 1_780_000_000_000
SYSTEM = "mp-181"
PLACE = Place(417, {"block": "ambah"})
KEY = cluster_key(SYSTEM, "tap-water", PLACE)


def sighting(number: int, citizen: int, at: int) -> ClusterSighting:
    case = case_id("23", "call", f"cluster-{number}")
    return ClusterSighting(case, SYSTEM, "tap-water", PLACE, f"ct_{citizen:032x}", at)


def run(*sightings: ClusterSighting, until: int = T0) -> tuple[Driver, list[ClusterSuggested]]:
    flow = Driver([CLUSTER], now=T0)
    for each in sightings:
        flow.send(t.CLUSTER_SIGHTED, KEY, each)
    flow.advance(until)
    return flow, [each.value for each in flow.log[t.CLUSTER_SUGGESTED]]  # type: ignore[misc]


def test_different_citizens_within_the_window_are_a_cluster_of_the_earliest() -> None:
    first, second, third = sighting(1, 1, T0), sighting(2, 2, T0 + DAY_MS), sighting(3, 1, T0 + 2 * DAY_MS)
    _, told = run(first, second, third)
    assert [(each.cluster, each.case, each.cases, each.citizens) for each in told] == [
        (first.case, second.case, 2, 2),
        (first.case, third.case, 3, 2),
    ]


def test_one_citizen_alone_is_no_cluster_nor_is_what_lies_further_apart() -> None:
    assert run(sighting(1, 1, T0), sighting(2, 1, T0 + 1))[1] == []
    assert run(sighting(1, 1, T0), sighting(2, 2, T0 + 30 * DAY_MS + 1))[1] == []
    assert len(run(sighting(1, 1, T0), sighting(2, 2, T0 + 30 * DAY_MS))[1]) == 1


def test_a_repeat_suggests_nothing_and_late_news_joins_in_order_of_event_time() -> None:
    first, second = sighting(1, 1, T0), sighting(2, 2, T0 + DAY_MS)
    _, told = run(second, first, first)
    assert [(each.cluster, each.case) for each in told] == [(second.case, first.case)]
    third = sighting(3, 3, T0 + 2 * DAY_MS)
    assert run(second, first, third)[1][-1].cluster == first.case


def test_a_quiet_place_is_forgotten_and_a_stale_wake_changes_nothing() -> None:
    flow, _ = run(sighting(1, 1, T0))
    state = flow.state["cluster"][KEY]
    flow.send(t.CLUSTER_SIGHTED, KEY, Wake(KEY, T0, T0))
    assert flow.state["cluster"][KEY] == state
    flow.advance(T0 + 37 * DAY_MS - 1)
    assert KEY in flow.state["cluster"]
    flow.advance(T0 + 37 * DAY_MS)
    assert KEY not in flow.state["cluster"]


def test_what_is_remembered_has_a_bound() -> None:
    flow, told = run(*(sighting(number, number, T0 + number) for number in range(MOST + 20)))
    assert len(flow.state["cluster"][KEY].seen) == MOST
    assert len(told) == MOST + 19
