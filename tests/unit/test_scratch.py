"""Tests' files are in memory where there is room, unless somebody has said where they shall be."""

import os
from pathlib import Path

import pytest

from tests.scratch import scratch


@pytest.fixture(autouse=True)
def _undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)


def test_it_is_where_there_is_room(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    assert scratch(tmp_path, free // 2) == tmp_path
    assert scratch(tmp_path, free * 2) is None
    assert scratch(tmp_path / "nothing here", 0) is None


def test_what_somebody_decided_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert scratch(tmp_path, 0) is None
