"""Being told to stop: the first SIGTERM or Ctrl-C asks for an end in order, a second one is obeyed at once."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from agents.runtime.exits import Exit, leave

REPEAT_S = 0.5
"""Within this it is still the first: a terminal tells a whole group, and a parent in it may pass it on."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """Whether this process has been told to stop."""

    def __init__(self) -> None:
        self._told = asyncio.Event()
        self._told_at = 0.0

    def listen(self) -> None:
        """Hear the signals, in the running event loop, from now on."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._hear)

    @property
    def told(self) -> bool:
        return self._told.is_set()

    async def within(self, seconds: float) -> bool:
        """Wait up to `seconds` to be told; answer whether we have been."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._told.wait(), seconds)
        return self.told

    async def unless(self, doing: Coroutine[Any, Any, None]) -> bool:
        """Do something that may take long; answer whether it was done, or given up because we were told to stop."""
        loop = asyncio.get_running_loop()
        task, told = loop.create_task(doing), loop.create_task(self._told.wait())
        await asyncio.wait([task, told], return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if not task.done():
            task.cancel()
            return False
        task.result()
        return True

    def _hear(self) -> None:
        now = asyncio.get_running_loop().time()
        if not self._told.is_set():
            self._told_at = now
        elif now - self._told_at > REPEAT_S:
            leave(Exit.NOT_DRAINED, "told to stop a second time: what is in hand is left to the next owner")
        self._told.set()


async def aside(function: Callable[[], None]) -> None:
    """Run a blocking function in a thread that the end of the process does not wait for."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def end(error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        fault: BaseException | None = None
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
            fault = error
        with contextlib.suppress(RuntimeError):  # nobody waits any more: the loop is closed
            loop.call_soon_threadsafe(end, fault)

    threading.Thread(target=run, name="aside", daemon=True).start()
    await done
