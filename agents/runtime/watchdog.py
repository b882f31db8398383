"""Ends a worker that is alive and gets nowhere: event loop blocked, or recovery or rebalance without progress."""

import threading
import time
from collections.abc import Callable, Hashable

from agents.runtime.exits import Exit, leave

LOOK_S = 1.0


class Watchdog:
    """Looks on from a thread of its own, so that a blocked event loop is seen.

    `progress` answers None when nothing is awaited, else a value that changes with every bit of progress.
    """

    def __init__(self, progress: Callable[[], Hashable | None], limit: float) -> None:
        self._progress, self._limit = progress, limit
        self._beat_at = time.monotonic()
        self._seen: Hashable | None = None
        self._seen_at = self._beat_at
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()

    def beat(self) -> None:
        """Say that the event loop turns; to be called more often than every `limit`."""
        self._beat_at = time.monotonic()

    def _look(self) -> None:
        while not self._ended.wait(LOOK_S):
            stuck = self.stuck(time.monotonic())
            if stuck:
                leave(Exit.STUCK, "%s for %.0f s", stuck, self._limit)

    def stuck(self, now: float) -> str:
        """Say what is stuck at `now` (monotonic seconds), or nothing."""
        seen = self._progress()
        if seen is None or seen != self._seen:
            self._seen, self._seen_at = seen, now
        if now - self._beat_at > self._limit:
            return "the event loop has been blocked"
        if now - self._seen_at > self._limit:
            return f"no progress ({seen})"
        return ""
