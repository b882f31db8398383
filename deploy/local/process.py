"""One server process: started in its folder, signalled, and known again by its pid file, never mistaken for another."""

from __future__ import annotations

import atexit
import os
import select
import signal
import subprocess
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.local.errors import storage_fault
from deploy.local.guard import Guard, start_ticks, ticks_in
from deploy.local.paths import HOME_SETTING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# the server itself records who it is before it becomes what it shall be: should we be killed meanwhile, it can be found
_RECORDED = 'read -r stat </proc/$$/stat && echo "$stat" >"$0" && exec "$@"'
_guard = Guard()
atexit.register(_guard.dismiss)


@dataclass(slots=True)
class ServerProcess:
    """A server that lives in `folder`; its output goes to a log file there, its pid to a pid file.

    Unless `detached` it ends with this process at the latest. One found running at the start, which this object did
    not start, is the leftover of a killed run and is killed; who starts must therefore own the folder.
    """

    name: str
    folder: Path
    command: Sequence[str]
    detached: bool = False
    environ: Mapping[str, str] | None = None
    """Variables beside those of this process."""
    inherit: tuple[int, ...] = ()
    """Open files the server keeps open, such as the locks of its ports."""
    _child: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)
    _started: bool = field(default=False, init=False, repr=False)
    _log_start: int = field(default=0, init=False, repr=False)

    @property
    def log_file(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """The process id while it runs, else nothing."""
        if self._child is not None and self._child.poll() is None:
            return self._child.pid
        return self._recorded_pid()

    @property
    def ended_with(self) -> int | None:
        """Return the exit code of the child started here once it has ended (negative: the signal), else nothing."""
        return None if self._child is None else self._child.poll()

    @property
    def alive(self) -> bool:
        return self.pid is not None

    def start(self) -> None:
        """Start it unless it runs; does not wait until it serves. Raises LocalError when the folder takes no write."""
        self.reap()
        if self.alive:
            return
        try:
            self._spawn()
        except OSError as error:
            raise storage_fault(error, self.folder, HOME_SETTING) or error from error

    def reap(self) -> None:
        """Kill it if it was found running and not started here."""
        if not self._started:
            self.kill()

    def stop(self, timeout: float = 20.0) -> None:
        """SIGTERM, and SIGKILL when it has not ended after `timeout` seconds."""
        self.ask_to_stop()
        self.see_out(timeout)

    def see_out(self, timeout: float) -> None:
        """Wait for the end of what has been asked to stop; SIGKILL when it has not come after `timeout` seconds."""
        if not self.wait(timeout):
            self.kill()

    def ask_to_stop(self) -> None:
        self.resume()
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: no flush, no goodbye; what the page cache holds survives."""
        pid = self.pid
        if pid is not None:
            _send(pid, signal.SIGKILL)
            if not self._wait_for(pid, 30.0):
                raise RuntimeError(f"{self.name} (pid {pid}) did not end 30 s after SIGKILL")

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def wait(self, timeout: float) -> bool:
        """Whether it has ended, waiting up to `timeout` seconds for that."""
        pid = self.pid
        return pid is None or self._wait_for(pid, timeout)

    def _wait_for(self, pid: int, timeout: float) -> bool:
        # that one and no other: a supervisor in another thread may start the next one the moment this one ends
        child = self._child
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return True
        try:
            poller = select.poll()
            poller.register(handle, select.POLLIN)
            ended = bool(poller.poll(timeout * 1000))
        finally:
            os.close(handle)
        if ended and child is not None and child.pid == pid:
            child.wait()
        return ended

    def tail(self, lines: int = 20) -> str:
        """Return the last lines it logged since it was started here; empty when there are none."""
        try:
            with self.log_file.open(errors="replace") as log:
                log.seek(self._log_start)
                return "".join(deque(log, lines)).rstrip()
        except FileNotFoundError:
            return ""

    @property
    def _pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"

    def _spawn(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self._log_start = log.tell()
            self._child = subprocess.Popen(
                ("/bin/sh", "-c", _RECORDED, self._pid_file, *self.command),
                cwd=self.folder,
                env=None if self.environ is None else {**os.environ, **self.environ},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the terminal is for us: we end the servers in order
                start_new_session=True,
                pass_fds=self.inherit,
            )
        self._started = True
        if self.detached:
            self._leave(self._child)
        else:
            _guard.watch(self._child.pid)

    def _leave(self, child: subprocess.Popen[bytes]) -> None:
        while self._recorded_pid() != child.pid and child.poll() is None:
            time.sleep(0.001)
        child.returncode = 0  # it outlives us: its end is not ours to wait for, nor its life to warn of
        self._child = None

    def _recorded_pid(self) -> int | None:
        """Return the pid of the file if that very process still runs: same start, our folder in its command line."""
        try:
            stat = self._pid_file.read_text()
            pid, ticks = int(stat.partition(" ")[0]), ticks_in(stat)
            command_line = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError, IndexError):
            return None
        # for a moment, while the shell becomes the server, there is no command line
        ours = not command_line or os.fsencode(self.folder) in command_line
        return pid if ours and start_ticks(pid) == ticks else None

    def _signal(self, number: signal.Signals) -> None:
        if (pid := self.pid) is not None:
            _send(pid, number)


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # ended between the look and the signal
        os.kill(pid, number)


def stop_all(processes: Sequence[ServerProcess], timeout: float) -> bool:
    """End what runs of these, together, the last by SIGKILL after `timeout` seconds; answers whether anything ran."""
    running = [process for process in processes if process.alive]
    for process in running:
        process.ask_to_stop()
    deadline = time.monotonic() + timeout
    for process in running:
        process.see_out(max(0.0, deadline - time.monotonic()))
    return bool(running)
