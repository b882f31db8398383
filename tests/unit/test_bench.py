"""What the measurements reckon, and what they say when they cannot."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from deploy.bench import mix
from deploy.bench.lab import BenchError
from deploy.bench.latency import percentile
from deploy.bench.report import Report, put
from deploy.cli import cli
from streams.profiles.load import profile

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


@pytest.mark.parametrize("text", ["", "<!-- case, measured -->\n", "<!-- end of case -->\n"])
def test_a_page_without_a_place_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, "utf-8")
    with pytest.raises(BenchError, match="no place for `case`"):
        put(page, REPORT)
    assert page.read_text("utf-8") == text


def test_the_page_of_benchmarks_has_a_place_for_every_part() -> None:
    page = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text("utf-8")
    for part in ("case", "latency", "recovery", "storm", "pauses"):
        assert page.count(f"<!-- {part}, measured -->\n") == page.count(f"<!-- end of {part} -->\n") == 1


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
