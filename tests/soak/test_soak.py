"""The verdict on recorded samples: what leaks is found, what is held by tables is not, too short a run is said so."""

import random
from itertools import islice
from xml.etree.ElementTree import fromstring

import msgspec
import pytest

from agents.simulate.door import stand_in_identity
from schemas.codec import decoder
from schemas.topics import CASE_COMMANDS, INTAKE_SUBMITTED
from streams.case.stage import CASE
from streams.intake.stage import INTAKE
from tests.soak.load import LIFE, own, records
from tests.soak.plot import svg
from tests.soak.sampling import Held, Sample
from tests.soak.strikes import Strike
from tests.soak.verdict import BYTES_PER_STATE, LEAST_S, MIB, SLACK_MIB, WARM_S, Verdict, growths

EVERY_S = 5.0
HOUR_S = 3600.0


def recorded(
    mib_an_hour: float = 0.0,
    states_an_hour: int = 0,
    files_an_hour: float = 0.0,
    seconds: float = HOUR_S,
    killed_at: float = 0.0,
) -> list[Sample]:
    """A worker whose memory starts high, finds its size, swings with its heap, and grows as told."""
    draw, found = random.Random(1), []
    for number in range(int(seconds / EVERY_S)):
        after = number * EVERY_S
        life = after - killed_at if after >= killed_at else after
        warm = 30 * max(0.0, 1 - life / (WARM_S / 2))
        hours = after / HOUR_S
        rss = 120 + draw.uniform(-6, 6) - warm + mib_an_hour * hours
        held = Held(
            1 if after < killed_at else 2, rss, round(40 + files_an_hour * hours), round(states_an_hour * hours)
        )
        broker = Held(9, 400 + 300 * hours, 500)
        found.append(Sample(after, 0, {"case-1": held, "broker-1": broker}))
    return found


def judged(samples: list[Sample]) -> Verdict:
    growth, unjudged = growths(samples)
    return Verdict(0, {"stage case": 0}, {INTAKE_SUBMITTED: 0}, growth, unjudged, [])


def test_a_flat_run_holds() -> None:
    verdict = judged(recorded())
    assert verdict.problems == []
    assert verdict.unjudged == []
    assert [each.process for each in verdict.growth] == ["case-1"]


def test_memory_that_nothing_explains_is_a_leak() -> None:
    [problem] = judged(recorded(mib_an_hour=2 * SLACK_MIB)).problems
    assert problem.startswith("case-1 grew by")


def test_memory_that_states_explain_is_none() -> None:
    states = round(200 * MIB / BYTES_PER_STATE)
    verdict = judged(recorded(mib_an_hour=200, states_an_hour=states))
    assert verdict.problems == []
    assert verdict.growth[0].explained_mib == pytest.approx(200 * (1 - WARM_S / HOUR_S), rel=0.02)
    assert judged(recorded(mib_an_hour=200 + 2 * SLACK_MIB, states_an_hour=states)).problems


def test_files_that_stay_open_are_found() -> None:
    assert judged(recorded(files_an_hour=60)).problems


def test_only_the_longest_life_of_a_process_is_judged_and_only_when_it_says_something() -> None:
    jump = recorded(killed_at=HOUR_S / 4)
    raised = [
        msgspec.structs.replace(
            each,
            processes={
                "case-1": msgspec.structs.replace(
                    each.processes["case-1"], rss_mib=each.processes["case-1"].rss_mib + 80 * (each.after < HOUR_S / 4)
                )
            },
        )
        for each in jump
    ]
    [growth] = judged(raised).growth
    assert not growth.leaks
    assert growth.seconds == pytest.approx(HOUR_S * 3 / 4 - WARM_S, abs=2 * EVERY_S)
    short = judged(recorded(mib_an_hour=1000, seconds=LEAST_S))
    assert (short.problems, short.growth, short.unjudged) == ([], [], ["case-1"])


def test_each_other_thing_that_does_not_hold_is_named() -> None:
    verdict = Verdict(None, {"SMS": 2, "stage case": 0}, {CASE_COMMANDS: 3}, [], [], ["the load ended before its time"])
    assert verdict.problems == [
        "the load ended before its time",
        "the lag did not come back to zero: None",
        "audit: 2 wrong of SMS",
        f"{CASE_COMMANDS}: 3 records lost (negative: too many)",
    ]


def test_the_load_is_in_order_at_the_rate_asked_for_and_records_are_what_the_stages_take() -> None:
    found = list(islice(records(3, 100.0, "soak-3", stand_in_identity()), 2000))
    instants = [each.after for each in found]
    assert instants == sorted(instants)
    # from when the first lives are at their end
    begun = LIFE[-1][0]
    steady = sum(begun < each <= instants[-1] for each in instants)
    assert steady / (instants[-1] - begun) == pytest.approx(100, rel=0.1)
    readers = {INTAKE_SUBMITTED: decoder(INTAKE.records), CASE_COMMANDS: decoder(CASE.records)}
    values = [(each.topic, each.make(1_780_000_000_000)) for each in found[::7]]
    assert {topic for topic, _ in values} == set(readers)
    for topic, value in values:
        assert readers[topic](value).at == 1_780_000_000_000
        assert own(topic, value, "soak-3")
    assert not own(INTAKE_SUBMITTED, b'{"type":"wake.v1"}', "soak-3")
    assert not own(CASE_COMMANDS, b'{"type":"case.register.v1","id":"register-1"}', "soak-3")


def test_the_picture_is_one_svg_with_every_process_and_strike() -> None:
    drawn = fromstring(svg(recorded(seconds=60), [Strike(30.0, "kill -9 of <case-1>")]))
    titles = {each.text for each in drawn.iter("{http://www.w3.org/2000/svg}title")}
    assert {"case-1", "broker-1", "lag", "states", "kill -9 of <case-1>"} <= titles
