"""A short run of the chaos: two workers killed, one frozen past its session, the broker killed, under load."""

from pathlib import Path
from typing import get_args

import pytest

from agents.settings import StateStore
from tests.live.chaos import Plan, run

pytestmark = pytest.mark.live


@pytest.mark.parametrize("store", get_args(StateStore))
def test_nothing_is_lost_repeated_or_wrong_whatever_dies(tmp_path: Path, store: str) -> None:
    plan = Plan(seed=11, inputs=6000, rate=700, kills=2, session_s=3, store=store)
    report = run(plan, "toy", tmp_path)
    assert report.clean, str(report)
    assert report.done == {"worker kill -9": 2, "zombie": 1, "broker kill -9": 1}
    assert report.audits["toy"].inputs > plan.inputs
