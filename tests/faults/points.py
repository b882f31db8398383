"""A worker that kills itself at a named point: `python -m tests.faults.points PREFIX`.

`FAULT_POINT` names the point, `FAULT_AFTER` how often it is passed before; the death is SIGKILL of the process itself,
so that whoever started it knows by the exit code that it died there and nowhere else. `FAULT_CLOCK` names the file that
its clock goes by (`clock.py`).
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agents.runtime.lanes import Lane
from agents.runtime.store import Store
from agents.runtime.transactions import Transactions
from agents.runtime.wakes import Waker
from tests.faults.clock import go_by
from tests.live.toy import main

FLUSH_S = 5.0


class Point:
    """Counts how often it is passed; the last time ends the process."""

    def __init__(self, left: int) -> None:
        self._left = left

    def passed(self) -> bool:
        self._left -= 1
        return self._left < 0

    def pass_by(self) -> None:
        if self.passed():
            die()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before(owner: type, name: str) -> Callable[[Point], None]:
    """A point that is passed whenever the method is called."""

    def patch(point: Point) -> None:
        original = getattr(owner, name)

        def called(self: Any, *args: Any, **kwargs: Any) -> Any:
            point.pass_by()
            return original(self, *args, **kwargs)

        setattr(owner, name, called)

    return patch


def after(owner: type, name: str) -> Callable[[Point], None]:
    """A point that is passed whenever the method has returned."""

    def patch(point: Point) -> None:
        original = getattr(owner, name)

        def called(self: Any, *args: Any, **kwargs: Any) -> Any:
            found = original(self, *args, **kwargs)
            point.pass_by()
            return found

        setattr(owner, name, called)

    return patch


def _before_commit(point: Point) -> None:
    """All records of the transaction are at the broker, and nothing of its end is."""
    original = Transactions._end

    def end(self: Transactions, offsets: Any) -> None:
        if point.passed():
            self._producer.flush(FLUSH_S)
            die()
        original(self, offsets)

    Transactions._end = end  # type: ignore[method-assign]


def _in_commit(point: Point) -> None:
    """Somewhere between the first request of the commit and its answer: some tenths of a millisecond to some."""
    original = Transactions._end

    def end(self: Transactions, offsets: Any) -> None:
        if point.passed():
            wait_s = (time.time_ns() % 40) / 10_000
            threading.Timer(wait_s, die).start()
        original(self, offsets)

    Transactions._end = end  # type: ignore[method-assign]


POINTS: dict[str, Callable[[Point], None]] = {
    "after read": after(Lane, "_gather"),
    "before produce": before(Transactions, "begin"),
    "after produce": after(Transactions, "begin"),
    "before commit": _before_commit,
    "in commit": _in_commit,
    "after commit": before(Store, "adopt"),
    "in recovery": after(Store, "apply_changelog_batch"),
    "in firing": after(Waker, "_write"),
}


if __name__ == "__main__":
    if "FAULT_CLOCK" in os.environ:
        go_by(Path(os.environ["FAULT_CLOCK"]))
    if "FAULT_POINT" in os.environ:
        POINTS[os.environ["FAULT_POINT"]](Point(int(os.environ["FAULT_AFTER"])))
    sys.exit(main(sys.argv[1]))
