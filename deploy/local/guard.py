"""A tiny process that outlives its parent for one purpose: to end the servers a killed parent left running.

Run as a script with the standard library alone; its standard input is a pipe from the parent, one server a line.
When the pipe closes, the parent is gone, and what still runs of the list is killed.
"""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

_STATE, _START_TICKS = 0, 19  # places in /proc/PID/stat after the command's closing bracket


def start_ticks(pid: int) -> int | None:
    """When `pid` started, in clock ticks since boot; nothing when it does not run (a zombie does not)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return None if _fields(stat)[_STATE] in "ZX" else ticks_in(stat)


def ticks_in(stat: str) -> int:
    """The start in clock ticks since boot, from the text of a /proc/PID/stat."""
    return int(_fields(stat)[_START_TICKS])


def _fields(stat: str) -> list[str]:
    return stat.rpartition(")")[2].split()


class Guard:
    """The parent's end. One guard serves every server of this process; it starts with the first."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def watch(self, pid: int) -> None:
        """End `pid` when this process has ended, unless it has ended by then."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", __file__],
                    stdin=subprocess.PIPE,
                    # of its own session: Ctrl-C in the terminal is not for it
                    start_new_session=True,
                )
            pipe = self._process.stdin
            if pipe is None:
                raise RuntimeError("the guard has no pipe")
            pipe.write(f"{pid} {start_ticks(pid)}\n".encode())
            pipe.flush()

    def dismiss(self) -> None:
        """End the guard now; the servers it watched end with it."""
        with self._lock:
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()
                self._process.wait()
            self._process = None


def _main() -> None:
    watched = [tuple(line.split()) for line in sys.stdin]  # returns when the parent is gone
    for pid, ticks in watched:
        if ticks != "None" and start_ticks(int(pid)) == int(ticks):  # not a stranger that got the same number
            os.kill(int(pid), signal.SIGKILL)


if __name__ == "__main__":
    _main()
