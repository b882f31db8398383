"""Due instants of states by key; a storm of them costs no turn of the event loop more than a few milliseconds."""

import heapq
from collections.abc import Callable
from typing import Final

SECOND: Final = 1000
NEAR_MS: Final = 30_000
"""So long before it begins a second's keys are put in order of their milliseconds, a few at a time."""
LOOKED_AT: Final = 4000
"""Keys of coming seconds whose state is looked at in one call: some 8 ms. A call comes four times a second at least, so
that half a million of one second are in order when it begins; of what is left some are up to a second late."""

DueOf = Callable[[bytes], int | None]


class DueIndex:
    """Second -> keys due in it. None is removed early: whether a key is still due is asked when its second comes.

    A key that left a second and came back to it is taken twice: the second wake changes nothing.
    """

    def __init__(self) -> None:
        self._keys: dict[int, list[bytes]] = {}
        self._seconds: list[int] = []
        self._near: list[tuple[int, bytes]] = []
        """Keys of seconds that come next, a heap by their instants."""

    def note(self, due: int, key: bytes) -> None:
        second = due // SECOND
        keys = self._keys.get(second)
        if keys is None:
            self._keys[second] = [key]
            heapq.heappush(self._seconds, second)
        else:
            keys.append(key)

    def earliest(self) -> int | None:
        """Return an instant before which nothing is due; None when nothing ever is."""
        seconds = self._seconds[0] * SECOND if self._seconds else None
        near = self._near[0][0] if self._near else None
        return min((at for at in (seconds, near) if at is not None), default=None)

    def take(self, now: int, most: int, due_of: DueOf) -> tuple[list[tuple[int, bytes]], bool]:
        """Take at most `most` keys due at `now` or before; answer them, and whether there are no more."""
        taken: list[tuple[int, bytes]] = []
        self._of_near(now, most, due_of, taken)
        self._of_seconds_over(now, most, due_of, taken)
        self._look_ahead(now, due_of)
        self._of_near(now, most, due_of, taken)
        earliest = self.earliest()
        return taken, earliest is None or earliest > now

    def _look_ahead(self, now: int, due_of: DueOf) -> None:
        """Put some keys of the present second and of those that come next in order."""
        left, first, last = LOOKED_AT, _not_over(now), (now + NEAR_MS) // SECOND
        while left and self._seconds and first <= self._seconds[0] <= last:
            looked_at, found = self._of_first_second(left, due_of)
            left -= looked_at
            for each in found:
                heapq.heappush(self._near, each)

    def _of_near(self, now: int, most: int, due_of: DueOf, taken: list[tuple[int, bytes]]) -> None:
        near = self._near
        while near and near[0][0] <= now and len(taken) < most:
            due, key = heapq.heappop(near)
            if due_of(key) == due:
                taken.append((due, key))

    def _of_seconds_over(self, now: int, most: int, due_of: DueOf, taken: list[tuple[int, bytes]]) -> None:
        """Of seconds that are over all is due, in whatever order."""
        while self._seconds and self._seconds[0] < _not_over(now) and len(taken) < most:
            taken += self._of_first_second(most - len(taken), due_of)[1]

    def _of_first_second(self, count: int, due_of: DueOf) -> tuple[int, list[tuple[int, bytes]]]:
        """Let go of `count` keys at most; answer of how many, and those that have neither moved nor gone meanwhile."""
        second = self._seconds[0]
        keys = self._keys[second]
        some, keys[-count:] = keys[-count:], []
        if not keys:
            heapq.heappop(self._seconds)
            del self._keys[second]
        dues = ((due_of(key), key) for key in some)
        return len(some), [(due, key) for due, key in dues if due is not None and due // SECOND == second]


def _not_over(now: int) -> int:
    """The first second that has an instant after `now`."""
    return (now + 1) // SECOND
