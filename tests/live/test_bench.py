"""The measurements at a small size: they end, they hold, and what they say is put on the page."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from deploy.cli import cli

pytestmark = [pytest.mark.live, pytest.mark.bench]


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
    measured_part: dict[str, Any] = found[part]
    return measured_part


def test_worker_and_plain_loop_write_the_same(tmp_path: Path) -> None:
    """Peers are left out: they are installed for a measurement, by hand."""
    case = measured(tmp_path, "case", "--events", "4000", "--open", "500", "--store", "rocksdb", "--no-peers")
    assert case["same"]
    worker, plain, on_disk = case["runs"]
    whos = ("worker case", "plain loop", "worker case, rocksdb")
    assert [(run["who"], run["cases"]) for run in case["runs"]] == [(who, 500) for who in whos]
    assert worker["outputs"] == plain["outputs"] == on_disk["outputs"]
    assert worker["states"] == plain["states"] == on_disk["states"]
    assert worker["outputs"]["count"] > case["commands"]
    assert all(run["cpu_us"] > 0 and run["rss_mib"] > 0 for run in case["runs"])


def test_what_metrics_cost_is_the_difference_of_three_that_write_the_same(tmp_path: Path) -> None:
    found = measured(tmp_path, "metrics", "--events", "4000")
    assert found["same"]
    assert [run["who"] for run in found["runs"]] == ["off", "on", "scraped"]
    assert all(run["outputs"]["count"] > found["commands"] for run in found["runs"])


def test_every_complaint_is_timed_to_each_step_by_both_ways(tmp_path: Path) -> None:
    asked = ("--rate", "20", "--seconds", "1", "--door", "gateway", "--door", "topic")
    gateway, topic = measured(tmp_path, "latency", *asked)["runs"]
    assert list(gateway["steps"]) == ["accepted", "registered", "on the board", "officer's SMS"]
    assert list(topic["steps"]) == ["registered", "on the board", "officer's SMS"]
    for run in (gateway, topic):
        assert {times["counted"] for times in run["steps"].values()} == {20}
        for times in run["steps"].values():
            assert 0 < times["p50"] <= times["p99"] <= times["p999"] <= times["most"]
        assert run["steps"]["registered"]["p50"] < run["steps"]["officer's SMS"]["p50"]
        assert run["stages"]["case"]["records"] >= 1


def test_a_cold_worker_restores_what_was_written(tmp_path: Path) -> None:
    found = measured(tmp_path, "recovery", "--states", "20000")
    (run,) = found["runs"]
    assert found["states"] == 20_000
    assert run["per_second"] > 0
    assert 0 < run["restore_s"] < run["ready_s"]


def test_the_whole_flow_is_measured_with_cases_in_its_table_and_its_costs_can_be_reckoned_with(tmp_path: Path) -> None:
    costs = tmp_path / "costs.json"
    asked = ("--complaints", "20", "--axis", "open", "--open", "300", "--costs", str(costs))
    found = measured(tmp_path, "flow", *asked)
    empty, full = found["runs"]
    assert (empty["setting"]["open"], full["setting"]["open"]) == (0, 300)
    for run in (empty, full):
        assert run["events"] > run["complaints"] >= 20
        assert run["windows"] > 0
        assert all(run["records"][role] > 0 for role in ("intake", "case", "sla", "sms", "officers", "board"))
    written = json.loads(costs.read_bytes())
    assert written["records"]["case"] > written["events"] - 2


def test_the_public_jobs_write_what_was_counted_apart(tmp_path: Path) -> None:
    (few, many) = measured(tmp_path, "shuffle", "--events", "25000")["runs"]
    assert few["emitted"] > many["emitted"] == 0


def test_timers_fire_that_were_not_cancelled(tmp_path: Path) -> None:
    (run,) = measured(tmp_path, "timers", "--events", "2400")["runs"]
    assert (run["auctions"], run["fired"]) == (500, 100)
    assert run["last_s"] > 0


def test_the_short_job_writes_what_was_counted_apart_and_escalates_what_is_open(tmp_path: Path) -> None:
    """Other engines are left out, as peers are."""
    found = measured(tmp_path, "engines", "--events", "2000", "--no-peers")
    assert [run["who"] for run in found["runs"]] == ["worker", "plain loop"]
    assert found["escalated"] > 100
    assert all(min(run["cpu_us"], run["per_second"], run["last_s"]) > 0 for run in found["runs"])


def test_cases_due_at_once_are_escalated_once_each_though_the_worker_is_killed(tmp_path: Path) -> None:
    found = measured(tmp_path, "storm", "--due", "1000", "--kill", "1", "--intake", "10")
    assert [(run["cases"], run["kills"]) for run in found["runs"]] == [(1000, 0), (1000, 1)]
    for run in found["runs"]:
        assert 0 < run["first_s"] <= run["half_s"] <= run["last_s"]
        assert run["meanwhile"]["sent"] > 0
        assert run["worker_cpu_us"] > 0
    assert found["records"] > 1


def test_what_complaints_wait_while_workers_come_and_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIVARAN_SESSION_TIMEOUT", "3")
    found = measured(tmp_path, "pauses", "--intake", "15")
    assert found["session_timeout"] == 3
    pauses = {run["event"]: run for run in found["runs"]}
    assert len(pauses) == 6
    assert not pauses["nothing happens"]["rebalanced"]
    for event in ("a worker joins", "a worker leaves (SIGTERM)", "a worker dies (kill -9)"):
        assert pauses[event]["rebalanced"]
    assert pauses["a worker dies (kill -9)"]["struck_s"] > 1  # nobody knows before its session ends
    assert all(run["struck_s"] > 0 for run in pauses.values())
