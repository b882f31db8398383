"""Dashboards: as published, by the rules of dashboard-linter, every query PromQL that names metrics there are."""

import json
import re
from collections import Counter
from typing import Any

import promql_parser
import pytest

from agents.telemetry.catalogue import CATALOGUE
from deploy.observability import alerts, slo
from deploy.observability.boards import BOARDS
from deploy.observability.publish import DEPLOY
from tests.observability.names import metric_names

FOLDER = DEPLOY / "grafana" / "dashboards"
RECORDED = {rule["record"] for group in slo.groups() for rule in group["rules"] if "record" in rule}
OF_PROMETHEUS = {"up", "ALERTS", "process_cpu_seconds_total", "process_resident_memory_bytes"}
NO_TARGET = RECORDED | {"ALERTS"}
"""Made by Prometheus itself: they have no job and no instance."""
UNITS = {"short", "s", "percentunit", "reqps", "ops", "bytes", "none"}
PUBLISHED: dict[str, dict[str, Any]] = {
    path.name: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))
}
PANELS = [
    pytest.param(panel, id=f"{name}-{panel['title']}")
    for name, board in PUBLISHED.items()
    for panel in board["panels"]
    if panel["type"] != "row"
]


def filled(expr: str) -> str:
    """The query as Grafana would send it with everything chosen."""
    return expr.replace("$job", ".+").replace("$instance", ".+").replace("$__rate_interval", "1m")


def test_there_is_a_file_for_each_board_and_no_other() -> None:
    assert PUBLISHED.keys() == {f"{board.uid}.json" for board in BOARDS}


@pytest.mark.parametrize("board", PUBLISHED.values(), ids=PUBLISHED)
def test_a_board_keeps_the_linters_rules(board: dict[str, Any]) -> None:
    assert board["title"]
    assert board["uid"]
    assert board["description"]
    assert board["editable"] is False
    assert board["timezone"] == "Asia/Kolkata"
    variables = {each["name"]: each for each in board["templating"]["list"]}
    assert list(variables) == ["datasource", "job", "instance"]
    source = variables["datasource"]
    assert (source["type"], source["query"], source["label"]) == ("datasource", "prometheus", "Data source")
    for name in ("job", "instance"):
        each = variables[name]
        assert (each["type"], each["label"], each["multi"], each["allValue"]) == (
            "query",
            name.capitalize(),
            True,
            ".+",
        )
        assert each["includeAll"] is True
        assert each["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert each["refresh"] == 2, "reloaded when the time range changes"
    ids = Counter(panel["id"] for panel in board["panels"])
    assert max(ids.values()) == 1
    assert min(ids) > 0
    _no_two_at_one_place(board["panels"])


def _no_two_at_one_place(panels: list[dict[str, Any]]) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows_and_asks_for_what_there_is(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert panel["targets"], "a panel without queries shows nothing"
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    for target in panel["targets"]:
        _by_the_rules(target["expr"])
        assert target["refId"]
        for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
            own = metric_names(filled(target["expr"])) <= RECORDED and label == "sloth_slo"
            assert own or re.search(rf"\b{label}\b", target["expr"]), f"no label {label} in {target['expr']}"


def _by_the_rules(expr: str) -> None:
    parsed = promql_parser.parse(filled(expr))
    names = metric_names(filled(expr))
    assert names <= CATALOGUE.keys() | RECORDED | OF_PROMETHEUS, f"{parsed.prettify()} names what nobody exports"
    selectors = re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*\{([^}]*)\}", expr)
    if not names & NO_TARGET:
        assert selectors
        for matchers in selectors:
            assert 'job=~"$job"' in matchers
            assert 'instance=~"$instance"' in matchers
    for window in re.findall(r"\[([^\]]+)\]", expr):
        assert window == "$__rate_interval"
    for counter in re.findall(r"(\w+_total)\{", expr):
        since_the_beginning = "/" in expr and counter == "nivaran_feedback_total"  # a share, not a rate
        assert since_the_beginning or re.search(rf"(rate|increase)\({counter}\{{", expr), f"{counter} is used bare"


def test_every_metric_is_on_a_dashboard_or_in_a_rule() -> None:
    """What nobody looks at is only cost."""
    rules = [rule for group in (*slo.groups(), *alerts.groups()) for rule in group["rules"]]
    queries = [target["expr"] for panel in PANELS for target in panel.values[0]["targets"]]  # type: ignore[index]
    seen = {name for query in queries for name in metric_names(filled(query))}
    seen |= {name for rule in rules for name in metric_names(rule["expr"])}
    for_others = {name for name in CATALOGUE if name.startswith("kafka_")} | {"nivaran_build_info"}
    beside = {"nivaran_wakes_total", "nivaran_exporter_looked_timestamp_seconds"}
    assert CATALOGUE.keys() - seen - for_others <= beside
