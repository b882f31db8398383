"""Waiting in tests: on a condition, up to a deadline; never for a fixed time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

T = TypeVar("T")


def until(condition: Callable[[], T], timeout: float = 10.0, *, every: float = 0.05, what: str = "the condition") -> T:
    """Return the first truthy answer of `condition`; an exception in it counts as "not yet".

    Raises AssertionError naming `what` and the last answer or exception after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        last: object
        try:
            if answer := condition():
                return answer
            last = answer
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported when the time is up
            last = error
        if time.monotonic() > deadline:
            raise _too_late(what, timeout, last)
        time.sleep(every)


async def auntil(
    condition: Callable[[], T | Awaitable[T]],
    timeout: float = 10.0,  # noqa: ASYNC109 - the twin of `until`
    *,
    every: float = 0.05,
    what: str = "the condition",
) -> T:
    """Do as `until` does without blocking the event loop; `condition` may be a coroutine function."""
    deadline = time.monotonic() + timeout
    while True:
        last: object
        try:
            answer = condition()
            if inspect.isawaitable(answer):
                answer = await answer
            if answer:
                return cast("T", answer)
            last = answer
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported when the time is up
            last = error
        if time.monotonic() > deadline:
            raise _too_late(what, timeout, last)
        await asyncio.sleep(every)


def _too_late(what: str, timeout: float, last: object) -> AssertionError:
    error = AssertionError(f"{what}: not within {timeout:g} s; last: {last!r}")
    error.__cause__ = last if isinstance(last, Exception) else None
    return error
