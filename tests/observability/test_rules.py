"""Rules and alerts: as published, accepted by Prometheus, firing when they shall and not firing when they shall not."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.telemetry.catalogue import CATALOGUE
from deploy.observability import alerts, slo
from deploy.observability.publish import DEPLOY, documents
from tests.observability.alert_cases import CASES, Case
from tests.observability.names import metric_names
from tests.observability.tools import run

PROMETHEUS = DEPLOY / "prometheus"
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
RULE_LIST: list[dict[str, Any]] = [rule for group in (*slo.groups(), *alerts.groups()) for rule in group["rules"]]
ALERTS = [rule for rule in RULE_LIST if "alert" in rule]
RECORDED = {rule["record"] for rule in RULE_LIST if "record" in rule}
FROM_PROMETHEUS = {"up", "process_start_time_seconds"}
GROUPED: dict[str, list[dict[str, Any]]] = {group["name"]: [group] for group in alerts.groups()} | {
    objective.slo: [
        group
        for group in slo.groups()
        if group["name"].endswith(("recordings-" + objective.slo, "alerts-" + objective.slo))
        and "-meta-" not in group["name"]
    ]
    for objective in slo.OBJECTIVES
}
"""Alerts that are tried together -> their rule groups."""


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_what_is_published_is_what_the_code_says(path: Path) -> None:
    assert path.read_text() == documents()[path], "run `python -m deploy.observability.publish`"


def test_prometheus_and_alertmanager_accept_their_files() -> None:
    checked = run("promtool", "check", "config", PROMETHEUS / "prometheus.yml")
    assert checked.returncode == 0, checked.stderr
    checked = run("amtool", "check-config", PROMETHEUS / "alertmanager.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("rule", RULE_LIST, ids=lambda rule: rule.get("alert") or rule["record"])
def test_no_rule_names_a_metric_that_no_process_exports(rule: dict[str, Any]) -> None:
    unknown = metric_names(rule["expr"]) - CATALOGUE.keys() - RECORDED - FROM_PROMETHEUS
    assert not unknown


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_every_alert_says_how_bad_it_is_what_it_means_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket", "none"}
    assert {"summary", "description", "runbook_url"} == rule["annotations"].keys()
    assert all(rule["annotations"].values())
    page = rule["annotations"]["runbook_url"].rpartition("/")[2]
    assert (DEPLOY / "runbook" / page).is_file(), f"no runbook page {page}"


def test_every_alert_is_tried_firing_and_not_firing() -> None:
    for rule in ALERTS:
        name, severity = rule["alert"], rule["labels"]["severity"]
        tried = {case.fires for case in CASES if (case.alert, case.severity) == (name, severity)}
        assert tried == ({True} if name == "Watchdog" else {True, False}), f"{name} {severity}"


@pytest.mark.thorough
@pytest.mark.parametrize("group", GROUPED, ids=str)
def test_alerts_fire_when_they_shall_and_only_then(group: str, tmp_path: Path) -> None:
    rules, file = tmp_path / "rules.yml", tmp_path / "cases.yml"
    # only the rules of these alerts: all of them over days of minutes would take promtool minutes
    rules.write_text(yaml.safe_dump({"groups": GROUPED[group]}, sort_keys=False))
    names = {rule.get("alert") for each in GROUPED[group] for rule in each["rules"]}
    tests = [_test(case) for case in CASES if case.alert in names]
    every = "1m" if group.startswith("nivaran-") else "5m"  # burn rates are seen over hours
    content = {"rule_files": [str(rules)], "evaluation_interval": every, "tests": tests}
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    tested = run("promtool", "test", "rules", file)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def _test(case: Case) -> dict[str, Any]:
    firing = f'ALERTS{{alertname="{case.alert}",severity="{case.severity}",alertstate="firing"}}'
    return {
        "name": f"{case.alert} {case.severity} {'fires' if case.fires else 'is quiet'}",
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
        "promql_expr_test": [
            {
                "expr": f"count({firing}) > bool 0",
                "eval_time": f"{case.minutes}m",
                "exp_samples": [{"labels": "{}", "value": 1}] if case.fires else [],
            }
        ],
    }


def test_an_alert_reads_well_and_links_to_its_page(tmp_path: Path) -> None:
    file = tmp_path / "text.yml"
    expected = {
        "exp_labels": {"severity": "page", "consumergroup": "nivaran-case"},
        "exp_annotations": {
            "summary": "nivaran-case is 2m 30s behind.",
            "description": "The oldest record it has not committed arrived that long ago.",
            "runbook_url": "https://here/NivaranLagSeconds.md",
        },
    }
    series = 'nivaran_consumergroup_lag_seconds{consumergroup="nivaran-case",topic="t",partition="0"}'
    test = {
        "interval": "1m",
        "external_labels": {"runbooks": "https://here"},
        "input_series": [{"series": series, "values": "150x20"}],
        "alert_rule_test": [{"eval_time": "10m", "alertname": "NivaranLagSeconds", "exp_alerts": [expected]}],
    }
    file.write_text(yaml.safe_dump({"rule_files": [str(path) for path in RULES], "tests": [test]}, sort_keys=False))
    tested = run("promtool", "test", "rules", file)
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (("severity=page", "alertname=NivaranLagSeconds"), "page"),
        (("severity=page", "alertname=NivaranEscalationsLate", "sloth_id=nivaran-escalation-on-time"), "page"),
        (("severity=ticket", "alertname=NivaranDeadLetters"), "tickets"),
        (("severity=none", "alertname=Watchdog"), "watchdog"),
        (("alertname=SomethingElse",), "tickets"),
    ],
)
def test_alerts_reach_whom_they_concern(labels: tuple[str, ...], receiver: str) -> None:
    routed = run("amtool", "config", "routes", "test", "--config.file", PROMETHEUS / "alertmanager.yml", *labels)
    assert routed.stdout.split()[0].removesuffix("Warning:") == receiver


def test_sloths_names_and_labels_are_kept_so_that_its_dashboards_work() -> None:
    for objective in slo.OBJECTIVES:
        rules = [rule for rule in RULE_LIST if rule.get("labels", {}).get("sloth_slo") == objective.slo]
        windows = {rule["labels"].get("sloth_window") for rule in rules} - {None}
        assert windows == {*slo.WINDOWS, "30d"}
        assert {rule["record"] for rule in rules if "sloth_window" not in rule["labels"]} >= {
            "slo:objective:ratio", "slo:error_budget:ratio", "slo:current_burn_rate:ratio", "slo:time_period:days",
            "slo:period_burn_rate:ratio", "slo:period_error_budget_remaining:ratio", "sloth_slo_info",
        }  # fmt: skip
        assert all(re.fullmatch(r"nivaran-[a-z-]+", rule["labels"]["sloth_id"]) for rule in rules)
