"""A server's process: it counts as alive while it lives, whatever it becomes, and no other is taken for it."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.process import ServerProcess

SECONDS = "import time; time.sleep(60)"
LOOKED_S = 0.3


@pytest.fixture
def started() -> Iterator[list[ServerProcess]]:
    found: list[ServerProcess] = []
    yield found
    for each in found:
        each.kill()


def test_it_is_alive_while_it_becomes_another_program(tmp_path: Path, started: list[ServerProcess]) -> None:
    """As the shell that starts it does: for microseconds there is no command line. This one does nothing else."""
    script = tmp_path / "again.sh"
    script.write_text('exec /bin/sh "$0" "$@"')
    server = ServerProcess("server", tmp_path, ("/bin/sh", str(script), str(tmp_path)), detached=True)
    started.append(server)
    server.start()
    until = time.monotonic() + LOOKED_S
    while time.monotonic() < until:
        assert server.alive


def test_a_process_of_another_folder_is_not_taken_for_it(tmp_path: Path, started: list[ServerProcess]) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    server = ServerProcess("server", ours, (sys.executable, "-S", "-c", SECONDS, str(ours)), detached=True)
    started.append(server)
    server.start()
    theirs.mkdir()
    (theirs / "server.pid").write_text((ours / "server.pid").read_text())
    assert server.alive
    assert not ServerProcess("server", theirs, ()).alive
