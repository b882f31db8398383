"""Half a year of real cases on real Kafka: every number as in the independent recount."""

import pytest

from deploy.real.compare import compare
from deploy.real.feed import Feed
from deploy.real.live import live
from deploy.real.recounted import recounted
from deploy.real.span import HALF_YEAR

pytestmark = [pytest.mark.live, pytest.mark.timeout(420)]

LEAP = 6
"""Months at a time, far more than the windows' allowed lateness: as the case worker is late, they close before all of
their facts are there, and what a reader adds up is final results and revisions."""


def test_every_number_is_the_recounts(tmp_path):
    recount, feed = recounted(HALF_YEAR), Feed(HALF_YEAR)

    run = live(feed.in_time_order(), HALF_YEAR, tmp_path, months=LEAP, late=True)

    checks = compare(run.seen, feed.noted, recount)
    assert {check.name: check.differences[:5] for check in checks if not check.held} == {}
    assert run.dead == 0
    assert any(name.endswith("revised") for name in run.seen.windows)
