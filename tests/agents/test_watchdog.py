"""The watchdog tells a worker that gets nowhere from one that is slow, or has nothing to do."""

import time
from collections.abc import Hashable

from agents.runtime.watchdog import Watchdog


class Progress:
    def __init__(self) -> None:
        self.value: Hashable | None = None

    def __call__(self) -> Hashable | None:
        return self.value


def test_nothing_awaited_is_never_stuck() -> None:
    watchdog, began = Watchdog(Progress(), 10.0), time.monotonic()
    for second in range(0, 100, 5):
        watchdog._beat_at = began + second
        assert watchdog.stuck(began + second) == ""


def test_a_recovery_that_moves_is_not_stuck_and_one_that_stands_still_is() -> None:
    progress = Progress()
    watchdog, began = Watchdog(progress, 10.0), time.monotonic()
    for second in range(0, 60, 5):
        progress.value = ("recovery", second)
        watchdog._beat_at = began + second
        assert watchdog.stuck(began + second) == ""
    watchdog._beat_at = began + 70
    assert "no progress (('recovery', 55))" in watchdog.stuck(began + 70)


def test_a_blocked_event_loop_is_seen() -> None:
    watchdog, began = Watchdog(Progress(), 10.0), time.monotonic()
    watchdog._beat_at = began
    assert "event loop" in watchdog.stuck(began + 11)
