"""What the measurements reckon, and what they say when they cannot."""

import inspect
import re
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from deploy.bench import commands, mix
from deploy.bench.engines import AT
from deploy.bench.jobs import auctions, complaints, lives, shuffle
from deploy.bench.lab import BenchError, Seen, stretch
from deploy.bench.meter import Line, fitted, percentile
from deploy.bench.options import OPTIONS
from deploy.bench.parts import PARTS, Part
from deploy.bench.report import Report, Section, put
from deploy.cli import cli
from schemas.base import Wake
from schemas.codec import decoder
from streams.case.stage import CASE
from streams.driver import Driver
from streams.profiles.load import profile
from streams.profiles.profile import DAY_MS
from streams.stage import Origin

REPORT = Report("case", ("about",), ("", "us"), (("worker", "1"),), ("ratio 1",))


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 50), (0.99, 99), (0.999, 100), (1.0, 100), (0.001, 1), (0.011, 2)]
)
def test_percentiles_are_the_nearest_rank(share: float, expected: int) -> None:
    assert percentile(range(1, 101), share) == expected


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.001, 1))
def test_at_least_the_share_does_not_exceed_its_percentile(figures: list[float], share: float) -> None:
    ordered = sorted(figures)
    found = percentile(ordered, share)
    assert found in ordered
    assert sum(each <= found for each in ordered) >= share * len(ordered) - 1e-4


def test_a_report_replaces_what_stood_between_its_marks_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- case, measured -->\nold\n<!-- end of case -->\nb\n", "utf-8")
    put(page, REPORT)
    put(page, REPORT)
    assert page.read_text("utf-8") == (
        "a\n<!-- case, measured -->\nabout\n\n|  | us |\n| --- | ---: |\n| worker | 1 |\n\n- ratio 1\n"
        "<!-- end of case -->\nb\n"
    )


def test_further_tables_follow_under_their_titles(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- case, measured -->\n<!-- end of case -->\n", "utf-8")
    more = Section("By size", ("size", "us"), (("2", "3"),), ("flat",))
    put(page, Report("case", ("about",), ("", "us"), (("worker", "1"),), ("ratio 1",), (more,)))
    assert page.read_text("utf-8").endswith(
        "- ratio 1\n\n**By size**\n\n| size | us |\n| --- | ---: |\n| 2 | 3 |\n\n- flat\n<!-- end of case -->\n"
    )


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.lists(st.integers(0, 10**6), min_size=2, unique=True))
def test_a_line_is_found_again(at_zero: float, slope: float, places: list[int]) -> None:
    line = fitted([(place, at_zero + slope * place) for place in places])
    assert line.slope == pytest.approx(slope, rel=1e-6, abs=1e-6)
    assert line.at_zero == pytest.approx(at_zero, rel=1e-3, abs=1e-1)


def test_what_does_not_grow_has_no_slope() -> None:
    assert fitted([(0, 5.0), (10, 5.0), (20, 5.0)]) == Line(5.0, 0.0, 1.0)
    assert fitted([(3, 5.0), (3, 7.0)]).slope == 0


def test_a_stretch_is_between_two_looks_or_of_a_trial_from_the_start() -> None:
    looks = [Seen(10.0, 1.0, 100), Seen(11.0, 1.5, 1100)]
    assert stretch(looks, 5.0) == (1000, 500.0, 1000.0)
    assert stretch(looks[1:], 5.0) == (1100, pytest.approx(1363.64), pytest.approx(183.3))


def test_a_fifth_of_records_match_a_consumer_and_all_consumers_alike() -> None:
    found = [shuffle.consumer_of(f"{number:016x}", 10) for number in range(20_000)]
    matched = [each for each in found if each is not None]
    assert len(matched) / len(found) == pytest.approx(shuffle.SELECTIVITY, abs=0.02)
    assert {matched.count(consumer) / len(matched) > 0.05 for consumer in range(10)} == {True}


def test_a_consumer_emits_at_every_tenth_record_and_begins_anew() -> None:
    _, consumer = shuffle.stages(shuffle.Topics.named("in", "x"), 1)
    data = next(text for n in range(1000) if shuffle.consumer_of(text := f"{n:016x}", 1) is not None)
    state, emitted = None, []
    for number in range(25):
        state, outputs, _ = consumer.step(state, shuffle.Message(number, data), Origin("x.matched", 0, number, 0))
        emitted += [output.value for output in outputs]
    assert [(each.count, each.first_at, each.last_at) for each in emitted] == [(10, 0, 9), (10, 10, 19)]
    assert state.count == 5


def test_the_highest_bid_wins_at_the_end_unless_the_auction_was_withdrawn() -> None:
    (stage,) = auctions.stages(auctions.Topics.named("x"))
    origin = Origin("x.auctions", 0, 0, 0)
    state = stage.step(None, auctions.Opened("a", 0, 9), origin).state
    for amount in (5, 7, 6):
        state = stage.step(state, auctions.Bid("a", 1, amount), origin).state
    assert stage.wake_at(state) == 9
    assert stage.step(state, Wake("a", 8, 9), origin).outputs == []
    ended = stage.step(state, Wake("a", 9, 9), origin)
    assert (ended.state, [output.value.amount for output in ended.outputs]) == (None, [7])
    assert stage.step(state, auctions.Withdrawn("a", 2), origin).state is None


@pytest.mark.parametrize("text", ["", "<!-- case, measured -->\n", "<!-- end of case -->\n"])
def test_a_page_without_a_place_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, "utf-8")
    with pytest.raises(BenchError, match="no place for `case`"):
        put(page, REPORT)
    assert page.read_text("utf-8") == text


def test_the_page_of_benchmarks_has_a_place_for_every_part() -> None:
    page = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text("utf-8")
    for part in PARTS:
        assert page.count(f"<!-- {part.name}, measured -->\n") == page.count(f"<!-- end of {part.name} -->\n") == 1


@pytest.mark.parametrize("arguments", [["--runs", "0"], ["case", "--events", "1"], ["latency", "--rate", "0"], ["tea"]])
def test_what_cannot_be_measured_is_wrong_usage(arguments: list[str]) -> None:
    assert CliRunner().invoke(cli, ["bench", *arguments]).exit_code == 2


def test_without_a_part_case_is_meant() -> None:
    assert "Commands in the topic" not in CliRunner().invoke(cli, ["bench", "--help"]).output
    assert "--events" in CliRunner().invoke(cli, ["bench", "--events", "x"]).output


def test_complaints_start_a_clock_and_come_from_as_many_citizens() -> None:
    bodies = list(mix.complaints(1500, seed=3))
    assert {body["type"] for body in bodies} <= set(profile(mix.SYSTEM).timed_types)
    assert len({body["mobile"] for body in bodies}) == len(bodies)


def test_states_are_cases_of_every_standing_under_ids_of_their_own() -> None:
    cases = list(mix.multiplied(mix.standing_cases(seed=3), 3000))
    assert len({case.id for case in cases}) == len(cases)
    assert {"open", "disposed", "closed", "recorded"} <= {case.status for case in cases}


def test_open_cases_have_a_due_instant_that_can_be_put_off() -> None:
    cases = mix.open_cases(seed=3)
    later = mix.put_off(cases)
    assert {case.status for case in cases} == {"open", "disposed"}
    for case, put_off in zip(cases, later, strict=True):
        assert (CASE.wake_at(put_off) or 0) - (CASE.wake_at(case) or 0) == mix.LATER_MS


def test_a_helpline_of_few_districts_has_as_many_complaints() -> None:
    everywhere, here = (mix.helpline(200, 3, days=21, districts=count) for count in (None, 1))
    places = {line.body["place"]["district"] for line in here if line.body and "place" in line.body}
    assert len(places) == 1
    assert len([line for line in everywhere if line.case is None]) == pytest.approx(200, rel=0.25)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_a_part_is_measured_with_its_own_options(part: Part) -> None:
    assert set(inspect.signature(part.measure).parameters) == {"home", "tell", *part.options}
    assert set(part.options) <= set(OPTIONS)


def test_peers_build_on_the_versions_the_product_builds_on() -> None:
    root = Path(__file__).parents[2]
    own = {
        pin.lower()
        for pin in re.findall(r'^  "([\w\[\].-]+==[\w.]+)"', (root / "pyproject.toml").read_text(), re.MULTILINE)
    }
    pins = {line for line in (root / "requirements" / "peers.in").read_text().splitlines() if "==" in line}
    assert {pin for pin in pins if pin not in own} == {"quixstreams==3.28.1"}


def test_all_goes_on_after_a_part_that_fails_and_says_which(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fails(home: Path, tell: object) -> None:
        raise BenchError("no room")

    def measures(home: Path, tell: object) -> int:
        return 7

    def reports(result: int) -> Report:
        return Report("second", (), ("",), (), (str(result),))

    page = tmp_path / "page.md"
    page.write_text("<!-- second, measured -->\n<!-- end of second -->\n", "utf-8")
    parts = [Part("first", (), 1, fails, reports, ""), Part("second", (), 1, measures, reports, "")]
    with pytest.raises(SystemExit) as ended:
        commands.run_parts(parts, {}, page=page, as_json=False)
    assert ended.value.code == 1
    assert "- 7" in page.read_text("utf-8")


def test_the_short_job_tells_what_was_counted_apart() -> None:
    topics, expected = complaints.Topics.named("x"), lives.Expected()
    driver, read = Driver(complaints.stages(topics)), decoder(complaints.Command)
    driver.advance(AT)
    for key, value, at in lives.records(300, AT, 7, expected):
        driver.advance(at)
        driver.send(topics.reads, key.decode(), read(value))
    assert not [told for told in (each.value for each in driver.log[topics.told]) if told.kind == "escalated"]
    driver.advance(AT + 10 * DAY_MS)
    told = Counter((each.value.kind, each.value.case, each.value.level) for each in driver.log[topics.told])
    assert told == expected.told
    assert {kind for kind, _, _ in told} == {"registered", "disposed", "closed", "reopened", "escalated"}
    assert sorted(each.key for each in driver.log[topics.sms]) == sorted(expected.registered)
