"""Laws of intake over generated histories: replay, repeats, conservation, bounded memory."""

from collections import Counter

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.base import Place, Wake
from schemas.commands import LinkDuplicate, Register
from schemas.intake import IntakeRejected, IntakeRepeated, Submitted
from schemas.topics import CASE_COMMANDS, INTAKE_REJECTED, INTAKE_SUBMITTED
from streams.driver import Driver
from streams.ids import case_id
from streams.intake.stage import stage
from streams.intake.state import Citizen
from streams.profiles.load import profiles
from streams.profiles.profile import DAY_MS, IntakeRule
from streams.stage import Origin

START = 1_770_000_000_000
BOOK = {
    "up-1076": msgspec.structs.replace(
        profiles()["up-1076"], intake=IntakeRule(dedupe_days=3, lateness_days=2, monthly_cap=4)
    )
}
STAGE = stage(lambda: BOOK)


@st.composite
def submissions(draw) -> Submitted:
    key = f"key-{draw(st.integers(0, 7)):04d}"
    received = START + draw(st.integers(0, 12)) * DAY_MS // 2
    return Submitted(
        id=f"sub-{key}",
        case=case_id("10", "call", key),
        system=draw(st.sampled_from(["up-1076"] * 5 + ["elsewhere"])),
        at=received - draw(st.integers(0, 2)) * DAY_MS,
        received_at=received,
        case_type="complaint",
        channel="call",
        category=draw(st.sampled_from(["hand-pump", "theft", "nothing"])),
        place=Place(draw(st.sampled_from([159, 160]))),
        citizen="ct_" + draw(st.sampled_from("ab")) * 32,
        text=draw(st.sampled_from(["हैण्डपम्प खराब", "हैंडपंप खराब", "चोरी हुई"])),
    )


histories = st.lists(submissions(), max_size=30).map(lambda each: sorted(each, key=lambda one: one.received_at))


def run(history: list[Submitted]) -> Driver:
    driver = Driver([STAGE], now=START)
    for each in history:
        driver.advance(max(driver.now, each.received_at))
        driver.send(INTAKE_SUBMITTED, each.citizen, each)
    return driver


def outcomes(driver: Driver) -> list:
    return [each.value for topic in (CASE_COMMANDS, INTAKE_REJECTED) for each in driver.log[topic]]


@given(histories)
def test_every_submission_has_exactly_one_outcome(history):
    driver = run(history)
    found = outcomes(driver)
    assert len(found) == len(history)
    assert {type(each) for each in found} <= {Register, LinkDuplicate, IntakeRejected, IntakeRepeated}
    assert not driver.dead


@given(histories)
def test_replaying_the_log_gives_the_same_outcomes_and_state(history):
    first = run(history)
    state: dict[str, Citizen] = {}
    written = []
    for each in first.log[INTAKE_SUBMITTED]:
        after, outputs, _ = STAGE.step(state.get(each.key), each.value, each.origin)
        written += [(output.topic, output.key, output.value) for output in outputs]
        if after is None:
            state.pop(each.key, None)
        else:
            state[each.key] = after
    assert state == first.state["intake"]
    again = Counter(msgspec.json.encode(value) for *_, value in written)
    assert again == Counter(msgspec.json.encode(value) for value in outcomes(first))


@given(histories)
def test_a_repeat_at_once_opens_and_links_nothing(history):
    driver = Driver([STAGE], now=START)
    for each in history:
        driver.advance(max(driver.now, each.received_at))
        driver.send(INTAKE_SUBMITTED, each.citizen, each)
        commands, state = len(driver.log[CASE_COMMANDS]), dict(driver.state["intake"])
        driver.send(INTAKE_SUBMITTED, each.citizen, each)
        assert isinstance(driver.log[INTAKE_REJECTED][-1].value, IntakeRepeated | IntakeRejected)
        assert len(driver.log[CASE_COMMANDS]) == commands
        assert driver.state["intake"] == state


@given(histories)
def test_a_duplicate_is_linked_to_a_case_that_was_opened(history):
    driver = run(history)
    opened = set()
    for each in driver.log[CASE_COMMANDS]:
        match each.value:
            case Register(case=case):
                opened.add(case)
            case LinkDuplicate(case=case):
                assert case in opened


@given(histories)
def test_the_order_of_different_citizens_does_not_matter(history):
    by_citizen = sorted(history, key=lambda each: each.citizen)  # stable: each citizen's own order stays
    assert fold(history) == fold(by_citizen)


def fold(order: list[Submitted]) -> dict[str, Citizen | None]:
    states: dict[str, Citizen | None] = {}
    for number, each in enumerate(order):
        origin = Origin(INTAKE_SUBMITTED, 0, number, each.received_at)
        states[each.citizen] = STAGE.step(states.get(each.citizen), each, origin).state
    return states


@given(histories)
def test_no_month_opens_more_cases_than_the_cap(history):
    opened = Counter(each.citizen for each in outcomes(run(history)) if isinstance(each, Register))
    assert all(count <= 4 * 2 for count in opened.values())  # the histories touch two months at most


@given(histories)
def test_everything_is_forgotten_in_the_end(history):
    driver = run(history)
    driver.advance(START + 90 * DAY_MS)
    assert driver.state["intake"] == {}
    assert driver.next_due() is None


@given(histories, st.integers(0, 20))
def test_wakes_that_are_not_due_change_nothing(history, days):
    driver = run(history)
    for citizen, state in list(driver.state["intake"].items()):
        due = STAGE.wake_at(state)
        wake = Wake(citizen, (due or 0) + 1 + days, START)
        after, outputs, _ = STAGE.step(state, wake, Origin(INTAKE_SUBMITTED, 0, 999, START))
        assert after is state
        assert outputs == []
