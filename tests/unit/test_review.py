"""R17, R18: samples that can be drawn again, and outcomes that stand in the register of their month."""

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.audit.board import Shadow, ShadowSource
from agents.audit.log import Entry
from agents.cli.review import Asked, outcome
from agents.readmodel.packs import NotClosedError, gather
from agents.readmodel.review import Registers
from schemas import topics as t
from schemas.base import Actor
from schemas.codec import encode
from streams.profiles.load import profile
from streams.review.material import Scope
from streams.review.pack import document
from streams.review.registers import Stay
from streams.review.render import markdown
from streams.review.sampling import draw, stalled
from tests.simulated import EVERY_ROLE, folded, weeks

UP, MONTH, DAY_MS = profile("up-1076"), "2026-01", 86_400_000
REVIEWER = Actor("officer", "collectorate@159", "o-77")


def stay(number: int, since: int = 0) -> Stay:
    return Stay(f"{number:018d}", 1, 159, "water", 1, "water:dm@159", since, since, since)


@pytest.fixture(scope="module")
def shadow() -> Shadow:
    return folded(weeks())


def asked(purpose="stalling", district=None, as_of="2026-01-31") -> Asked:
    return Asked(UP, district, MONTH, as_of, purpose, 3)


# drawing


@given(st.sets(st.integers(0, 10**6), max_size=60), st.text(min_size=1, max_size=8), st.integers(1, 20), st.randoms())
def test_r17_the_same_seed_draws_the_same_cases_in_whatever_order_they_come(numbers, seed, size, shuffled):
    stays = [stay(number) for number in numbers]
    drawn = draw(stays, seed, size, "2026-01-31")
    shuffled.shuffle(stays)

    assert draw(stays, seed, size, "2026-01-31") == drawn
    assert len({each.case for each in drawn.stays}) == len(drawn.stays) == min(size, len(stays))
    assert drawn.sample.population == len(stays)
    assert draw(stays, seed, size + 1, "2026-01-31").stays[:size] == drawn.stays, "a larger one begins with the smaller"


def test_r17_a_sample_is_the_same_on_every_machine():
    drawn = draw([stay(number) for number in range(100)], "January Kheri", 3, "2026-01-31")
    program = (
        "from tests.unit.test_review import draw, stay\n"
        "drawn = draw([stay(number) for number in range(100)], 'January Kheri', 3, '2026-01-31')\n"
        "print(*(each.case for each in drawn.stays), drawn.sample.digest)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True,
                          env={"PYTHONHASHSEED": "7", "PATH": ""})  # fmt: skip
    assert told.stdout.split() == [*(each.case for each in drawn.stays), drawn.sample.digest]


def test_r17_another_seed_draws_others_and_every_case_can_be_drawn():
    stays = [stay(number) for number in range(50)]
    first = {seed: draw(stays, seed, 1, "2026-01-31").stays[0].case for seed in map(str, range(1000))}
    assert set(first.values()) == {each.case for each in stays}
    most = max(list(first.values()).count(case) for case in set(first.values()))
    assert most < 45, "twenty each are expected; no case is favoured"


def test_only_cases_at_their_level_for_long_enough_are_looked_through():
    stays = [stay(1, since=0), stay(2, since=DAY_MS), stay(3, since=DAY_MS + 1)]
    assert [each.case for each in stalled(stays, 4 * DAY_MS, 3)] == [stays[0].case, stays[1].case]


async def test_a_sample_of_a_district_has_its_cases_only_and_of_the_state_those_of_all(shadow):
    source = ShadowSource(shadow)
    own = await asked(district=159).draw(source, "x", 1000)
    state = await asked().draw(source, "x", 10_000)
    assert {each.district for each in own.stays} == {159}
    assert {each.case for each in own.stays} < {each.case for each in state.stays}
    called = await asked("call-back", 159).draw(source, "x", 1000)
    assert called.stays
    assert {each.ended_by for each in called.stays} == {"disposed"}
    with pytest.raises(NotClosedError):
        await asked(as_of="2026-03-31").draw(source, "x", 5)


# outcomes


async def test_r17_r18_an_outcome_is_a_record_and_stands_in_the_register_and_the_pack(shadow):
    source, registers = ShadowSource(shadow), Registers(ShadowSource(shadow), "up-1076", UP.zone)
    checked, called = asked(district=159), asked("call-back", 159)
    one, two = await checked.draw(source, "seed", 5), await called.draw(source, "seed", 5)
    at = (await gather(source, UP, "dm", Scope(159), MONTH, None)).end_at - 1000
    said = "उन्होंने 9876543210 से फोन किया"
    found = [
        outcome(checked, one, one.stays[0].case, "stalling", "charge-sheet", said, REVIEWER, at),
        outcome(called, two, two.stays[0].case, "unreachable", "none", None, REVIEWER, at + 1),
    ]
    take(shadow, found)

    assert await registers.outcomes(159, MONTH) == found
    assert "9876543210" not in str(found)
    text = markdown(document(await gather(source, UP, "dm", Scope(159), MONTH, None, EVERY_ROLE), "en"), "x")
    assert re.search(rf"\| {one.stays[0].case} \|.*needless delay, charge sheet \| seed \| 5 / ", text)
    assert re.search(rf"\| {two.stays[0].case} \|.*not reached", text)


async def test_a_case_that_was_not_drawn_has_no_outcome(shadow):
    drawn = await asked(district=159).draw(ShadowSource(shadow), "seed", 2)
    other = await asked(district=162).draw(ShadowSource(shadow), "seed", 2)
    assert outcome(asked(), drawn, other.stays[0].case, "stalling", "none", None, REVIEWER, 1) is None


async def test_recorded_again_it_is_the_same_record_and_corrected_it_takes_its_place(shadow):
    source, registers = ShadowSource(shadow), Registers(ShadowSource(shadow), "up-1076", UP.zone)
    drawn = await asked().draw(source, "another seed", 1)
    case, district = drawn.stays[0].case, drawn.stays[0].district
    at = 1_769_700_000_000
    first = outcome(asked(), drawn, case, "unclear", "none", None, REVIEWER, at)
    take(shadow, [first, first, outcome(asked(), drawn, case, "in-order", "none", None, REVIEWER, at + 5)])
    assert [
        each.finding for each in await registers.outcomes(district, MONTH) if each.sample.seed == "another seed"
    ] == ["in-order"]


def take(shadow: Shadow, outcomes) -> None:
    shadow.take([
        Entry(t.REVIEW_OUTCOMES, 0, place, each.at, each.case.encode(), encode(each), tuple)
        for place, each in enumerate(outcomes)
    ])  # fmt: skip
