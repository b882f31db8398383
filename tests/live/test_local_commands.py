"""`nivaran local` as a person uses it: up, status, down, kept data, leftovers, and what the exit codes say."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests.waiting import until

pytestmark = pytest.mark.live


class Shell:
    def __init__(self, home: Path) -> None:
        self.environment = {**os.environ, "NIVARAN_HOME": str(home)}

    def __call__(self, *words: str, code: int = 0, **more: str) -> subprocess.CompletedProcess[str]:
        ended = subprocess.run(
            self.command(*words), env=self.environment | more, capture_output=True, text=True, check=False, timeout=120
        )
        assert ended.returncode == code, f"{words}: {ended.stdout}{ended.stderr}"
        return ended

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "deploy.cli", "local", *words]

    def status(self, code: int = 0) -> dict[str, Any]:
        return json.loads(self("status", "--json", code=code).stdout)


@pytest.fixture
def nivaran(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    yield shell
    shell("down")


def pids(status: dict[str, Any]) -> set[int]:
    return {server["pid"] for server in status["servers"]}


def test_up_status_down_and_what_is_kept(nivaran: Shell, tmp_path: Path) -> None:
    assert nivaran("status", code=1).stdout == "not up\n"
    assert nivaran("up").stdout.startswith("up\n")
    first = nivaran.status()
    assert first["up"]
    with Redis.from_url(first["redis"]) as client:
        client.set("kept", "yes")

    assert nivaran("up").stdout.startswith("already up\n")
    assert pids(nivaran.status()) == pids(first)

    assert nivaran("down").stdout == "stopped, data kept\n"
    assert nivaran("down").stdout == "nothing was running\n"
    assert nivaran("status", code=1).stdout.startswith("not up\n")

    second = json.loads(nivaran("up", "--json").stdout)
    with Redis.from_url(second["redis"]) as client:
        assert client.get("kept") == b"yes"

    refused = nivaran("up", "--brokers", "3", code=1).stderr
    assert "holds the data of 1 broker(s), not 3. `--fresh` wipes it" in refused
    (tmp_path / "local" / "state.json").write_text('{"brokers": "many"}')
    assert "state.json is damaged" in nivaran("up", code=1).stderr

    fresh = json.loads(nivaran("up", "--fresh", "--json").stdout)
    assert pids(fresh).isdisjoint(pids(second))
    with Redis.from_url(fresh["redis"]) as client:
        assert client.get("kept") is None


def test_a_broken_part_is_noticed_and_repaired(nivaran: Shell) -> None:
    up = json.loads(nivaran("up", "--json").stdout)
    broker = next(server for server in up["servers"] if server["name"] == "kafka 1")
    os.kill(broker["pid"], signal.SIGKILL)
    until(lambda: not nivaran.status(code=1)["up"], what="the dead broker is noticed")
    assert json.loads(nivaran("up", "--json").stdout)["up"]


def test_leftovers_of_a_killed_up_are_reaped(nivaran: Shell, tmp_path: Path) -> None:
    pid_file = tmp_path / "local" / "kafka" / "node1" / "kafka.pid"
    with subprocess.Popen(nivaran.command("up"), env=nivaran.environment, stdout=subprocess.DEVNULL) as killed:
        until(pid_file.exists, 60, every=0.005, what="a broker is started")
        killed.kill()
    leftover = int(pid_file.read_text().split()[0])
    up = json.loads(nivaran("up", "--json").stdout)
    assert up["up"]
    broker = next(server for server in up["servers"] if server["name"] == "kafka 1")
    if broker["pid"] != leftover:
        # dead by now; whoever inherited it collects it in time of its own
        until(lambda: not Path(f"/proc/{leftover}").exists(), what="the leftover is gone")


def test_ctrl_c_during_up_leaves_nothing_running(nivaran: Shell, tmp_path: Path) -> None:
    pid_file = tmp_path / "local" / "kafka" / "node1" / "kafka.pid"
    with subprocess.Popen(nivaran.command("up"), env=nivaran.environment, stdout=subprocess.DEVNULL) as interrupted:
        until(pid_file.exists, 60, every=0.005, what="a broker is started")
        interrupted.send_signal(signal.SIGINT)
    assert interrupted.returncode == 130
    assert nivaran("down").stdout == "nothing was running\n"


def test_a_failed_up_leaves_nothing_running(nivaran: Shell, tmp_path: Path) -> None:
    failed = nivaran("up", code=1, NIVARAN_JAVA=str(tmp_path / "no-java"))
    assert "set NIVARAN_JAVA to the path of a java executable" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert nivaran("down").stdout == "nothing was running\n"


@pytest.mark.parametrize("words", [("up", "--brokers", "2"), ("up", "--unknown"), ("sideways",)])
def test_wrong_usage_ends_with_2(nivaran: Shell, words: tuple[str, ...]) -> None:
    nivaran(*words, code=2)


@pytest.mark.parametrize("command", ["up", "down", "status"])
def test_help_has_an_example_and_the_exit_codes(nivaran: Shell, command: str) -> None:
    said = nivaran(command, "--help").stdout
    assert f"Example:\n    nivaran local {command}" in said
    assert "Exit code: 0" in said
