"""Fixtures of the live tests."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from agents.settings import StateStore
from deploy.local.kafka import KafkaCluster
from tests.live.bench import Bench


@pytest.fixture
def bench(kafka: KafkaCluster, tmp_path: Path) -> Iterator[Bench]:
    """A toy flow on the broker all tests share."""
    bench = Bench(kafka.bootstrap, tmp_path)
    yield bench
    bench.end()


@pytest.fixture(params=get_args(StateStore))
def store(bench: Bench, request: pytest.FixtureRequest) -> str:
    """Where the workers of `bench` keep their states: what it says holds for both."""
    bench.store = request.param
    return bench.store
