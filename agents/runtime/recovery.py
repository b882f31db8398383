"""Faust's table recovery, with an end signal that cannot be lost, and progress that can be watched."""

import asyncio

from faust.tables import TableManager
from faust.tables.recovery import Recovery


class StickySignal(asyncio.Event):
    """An event that only `forget` clears.

    `Recovery._slurp_changelogs` sets the end signal and clears it again at the top of its loop. When the last record
    arrives before the waiter waits, the signal is gone and the worker hangs for ever, alive and heartbeating.
    """

    def clear(self) -> None:
        """Do nothing: see the class."""

    def forget(self) -> None:
        super().clear()


class SafeRecovery(Recovery):  # type: ignore[misc]  # faust ships no types
    """`Recovery` whose end signal stays until the next recovery starts."""

    _signal_recovery_end: StickySignal | None = None

    @property
    def signal_recovery_end(self) -> StickySignal:
        if self._signal_recovery_end is None:
            self._signal_recovery_end = StickySignal()
        return self._signal_recovery_end

    def _set_recovery_started(self) -> None:
        self.signal_recovery_end.forget()
        super()._set_recovery_started()


class SafeTableManager(TableManager):  # type: ignore[misc]  # faust ships no types
    """`TableManager` that makes a `SafeRecovery` and starts without its second of waiting."""

    _recovery: SafeRecovery | None = None

    @property
    def recovery(self) -> SafeRecovery:
        if self._recovery is None:
            self._recovery = SafeRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery

    async def on_start(self) -> None:
        # the parent sleeps a second for tables that are declared late; ours are declared before the start
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()
