"""A yesterday for a Prometheus that has just begun: submissions at the same hour of a day of 48 minutes."""

import subprocess
import time
from collections.abc import Iterator
from typing import Final

from deploy.local.watch import Watch
from tests.drills.scale import FACTOR

DAY_S: Final = 86_400 // FACTOR
BEFORE_S: Final = 300
UNTIL_S: Final = 120
STEP_S: Final = 5
SERIES: Final = 'nivaran_gateway_submissions_total{job="nivaran-gateway",instance="yesterday",channel="call"}'


def remember_yesterday(watch: Watch) -> None:
    """Write a day of submissions into its data; to be called before it starts."""
    told = watch.folder / "yesterday.txt"
    told.parent.mkdir(parents=True, exist_ok=True)
    told.write_text("\n".join(_lines(int(time.time()))) + "\n")
    data = watch.folder / "prometheus" / "data"
    data.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(told), str(data)], check=True, capture_output=True
    )


def _lines(now: int) -> Iterator[str]:
    yield "# TYPE nivaran_gateway_submissions counter"
    for number, at in enumerate(range(now - DAY_S - BEFORE_S, now - UNTIL_S, STEP_S)):
        yield f"{SERIES} {number} {at}"
    yield "# EOF"
