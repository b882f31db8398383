"""Registrations at a steady rate beside what is measured, as intake writes them for the case stage."""

import threading
from collections.abc import Iterator
from itertools import takewhile
from typing import Any, Final

import uvloop

from agents.simulate.door import stand_in_identity
from deploy.bench import mix
from deploy.bench.lab import BenchError, Lab
from deploy.bench.pace import Registrations, Sent, paced, prepared

MOST_SENT: Final = 1_000_000
"""More than any run takes."""


class Intake:
    """Registrations at a steady rate from now on until `end`, in a thread of their own."""

    def __init__(self, lab: Lab, rate: float, seed: int, name: str) -> None:
        self._ended = threading.Event()
        self._sent: list[Sent] = []
        self._fault: BaseException | None = None
        self._way = way = Registrations(lab.settings, stand_in_identity())
        bodies = takewhile(lambda _: not self._ended.is_set(), mix.complaints(MOST_SENT, seed))
        self._thread = threading.Thread(target=self._run, args=(way, bodies, rate, name), name="intake", daemon=True)
        self._thread.start()

    @property
    def partitions(self) -> dict[str, int]:
        """Case -> the partition its command is in."""
        return self._way.partitions

    def end(self) -> list[Sent]:
        """Send no more; answers what was sent. Raises BenchError when something could not be."""
        self._ended.set()
        self._thread.join()
        if self._fault is not None:
            raise BenchError(f"intake ended: {self._fault}") from self._fault
        return self._sent

    def _run(self, way: Registrations, bodies: Iterator[dict[str, Any]], rate: float, name: str) -> None:
        try:
            self._sent = uvloop.run(_send(way, bodies, rate, name))
        except BaseException as error:  # noqa: BLE001 - told to who ends it
            self._fault = error


async def _send(way: Registrations, bodies: Iterator[dict[str, Any]], rate: float, name: str) -> list[Sent]:
    async with way:
        return await paced(way, prepared(way, bodies, name), rate)
