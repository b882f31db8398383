"""`nivaran local up --observability`: exporter, Prometheus and Alertmanager found again, and gone after `down`."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.error import URLError
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

        until(lambda: "Watchdog" in firing(), 60, what="the watchdog reaches Alertmanager")
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


def test_the_command_brings_up_a_watch_that_sees_kafka_and_redis(tmp_path: Path) -> None:
    tool("prometheus")
    tool("prometheus-alertmanager")

    def local(*words: str) -> Any:
        command = [sys.executable, "-m", "deploy.cli", "local", *words, "--json"]
        environ = {**os.environ, "NIVARAN_HOME": str(tmp_path)}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=200)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    try:
        told = local("up", "--observability", "--scrape", "worker=127.0.0.1:1")
        watch = told["observability"]
        assert local("status")["observability"] == watch

        def seen() -> bool:
            found = ask(f"{watch['prometheus']}/api/v1/query?query=nivaran_exporter_up")["data"]["result"]
            assert {each["metric"]["source"]: each["value"][1] for each in found} == {"kafka": "1", "redis": "1"}
            down = ask(f"{watch['prometheus']}/api/v1/query?query=up")["data"]["result"]
            assert {each["metric"]["job"]: each["value"][1] for each in down}["nivaran-worker"] == "0"
            return True

        until(seen, 90, every=1, what="Prometheus has what the exporter saw")
    finally:
        assert local("down")["stopped"]
    with pytest.raises(URLError):
        ask(f"{watch['prometheus']}/-/ready")
