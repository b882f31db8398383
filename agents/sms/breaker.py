"""Lets an absent gateway rest: after failures in a row calls wait before they are made."""

import asyncio
from collections.abc import Callable
from typing import Final

FAILURES: Final = 20
"""Calls in a row without a gateway before there is a pause."""
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 15.0


class Breaker:
    """Pauses double while the gateway stays away, and end with its first answer. Nothing is refused here."""

    def __init__(self, now: Callable[[], float], *, failures: int = FAILURES) -> None:
        self._now, self._most = now, failures
        self._failures = 0
        self._pause = FIRST_PAUSE_S
        self._until = 0.0

    @property
    def open(self) -> bool:
        return self._now() < self._until

    async def wait(self) -> None:
        """Return when a call may be made."""
        if (left := self._until - self._now()) > 0:
            await asyncio.sleep(left)

    def answered(self) -> None:
        self._failures, self._pause = 0, FIRST_PAUSE_S

    def failed(self) -> None:
        self._failures += 1
        if self._failures >= self._most and not self.open:
            self._until = self._now() + self._pause
            self._pause = min(self._pause * 2, LONGEST_PAUSE_S)
