"""Every alert has a drill, does what its pages say, and runs under rules that differ in time alone."""

import re

import pytest

from deploy.observability import alerts, slo
from deploy.observability.publish import DEPLOY
from tests.drills.rows import ROWS, Row
from tests.drills.scale import DURATION, FACTOR, shortened

ALERTS = {rule["alert"] for group in (*slo.groups(), *alerts.groups()) for rule in group["rules"] if "alert" in rule}
TRIED_ELSEWHERE = {"nivaran local up": "tests/live/test_local_commands.py"}
"""Drills run on a Kafka of their own, which that command does not start."""
OF_OTHERS = {"NIVARAN_STUCK_AFTER", "NIVARAN_SESSION_TIMEOUT"}
"""Named, and not to be set: how long a watchdog waits, and how long the group."""
RULES = sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))


def test_every_alert_is_set_off_and_each_row_has_a_name_of_its_own() -> None:
    assert {name for row in ROWS for name in row.alerts} == ALERTS
    assert len({row.fault for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_every_command_and_setting_of_a_page_is_tried_in_a_row_of_its_alert(name: str) -> None:
    hands = [hand for row in ROWS if name in row.alerts for hand in row.do]
    done = {_of_any_role(hand) for hand in hands if isinstance(hand, str)} | TRIED_ELSEWHERE.keys()
    told = " ".join(hand.__doc__ or "" for hand in hands if not isinstance(hand, str))
    part = (DEPLOY / "runbook" / f"{name}.md").read_text().partition("\n## Do\n")[2].partition("\n## ")[0]
    commands = {_of_any_role(each) for each in re.findall(r"`((?:nivaran|docker compose) [^`]+)`", part)}
    assert commands <= done, "no drill does this"
    missing = {each for each in re.findall(r"NIVARAN_[A-Z_]+", part) if each not in told} - OF_OTHERS
    assert not missing, "no drill sets this"


def test_what_is_tried_elsewhere_is() -> None:
    for command, path in TRIED_ELSEWHERE.items():
        text = (DEPLOY.parent / path).read_text()
        assert all(f'"{word}"' in text for word in command.split()[1:])


def _of_any_role(command: str) -> str:
    """The pages write `worker-case` and NAME for whatever is concerned."""
    command = re.sub(r"webhooks redrive \w[\w-]*", "webhooks redrive NAME", command)
    return re.sub(r"\bworker([- ])[a-z]+|\b(?:intake|case)-\d\b", lambda found: f"worker{found[1] or '-'}case", command)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
def test_what_is_done_stands_in_a_page_of_its_alerts(row: Row) -> None:
    pages = "\n".join((DEPLOY / "runbook" / f"{name}.md").read_text() for name in row.alerts)
    there = {_of_any_role(each) for each in re.findall(r"`([^`]+)`", pages)}
    assert row.do
    for hand in row.do:
        assert _of_any_role(hand) in there if isinstance(hand, str) else hand.__doc__, hand


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_the_rules_are_the_real_ones_with_shorter_times(path) -> None:
    real, short = path.read_text(), shortened(path.read_text())
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    times = [int(number) * units[unit] for _, number, unit in DURATION.findall(real)]
    assert [int(found) for found in re.findall(r"\b(\d+)ms\b", short)] == [time * 1000 // FACTOR for time in times]
    assert len(times) > 20
    kept = re.sub(r"\b(300|10|3600|120|3 \* 86400|3 \* 2880)\b", "T", re.sub(r"\b\d+ms\b", "T", short))
    assert kept == re.sub(r"\b(300|10|3600|120|3 \* 86400|3 \* 2880)\b", "T", DURATION.sub("T", real))
