"""What a case looks like after each fact: the view agrees with the case machine on every story."""

from collections.abc import Iterator

import pytest

from agents.readmodel.views import CaseView, after, joined, registered
from schemas import events as e
from schemas.sla import SlaWindow
from schemas.topics import CASE_EVENTS
from streams.case.state import Case
from streams.topology import STAGES
from tests.boardlog import story_driver
from tests.story import stories


def views(log: Iterator[e.Event]) -> dict[str, CaseView]:
    found: dict[str, CaseView] = {}
    for fact in log:
        if isinstance(fact, e.CaseRegistered):
            found[fact.case] = registered(fact)
        elif fact.case in found:
            found[fact.case] = after(found[fact.case], fact)
    return found


@pytest.mark.parametrize("story", stories(), ids=lambda story: story.name)
def test_the_view_is_the_state_of_the_case(story):
    driver = story_driver([story], stages=STAGES)
    shown = views(each.value for each in driver.log[CASE_EVENTS])
    states: dict[str, Case] = driver.state["case"]
    for case, view in shown.items():
        state = states.get(case)
        if state is None:
            assert view.status in {"closed", "recorded"}, "only a finished case is forgotten"
            continue
        assert (view.status, view.level, view.office) == (state.status, state.level, state.office)
        assert (view.seq, view.district, view.department) == (state.seq, state.district, state.department)
        assert view.closed_at == (state.closed_at if view.status == "closed" else None)
        if view.status == "open":
            assert view.pending_since == state.level_at
            assert view.due_at == state.due_at or state.due_at is None


def window(result: str, received: int, bucket: dict[str, int]) -> SlaWindow:
    counts = {"received": received} if received else {}
    return SlaWindow("up-1076", 159, "revenue", 1, "day", 1000, 2000, result, counts, 1, 10, bucket, received)


def test_a_window_is_its_final_result_and_all_revisions_in_whatever_order():
    parts = [window("final", 5, {"3": 2}), window("revised", -5, {"3": -2}), window("revised", 1, {"4": 1})]
    forwards, backwards = None, None
    for one, other in zip(parts, reversed(parts), strict=True):
        forwards, backwards = joined(forwards, one), joined(backwards, other)
    assert forwards == backwards
    assert forwards is not None
    assert (forwards.counts, forwards.histogram, forwards.finals, forwards.revisions) == (
        {"received": 1},
        {"4": 1},
        1,
        2,
    )
