"""Every alert has a drill, does what its pages say, and runs under rules that differ in time alone."""

import re

import pytest

from deploy.observability import alerts, slo
from deploy.observability.publish import DEPLOY
from tests.drills.rows import ROWS, Row
from tests.drills.scale import DURATION, FACTOR, shortened

ALERTS = {rule["alert"] for group in (*slo.groups(), *alerts.groups()) for rule in group["rules"] if "alert" in rule}
RULES = sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))


def test_every_alert_is_set_off_by_one_row() -> None:
    drilled = [name for row in ROWS for name in row.alerts]
    assert sorted(drilled) == sorted(ALERTS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
def test_what_is_done_stands_in_a_page_of_its_alerts(row: Row) -> None:
    pages = "\n".join((DEPLOY / "runbook" / f"{name}.md").read_text() for name in row.alerts)
    assert row.do
    for hand in row.do:
        if isinstance(hand, str):
            # the pages write worker-case for the role concerned
            assert f"`{re.sub(r'worker-[a-z]+', 'worker-case', hand)}`" in pages or f"`{hand}`" in pages, hand
        else:
            assert hand.__doc__


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_the_rules_are_the_real_ones_with_shorter_times(path) -> None:
    real, short = path.read_text(), shortened(path.read_text())
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    times = [int(number) * units[unit] for _, number, unit in DURATION.findall(real)]
    assert [int(found) for found in re.findall(r"\b(\d+)ms\b", short)] == [time * 1000 // FACTOR for time in times]
    assert len(times) > 20
    kept = re.sub(r"\b(300|10|3600|120|3 \* 86400|3 \* 2880)\b", "T", re.sub(r"\b\d+ms\b", "T", short))
    assert kept == re.sub(r"\b(300|10|3600|120|3 \* 86400|3 \* 2880)\b", "T", DURATION.sub("T", real))
