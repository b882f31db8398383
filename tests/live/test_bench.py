"""The measurements at a small size: they end, they hold, and what they say is put on the page."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from deploy.cli import cli

pytestmark = pytest.mark.live


def measured(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    """What a part prints as JSON; its report goes to a page on which only that part has a place."""
    part = arguments[0]
    page = tmp_path / "page.md"
    page.write_text(f"before\n<!-- {part}, measured -->\nwhat stood here\n<!-- end of {part} -->\nafter\n", "utf-8")
    command = ["bench", *arguments, "--runs", "1", "--write", str(page), "--json"]
    result = CliRunner().invoke(cli, command, env={"NIVARAN_HOME": str(tmp_path / "home")}, catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    before, table, after = page.read_text("utf-8").partition("|")
    assert before.startswith("before\n")
    assert "what stood here" not in before
    assert table
    assert after.endswith(f"<!-- end of {part} -->\nafter\n")
    found: dict[str, Any] = json.loads(result.stdout)
    assert found["machine"]["cores"] >= 1
    return found


def test_worker_and_plain_loop_write_the_same(tmp_path: Path) -> None:
    case = measured(tmp_path, "case", "--events", "60000")["case"]
    assert case["same"]
    worker, plain = case["runs"]
    assert (worker["who"], plain["who"]) == ("worker", "plain")
    assert worker["outputs"] == plain["outputs"]
    assert worker["outputs"]["count"] > case["commands"]


def test_what_metrics_cost_is_the_difference_of_three_that_write_the_same(tmp_path: Path) -> None:
    found = measured(tmp_path, "metrics", "--events", "60000")["metrics"]
    assert found["same"]
    assert [run["who"] for run in found["runs"]] == ["off", "on", "scraped"]
    assert all(run["outputs"]["count"] > found["commands"] for run in found["runs"])


def test_every_complaint_is_timed_to_its_sms_by_both_ways(tmp_path: Path) -> None:
    found = measured(tmp_path, "latency", "--rate", "20", "--seconds", "2")["latency"]
    assert [(run["door"], run["rate"], run["counted"]) for run in found["runs"]] == [
        ("gateway", 20.0, 40),
        ("topic", 20.0, 40),
    ]
    for run in found["runs"]:
        assert 0 < run["p50"] <= run["p99"] <= run["p999"] <= run["most"]
        assert run["stages"]["case"]["records"] >= 1


def test_a_cold_worker_restores_what_was_written(tmp_path: Path) -> None:
    found = measured(tmp_path, "recovery", "--states", "20000")["recovery"]
    (run,) = found["runs"]
    assert found["states"] == 20_000
    assert run["per_second"] > 0
    assert 0 < run["restore_s"] < run["ready_s"]
