"""A worker that cannot go on ends in bounded time with the exit code that says why, though a thread of it hangs."""

import asyncio
import subprocess
import sys
import threading
import time

import pytest

from agents.runtime import stopping
from agents.runtime.exits import Exit, NotReadyError, fatal, must_end
from agents.runtime.stopping import Stop, aside
from tests.waiting import auntil

START_S = 20.0
"""A busy machine needs seconds to import; nothing of what hangs would end by itself within this."""


@pytest.mark.parametrize(
    ("what", "code", "says"),
    [
        ("commit", Exit.NOT_DURABLE, "stage toy: a transaction is not durable"),
        ("fence", Exit.NOT_FENCED, "stage toy: no transactional producers"),
        ("drain", Exit.NOT_DRAINED, "work in hand did not end in 0.3 s"),
        ("loop", Exit.STUCK, "the event loop has been blocked for 0 s"),
        ("rebalance", Exit.STUCK, "no progress (('rebalance', 1)) for 0 s"),
    ],
)
def test_what_never_returns_ends_the_process(what: str, code: Exit, says: str) -> None:
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-m", "tests.agents.stuck", what], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, says in ended.stderr) == (code, True), ended.stderr
    assert time.monotonic() - began < START_S


def test_what_faust_would_log_and_forget_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[tuple[Exit, str]] = []
    monkeypatch.setattr("agents.runtime.exits.leave", lambda code, why, *_, **__: left.append((code, why)))
    with fatal(Exit.UNKNOWN_FAULT, "states"):
        pass
    assert left == []
    with fatal(Exit.UNKNOWN_FAULT, "states"):
        raise KeyError("unknown")
    assert left == [(Exit.UNKNOWN_FAULT, "states")]


async def test_what_ends_in_time_is_waited_for_and_its_fault_is_raised() -> None:
    async def fails() -> None:
        raise NotReadyError(Exit.NOT_SET_UP, "a topic is missing")

    with pytest.raises(NotReadyError, match="a topic is missing"):
        await must_end(fails(), 5.0, Exit.NOT_DRAINED, "late")


async def test_a_second_signal_is_obeyed_at_once_an_echo_of_the_first_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[Exit] = []
    monkeypatch.setattr(stopping, "leave", lambda code, *_, **__: left.append(code))
    stop = Stop()
    assert not stop.told
    stop._hear()
    stop._hear()
    assert (stop.told, left) == (True, [])
    stop._told_at -= stopping.REPEAT_S
    stop._hear()
    assert left == [Exit.NOT_DRAINED]


async def test_what_takes_long_is_given_up_when_we_are_told_to_stop() -> None:
    stop, begun, blocked = Stop(), threading.Event(), threading.Event()

    def blocks() -> None:
        begun.set()
        blocked.wait(START_S)

    async def tell() -> None:
        await auntil(begun.is_set)
        stop._hear()

    done, _ = await asyncio.gather(stop.unless(aside(blocks)), tell())
    assert done is False
    blocked.set()
    assert await Stop().unless(aside(lambda: None)) is True
    with pytest.raises(NotReadyError, match="no such topic"):
        await Stop().unless(aside(refuses))


def refuses() -> None:
    raise NotReadyError(Exit.NOT_SET_UP, "no such topic")
