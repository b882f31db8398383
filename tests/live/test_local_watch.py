"""`nivaran local up --observability`: exporter, Prometheus and Alertmanager found again, and gone after `down`."""

import json
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from deploy.local.errors import LocalError
from deploy.local.observability import LocalWatch
from tests.observability.tools import tool
from tests.waiting import until

pytestmark = pytest.mark.live
NOBODY = ("127.0.0.1:1", "redis://127.0.0.1:1/0")


def ask(url: str) -> Any:
    with urlopen(url, timeout=10) as answer:
        return json.load(answer)


def test_it_is_started_once_tells_alertmanager_and_ends(tmp_path: Path) -> None:
    tool("prometheus")
    tool("prometheus-alertmanager")
    watch = LocalWatch(tmp_path)
    try:
        first = watch.up(*NOBODY, scrape=["worker=127.0.0.1:1"])
        assert first.up
        assert watch.up(*NOBODY, scrape=[]) == first == LocalWatch(tmp_path).status(), "found again, not started anew"

        def firing() -> set[str]:
            return {alert["labels"]["alertname"] for alert in ask(f"{first.alertmanager}/api/v2/alerts")}

        # Prometheus may fire before it has found Alertmanager, and tells it again after a minute
        until(lambda: "Watchdog" in firing(), 150, what="the watchdog reaches Alertmanager")
        targets = ask(f"{first.prometheus}/api/v1/targets")["data"]["activeTargets"]
        assert {each["labels"]["job"] for each in targets} == {"nivaran-exporter", "nivaran-worker", "prometheus"}
    finally:
        assert watch.down()
    assert not watch.status().up
    assert not watch.down(), "nothing runs any more"


@pytest.mark.parametrize("wrong", ["127.0.0.1:8081", "worker=127.0.0.1", "worker=:", "=h:1"])
def test_an_address_that_is_none_is_refused_before_anything_starts(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(LocalError, match="JOB=HOST:PORT"):
        LocalWatch(tmp_path).up(*NOBODY, scrape=[wrong])
    assert not LocalWatch(tmp_path).status().up
