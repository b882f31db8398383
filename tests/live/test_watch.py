"""A real Prometheus on the real processes: no panel is empty, rules evaluate, alerts fire on faults and end."""

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from agents.simulate.generate import Simulation
from agents.telemetry.catalogue import CATALOGUE
from deploy.demo.run import OWN_SETTINGS, PARTITIONS, ROLES, Demonstration
from deploy.demo.secrets import drawn
from deploy.fleet import Fleet
from deploy.local.watch import PROGRAMS, Watch
from deploy.observability import preview
from deploy.observability.publish import DEPLOY
from schemas.topics import CASE_COMMANDS
from streams.profiles.load import profile
from tests.subscribing import ENVIRON, Endpoint, serving
from tests.waiting import until

pytestmark = pytest.mark.live
SERIES_S = 90.0
SUBSCRIBER = '[desk]\nurl = "{}"\nsecrets = ["NIVARAN_WEBHOOK_SECRET_A"]\nbegin = "beginning"\n'
FIRES_S = 240.0


@pytest.fixture
def record(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, object], None]:
    """Notes what was measured in the run's folder, for whoever wants to read it."""
    notes = tmp_path_factory.getbasetemp() / "alerts.txt"

    def note(what: str, measured: object) -> None:
        with notes.open("a") as file:
            file.write(f"{what}: {measured}\n")

    return note


class Watched(NamedTuple):
    """A helpline that ran for three simulated weeks, and what watched it meanwhile."""

    fleet: Fleet
    watch: Watch


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    """In CI they must be there; elsewhere the reason stands in the last lines."""
    for server, (names, package) in PROGRAMS.items():
        if not any(map(shutil.which, names)):
            missing = f"left out: {server} is not on this machine (Debian package {package})"
            if os.environ.get("CI"):
                pytest.fail(missing)
            pytest.skip(missing)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    home = tmp_path_factory.mktemp("watch")
    secrets = drawn()
    simulation = Simulation(profile("up-1076"), 3, scale=0.01)
    environ = {**secrets.environ, **OWN_SETTINGS, **ENVIRON, "NIVARAN_EXPORTER_INTERVAL": "1"}
    with serving(Endpoint()) as desk:
        told = home / "webhooks.toml"
        told.write_text(SUBSCRIBER.format(desk.url))
        started = Fleet(
            home, roles=ROLES, begin=simulation.truth.start_at, partitions=PARTITIONS, sandbox=(), gateway=True,
            exporter=True, webhooks=told, environ=environ,
        )  # fmt: skip
        with (
            started as running,
            Watch(home / "watch", jobs(running), every=1, rules=hastened(home / "rules")) as watch,
            Demonstration(running, simulation, secrets) as shown,
        ):
            shown.run()
            yield Watched(running, watch)


def hastened(folder: Path) -> Path:
    """The rules with their waits shortened, three seconds for a minute; how long they wait promtool tests as it is."""
    folder.mkdir()
    shortened = 0
    for path in (DEPLOY / "prometheus" / "rules").glob("*.yml"):
        text, count = re.subn(r"(?<=for: )(\d+)m\b", lambda found: f"{3 * int(found[1])}s", path.read_text())
        (folder / path.name).write_text(text)
        shortened += count
    assert shortened
    return folder


def jobs(running: Fleet) -> dict[str, list[str]]:
    """Scrape targets by job."""
    found: dict[str, list[str]] = {}
    for name, service in running.services.items():
        if name != "sms-sandbox":
            job = name if name in {"gateway", "exporter", "webhooks"} else "worker"
            found.setdefault(f"nivaran-{job}", []).append(service.url.removeprefix("http://"))
    return found


def queries() -> Iterator[tuple[str, str]]:
    for path in sorted((DEPLOY / "grafana" / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", ()):
                expr = target["expr"].replace("$job", ".+").replace("$instance", ".+")
                # long enough for the whole run: what a panel shows is not what this is about
                yield f"{path.stem}: {panel['title']}", expr.replace("$__rate_interval", "30m")


def test_no_panel_is_empty(watched: Watched) -> None:
    asked = list(queries())
    assert len(asked) > 80

    def full() -> bool:
        empty = [name for name, expr in asked if not watched.watch.query(expr)]
        assert empty == []
        return True

    until(full, SERIES_S, every=2, what="every panel has series")


def test_the_preview_draws_every_panel(watched: Watched, tmp_path: Path) -> None:
    pages = list(preview.write(watched.watch.prometheus, tmp_path, 120))
    assert {page.stem for page in pages} == {path.stem for path in (DEPLOY / "grafana" / "dashboards").glob("*.json")}
    for page in pages:
        text = page.read_text()
        assert "not Grafana" in text
        assert text.count("<polyline") > 3, page.stem


def test_every_metric_a_process_has_is_in_the_catalogue_with_help_and_type(watched: Watched) -> None:
    names = {series["metric"]["__name__"] for series in watched.watch.query('{__name__=~"nivaran_.+|kafka_.+"}')}
    bare = {name for name in names if name in CATALOGUE}
    parts = {
        name.removesuffix(end) for name in names - bare for end in ("_bucket", "_sum", "_count") if name.endswith(end)
    }
    assert {name for name in parts if name not in CATALOGUE} - names == set()
    assert len(bare | parts) > 60


def alerts(watch: Watch, name: str) -> list[dict[str, Any]]:
    return watch.query(f'ALERTS{{alertname="{name}",alertstate="firing"}}')


def test_rules_are_evaluated_without_fault_and_only_the_watchdog_pages_nobody(watched: Watched) -> None:
    assert alerts(watched.watch, "Watchdog")
    assert not watched.watch.query("increase(prometheus_rule_evaluation_failures_total[10m]) > 0")
    assert {each["metric"]["sloth_slo"] for each in watched.watch.query("slo:objective:ratio")} >= {"intake-durable"}


def seconds_until(watch: Watch, wanted: tuple[str, ...], *, firing: bool) -> dict[str, float]:
    """When each alert began, or ended, counted from now."""
    began, seen = time.monotonic(), dict[str, float]()

    def all_seen() -> bool:
        for name in wanted:
            if name not in seen and bool(alerts(watch, name)) == firing:
                seen[name] = round(time.monotonic() - began, 1)
        assert seen.keys() == set(wanted)
        return True

    until(all_seen, FIRES_S, every=0.5, what="alerts fire" if firing else "alerts end")
    return seen


def test_a_dead_worker_is_noticed_and_its_return_too(watched: Watched, record: Callable[[str, object], None]) -> None:
    fleet, watch = watched
    case = fleet.services["case-1"]
    wanted = ("NivaranTargetDown", "NivaranPartitionsUnowned", "NivaranClockAbsent")
    case.stop()
    record("worker stopped, firing after s", seconds_until(watch, wanted, firing=True))
    case.start()
    until(lambda: case.ready, 60, what="the worker is back")
    record("worker back, resolved after s", seconds_until(watch, wanted, firing=False))


def test_redis_away_is_noticed_and_that_the_read_model_was_lost(
    watched: Watched, record: Callable[[str, object], None]
) -> None:
    fleet, watch = watched
    fleet.redis.process.kill()
    # the board learns of it with the next fact, the exporter with its next look
    assert fleet.now is not None
    fleet.produce([(CASE_COMMANDS, "k", b"no command", fleet.now)])
    wanted = ("NivaranExporterBlind", "NivaranDeadLetters")
    record("Redis killed and a record that is none, firing after s", seconds_until(watch, wanted, firing=True))
    fleet.redis.start()
    record("Redis back, resolved after s", seconds_until(watch, wanted[:1], firing=False))
