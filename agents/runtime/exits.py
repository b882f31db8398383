"""How a worker ends: every doubt about what is durable ends the process, and another one takes over."""

import asyncio
import logging
import os
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, NoReturn

log = logging.getLogger("nivaran.runtime")


class Exit(IntEnum):
    """Exit codes of `nivaran worker`; a supervisor restarts on all but CLEAN, USAGE and NOT_SET_UP."""

    CLEAN = 0
    """Told to stop (SIGTERM, Ctrl-C); everything in hand was finished or given back."""
    CRASH = 1
    """Faust ended by itself, e.g. a broker did not answer while it started."""
    USAGE = 2
    """Unknown role or unusable setting; the message names it."""
    UNAVAILABLE = 69
    """Kafka did not answer at start."""
    NOT_DURABLE = 70
    """A batch could not be committed: fenced by a successor, or the brokers are away. Nothing of it is visible."""
    NOT_FENCED = 71
    """The transactional producers of an assignment could not be initialised."""
    WAKE_LOST = 72
    """A wake was not written; the restart derives it anew from the states."""
    EFFECT_FAULT = 73
    """A sink or sender raised, or an outcome was not written."""
    NOT_DRAINED = 74
    """Work in hand did not end within the session timeout at a rebalance or stop, or we were told twice to stop."""
    STUCK = 75
    """No progress for `stuck_after` seconds in recovery, rebalance or the event loop."""
    UNKNOWN_FAULT = 76
    """A stage raised on a valid record, or a stored state cannot be read: a defect, never skipped."""
    DEAD_LETTER_FLOOD = 77
    """More of a batch than `dead_letter_share` could not be taken."""
    NOT_SET_UP = 78
    """A topic, states, their folder, a right or the address to listen on are missing or wrong; the message says."""


class NotReadyError(RuntimeError):
    """A worker cannot start; `code` is the exit code, the message says what is wrong and what to do."""

    def __init__(self, code: Exit, why: str) -> None:
        super().__init__(why)
        self.code = code


def leave(code: Exit, why: str, *args: object, cause: BaseException | None = None) -> NoReturn:
    """End the process now: no cleanup could make anything more durable, and some could do harm."""
    log.critical("%s; leaving (exit %d %s)", why % args if args else why, code, code.name, exc_info=cause)
    logging.shutdown()
    os._exit(code)


@contextmanager
def fatal(code: Exit, why: str, *args: object) -> Iterator[None]:
    """End the process when the block raises: for what Faust calls back, logs as a warning, and goes on without."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not be logged and forgotten
        leave(code, why, *args, cause=error)


async def must_end(doing: Coroutine[Any, Any, None], seconds: float, code: Exit, why: str, *args: object) -> None:
    """Await `doing`; end the process when it takes longer.

    It is not cancelled first: a client's call in a thread cannot be, and waiting for that would have no end.
    """
    task = asyncio.get_running_loop().create_task(doing)
    await asyncio.wait([task], timeout=seconds)
    if not task.done():
        leave(code, why, *args)
    task.result()
