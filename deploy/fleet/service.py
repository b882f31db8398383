"""One process of a fleet: its log, its endpoint, and whether it may be started again when it leaves."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from agents.runtime.exits import Exit
from deploy.local.process import ServerProcess

ASK_TIMEOUT_S: Final = 10.0
END_S: Final = 45.0
"""A worker ends itself before this, whatever hangs."""
FINAL: Final = frozenset({Exit.CLEAN, Exit.USAGE, Exit.NOT_SET_UP})
"""Exit codes after which a restart would change nothing."""
BRIEF_S: Final = 15.0
"""A process that left by itself sooner than this after its start does not help itself by starting again at once."""
PAUSES_S: Final = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0)
"""Before the restart after each such end in a row."""
DEFECTS: Final = frozenset({Exit.UNKNOWN_FAULT, Exit.DEAD_LETTER_FLOOD})
"""Exit codes that do not pass with time; after so many in a row the fleet gives up."""


class FleetError(RuntimeError):
    """A process of the fleet cannot go on, or is not where it should be in time; the message says which and why."""


class Service:
    """A supervised process with an HTTP endpoint on 127.0.0.1."""

    def __init__(
        self, name: str, folder: Path, command: Sequence[str], port: int, environ: Mapping[str, str], ready: str
    ) -> None:
        self.name, self.port = name, port
        self.restarts: list[int] = []
        """Exit codes after which it was started again."""
        self.expected_down = False
        """Somebody stopped it on purpose: the supervisor leaves it alone."""
        self._ready = ready
        self._started_at = 0.0
        self._noticed_at: float | None = None
        """When its present end was noticed."""
        self._brief = 0
        """Times in a row that it left by itself soon after its start."""
        self.process = ServerProcess(name=name, folder=folder, command=command, environ=environ)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._begin()
        self.expected_down = False

    def stop(self) -> None:
        """SIGTERM, and SIGKILL when it does not end."""
        self.ask_to_stop()
        self.see_out()

    def ask_to_stop(self) -> None:
        """SIGTERM, once: a second one would be obeyed at once."""
        self.expected_down = True
        self.process.ask_to_stop()

    def see_out(self) -> int | None:
        """Wait for the end of what has been asked to stop, SIGKILL when it does not come; answers the exit code."""
        self.process.see_out(END_S)
        return self.process.ended_with

    def supervise(self) -> None:
        """Start it again if it left in doubt; raises FleetError when a restart would change nothing.

        A killed one at once: its partitions wait. One that leaves again and again after ever longer pauses.
        """
        code = None if self.expected_down else self.process.ended_with
        if code is None:
            return
        if code in FINAL:
            raise FleetError(f"{self.name} ended with {code}:\n{self.process.tail()}")
        now = time.monotonic()
        if self._noticed_at is None:
            self._noticed_at = now
            lived_briefly = code > 0 and now - self._started_at < BRIEF_S
            self._brief = self._brief + 1 if lived_briefly else 0
            if code in DEFECTS and self._brief >= len(PAUSES_S):
                raise FleetError(f"{self.name} ends again and again, last with {code}:\n{self.process.tail()}")
        if now >= self._noticed_at + PAUSES_S[min(self._brief, len(PAUSES_S) - 1)]:
            self.restarts.append(code)
            self._begin()

    def _begin(self) -> None:
        self._started_at, self._noticed_at = time.monotonic(), None
        self.process.start()

    def get(self, path: str) -> Any:
        """The JSON answer of its endpoint; None while it does not answer, or answers that it is not ready."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=ASK_TIMEOUT_S) as answer:  # noqa: S310 - our own http address
                return json.load(answer)
        except (urllib.error.URLError, ConnectionError, TimeoutError, json.JSONDecodeError):
            return None

    def post(self, path: str, body: Mapping[str, Any]) -> None:
        """Tell its endpoint something as JSON; raises OSError."""
        request = urllib.request.Request(self.url + path, json.dumps(body).encode())  # noqa: S310 - our own http address
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=ASK_TIMEOUT_S):  # noqa: S310 - the same
            pass

    @property
    def ready(self) -> bool:
        return self.get(self._ready) is not None


def end_all(services: Iterable[Service]) -> dict[str, int | None]:
    """Ask all to stop, then see each out; answers how they ended, by name."""
    ending = list(services)
    for each in ending:
        each.ask_to_stop()
    return {each.name: each.see_out() for each in ending}
