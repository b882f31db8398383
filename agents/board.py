"""The board: takes facts into the read model, waits while Redis is away, makes the model anew when it was lost."""

import asyncio
import logging
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import BusyLoadingError, OutOfMemoryError, ReadOnlyError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from agents.readmodel.folding import TOPICS
from agents.readmodel.keys import PREFIX
from agents.readmodel.model import ANSWER_S, ReadModel, ViewLostError
from agents.readmodel.rebuild import OtherLogError, Place, catch_up, drop
from agents.runtime.ports import Slice
from agents.settings import Settings
from agents.telemetry import catalogue
from agents.telemetry.families import counter, gauge

AWAY: Final[tuple[type[RedisError | OSError], ...]] = (
    RedisConnectionError, RedisTimeoutError, BusyLoadingError, OutOfMemoryError, ReadOnlyError, OSError,
)  # fmt: skip
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0

log = logging.getLogger("nivaran.board")


class Board:
    """A sink: a slice is acknowledged when Redis has it."""

    name: Final = "board"
    topics: Final[tuple[str, ...]] = TOPICS

    def __init__(self, settings: Settings, prefix: str = PREFIX) -> None:
        self._kafka = settings.kafka
        self._url = settings.redis_url
        self._redis = Redis.from_url(self._url, socket_timeout=None, socket_connect_timeout=ANSWER_S)
        self._model = ReadModel(self._redis, prefix)
        self._reached: dict[Place, int] = {}
        """How far each partition is known to be in Redis."""
        self._repairing = asyncio.Lock()
        self._repairs = 0
        self.available, self.waits = gauge(catalogue.BOARD_UP), counter(catalogue.BOARD_WAITS)
        self.rebuilds, self.unreadable = counter(catalogue.BOARD_REBUILDS), gauge(catalogue.BOARD_UNREADABLE)
        self.collectors = (self.available, self.waits, self.rebuilds, self.unreadable)

    async def open(self) -> None:
        """Take what the log has beyond the read model: after a flush, or with a new Redis, that is everything."""
        pause = FIRST_PAUSE_S
        while True:
            try:
                self._reached = await catch_up(self._model, self._kafka)
            except OtherLogError as other:
                log.error("the read model is of another log and is dropped: %s", other)  # noqa: TRY400 - expected, no trace
                async with Redis.from_url(self._url, socket_timeout=ANSWER_S) as patient:
                    await drop(patient, self._model.keys.prefix)
            except AWAY as error:
                pause = await self._wait(error, pause)
            else:
                self.available.set(1)
                return

    async def handle(self, records: Slice) -> None:
        """Apply a slice; returns when it stands in Redis, however long that takes."""
        place, pause = (records.topic, records.partition), FIRST_PAUSE_S
        while True:
            repairs = self._repairs
            try:
                self._reached[place] = await self._model.apply(records, self._reached.get(place, 0))
            except ViewLostError as lost:
                await self._repair(lost, repairs)
            except AWAY as error:
                pause = await self._wait(error, pause)
            else:
                self.available.set(1)
                self.unreadable.set(self._model.unreadable)
                return

    async def close(self) -> None:
        await self._redis.aclose()

    async def _wait(self, error: Exception, pause: float) -> float:
        self.available.set(0)
        self.waits.inc()
        if pause == FIRST_PAUSE_S:
            log.warning("Redis is away (%s): nothing is acknowledged until it is back", type(error).__name__)
        await asyncio.sleep(pause)
        return min(pause * 2, LONGEST_PAUSE_S)

    async def _repair(self, lost: ViewLostError, repairs: int) -> None:
        """One of the partitions that find the loss makes everything anew, the others wait for it."""
        async with self._repairing:
            if repairs != self._repairs:
                return
            log.error("the read model was lost (%s): it is made anew from the log", lost)
            self.rebuilds.inc()
            await self.open()
            self._repairs += 1
            log.warning("the read model is made anew")
