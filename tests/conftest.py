"""Fixtures every test may use: real Kafka and Redis, started once per run by the first test that asks for them."""

import re
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from deploy.local.kafka import KafkaCluster
from deploy.local.redis import RedisServer
from tests.scratch import use_scratch

# laws hold on a busy machine too: how long an example takes is not one of them
settings.register_profile("nivaran", deadline=None)
settings.load_profile("nivaran")

pytest_plugins = ["pytester", "tests.side_by_side"]
LIVE_FIXTURES = {"kafka", "redis_url"}
WITHOUT_THOROUGH = {"not live and not thorough", "live"}
"""Runs that leave all thorough tests out: that of `make check`, and the live tests by themselves."""
MARKERS_ALONE = {"live": {"live"}, "bench": {"bench"}, "(live or thorough) and not bench": {"live", "thorough"}}
"""Runs of marked tests only, and the markers."""


def pytest_configure() -> None:
    # a shell starts background jobs with Ctrl-C ignored, and what they start inherits that: the tests of Ctrl-C need it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    use_scratch()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    asked = config.option.markexpr
    # schemathesis works out its cases when it is collected: nine seconds of every process of a run without them
    if collection_path.name == "test_openapi.py" and asked in WITHOUT_THOROUGH:
        return True
    # a module that never names a marker has no test of it, and all modules are much to import for each process
    markers = MARKERS_ALONE.get(asked)
    return True if markers and collection_path.suffix == ".py" and not markers & marked(collection_path) else None


def marked(module: Path) -> set[str]:
    """Markers the module's text names."""
    return set(re.findall(r"\bmark\.(\w+)", module.read_text("utf-8")))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    names = Counter(item.nodeid for item in items)
    twice = [name for name, count in names.items() if count > 1]
    if twice and hasattr(config, "workerinput"):
        # pytest-xdist hands tests out by name
        raise pytest.UsageError(f"{twice[0]} names {names[twice[0]]} tests: side by side only one of them would run")
    for item in items:
        wanted = LIVE_FIXTURES.intersection(getattr(item, "fixturenames", ()))
        if wanted and item.get_closest_marker("live") is None:
            raise pytest.UsageError(f"{item.nodeid} uses {', '.join(sorted(wanted))}: mark it live")


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """One broker for the whole run: `.bootstrap`. Tests share it, so each takes topics and groups of its own."""
    with KafkaCluster(tmp_path_factory.mktemp("kafka")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One Redis-protocol server for the whole run: tests share it, so each takes keys of its own."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server.url
