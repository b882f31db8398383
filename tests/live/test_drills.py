"""The short form of the drills (`make drill` is the whole): a fault sets off its alerts, its page ends them."""

import os
import shutil
from pathlib import Path

import pytest

from deploy.local.watch import PROGRAMS
from tests.drills.__main__ import drilled
from tests.drills.rows import ROWS

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]
SHORT = ("worker `case` stopped", "Redis killed")


def test_a_fault_sets_off_its_alerts_and_the_runbook_ends_them(tmp_path: Path) -> None:
    for server, (names, package) in PROGRAMS.items():
        if not any(map(shutil.which, names)):
            missing = f"left out: {server} is not on this machine (Debian package {package})"
            (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    outcomes = list(drilled([row for row in ROWS if row.fault in SHORT], 1, tmp_path))
    assert {outcome.row.fault: outcome.verdict for outcome in outcomes} == dict.fromkeys(SHORT, "holds")
