"""Faults on a running fleet: processes killed and frozen, a broker gone, Redis restarted, a gateway that refuses."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from deploy.fleet import Fleet
from deploy.fleet.service import Service

FROZEN_SESSIONS: Final = 2.0
REFUSING_S: Final = 15.0
AWAY_S: Final = (1.0, 4.0)
WELL: Final = {"fail": 0.0, "throttle": 0.0, "silent": 0.0}
ILL: Final = {"fail": 0.5, "throttle": 0.2, "silent": 0.05}


class Strike(NamedTuple):
    """What was done to whom, seconds after the beginning."""

    after: float
    what: str


class Strikes:
    """One after another at moments drawn from the seed, in a thread of its own."""

    def __init__(self, fleet: Fleet, seed: int, every_s: tuple[float, float], session_s: float) -> None:
        self._fleet, self._draw, self._every_s, self._session_s = (
            fleet,
            random.Random(f"strikes/{seed}"),
            every_s,
            session_s,
        )
        self.done: list[Strike] = []
        self.fault: Exception | None = None
        """What ended it before its time."""
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, name="strikes", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """No more of them; what is under way is put right first."""
        self._enough.set()
        self._thread.join()

    def _run(self) -> None:
        began = time.monotonic()
        try:
            for strike in self._order():
                if self._enough.wait(self._draw.uniform(*self._every_s)):
                    return
                self.done.append(Strike(round(time.monotonic() - began, 1), strike()))
        except Exception as error:  # noqa: BLE001 - whatever it is, the run is told and does not hold
            self.fault = error

    def _order(self) -> Iterator[Callable[[], str]]:
        """Every kind once in a drawn order, again and again: a short run has of each, too."""
        kinds = [self._kill, self._kill, self._freeze, self._broker, self._redis, self._gateway]
        while True:
            yield from self._draw.sample(kinds, len(kinds))

    def _worker(self) -> Service:
        return self._draw.choice([each for each in self._fleet.workers if each.process.alive])

    def _kill(self) -> str:
        victim = self._worker()
        victim.process.kill()
        return f"kill -9 of {victim.name}"

    def _freeze(self) -> str:
        """Past its session: others take over, then it goes on believing that its partitions are still its own."""
        victim = self._worker()
        victim.process.pause()
        try:
            self._enough.wait(self._session_s * FROZEN_SESSIONS)
        finally:
            victim.process.resume()
        return f"{victim.name} frozen past its session"

    def _broker(self) -> str:
        node = self._draw.choice(self._fleet.kafka.nodes)
        node.kill()
        try:
            self._enough.wait(self._draw.uniform(*AWAY_S))
        finally:
            node.start()
        self._fleet.kafka.wait_ready()
        return f"kill -9 of broker {node.node_id}"

    def _redis(self) -> str:
        redis = self._fleet.redis
        redis.kill()
        try:
            self._enough.wait(self._draw.uniform(*AWAY_S))
        finally:
            redis.start()
        return "Redis killed and started again"

    def _gateway(self) -> str:
        self._tell_gateway(ILL)
        try:
            self._enough.wait(REFUSING_S)
        finally:
            self._tell_gateway(WELL)
        return "SMS gateway refuses most"

    def _tell_gateway(self, faults: dict[str, float]) -> None:
        with suppress(TimeoutError):
            self._fleet.services["sms-sandbox"].post("/control", faults)
