"""The live escalation feed: one reader of the stream, many listeners, nothing missed between replay and live."""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import suppress
from typing import Final, NamedTuple

from msgspec import Struct
from redis.exceptions import RedisError

from agents.gateway.auth import Caller
from agents.gateway.board import Board
from agents.readmodel.reader import FeedEntry
from schemas.codec import decoder

PAGE: Final = 500
BLOCK_MS: Final = 1000
RETRY_SECONDS: Final = 0.5
BACKLOG: Final = 2000
ENTRY_ID: Final = re.compile(r"[0-9]{1,18}-[0-9]{1,18}")

logger = logging.getLogger(__name__)


class OfSystem(Struct, frozen=True):
    """What an entry's JSON says of the system it is of."""

    system: str


_of_system: Final[Callable[[bytes], OfSystem]] = decoder(OfSystem)


class Filter(NamedTuple):
    """Who listens, and what he wants to hear of (None: all); what he may not see is left out."""

    caller: Caller
    department: str | None = None
    district: int | None = None

    def wants(self, entry: FeedEntry) -> bool:
        asked = self.department in {None, entry.department} and self.district in {None, entry.district}
        return asked and self._within(entry) and self.caller.may_see(entry.visible_to)

    def _within(self, entry: FeedEntry) -> bool:
        systems = self.caller.systems
        system = "" if systems is None else _of_system(entry.data).system
        return self.caller.covers(system, entry.district, entry.department)


class Listener:
    """One open feed: live entries wait here until they are sent."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[FeedEntry | None] = asyncio.Queue(BACKLOG)
        self.lost = False
        """It could not keep up: the connection is ended, and the caller comes back with its last id."""

    def tell(self, entry: FeedEntry | None) -> None:
        try:
            self.queue.put_nowait(entry)
        except asyncio.QueueFull:
            self.lost = True


class Feed:
    """Reads the stream once for all listeners."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._listeners: set[Listener] = set()
        self._reader: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    async def position(self, after: str | None) -> str:
        """Where a listener begins: after the id it names, or now; raises redis' errors when Redis is away."""
        newest = await self._board.newest_escalation()
        return after or newest

    async def listen(self, last: str, wanted: Filter, idle: float) -> AsyncGenerator[FeedEntry | None]:
        """Entries after the id `last`, then live ones; None after `idle` seconds in which there was nothing."""
        listener = Listener()
        self._listeners.add(listener)  # before the replay, so that nothing falls between it and the live part
        try:
            self._start(last)
            async for entry in self._replay(last):
                last = entry.id
                if wanted.wants(entry):
                    yield entry
            async for live in self._live(listener, last, idle):
                if live is None or wanted.wants(live):
                    yield live
        finally:
            self._listeners.discard(listener)

    async def close(self) -> None:
        """End every listener and the reader."""
        self._closed = True
        for listener in self._listeners:
            listener.tell(None)
        if self._reader is not None:
            self._reader.cancel()
            with suppress(asyncio.CancelledError):
                await self._reader

    async def _replay(self, last: str) -> AsyncIterator[FeedEntry]:
        while entries := await self._board.escalations(last, PAGE):
            for entry in entries:
                yield entry
            last = entries[-1].id

    async def _live(self, listener: Listener, last: str, idle: float) -> AsyncIterator[FeedEntry | None]:
        while not (self._closed or listener.lost):
            try:
                async with asyncio.timeout(idle):
                    entry = await listener.queue.get()
            except TimeoutError:
                yield None
                continue
            if entry is not None and _order(entry.id) > _order(last):
                last = entry.id
                yield entry

    def _start(self, after: str) -> None:
        if self._reader is None:
            self._reader = asyncio.create_task(self._read(after), name="escalation-feed")
            self._reader.add_done_callback(self._ended)

    def _ended(self, reader: asyncio.Task[None]) -> None:
        """A reader that fell is told of and takes its listeners with it: they come back, and a new one begins."""
        if not reader.cancelled() and reader.exception() is not None:
            logger.critical("the escalation feed ended", exc_info=reader.exception())
            self._reader = None
            for listener in self._listeners:
                listener.lost = True
                listener.tell(None)

    async def _read(self, last: str) -> None:
        while not self._closed:
            try:
                entries = await self._board.wait_escalations(last, PAGE, BLOCK_MS)
            except (RedisError, OSError, TimeoutError) as error:
                logger.warning("the escalation feed waits for Redis (%s)", type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            for entry in entries:
                last = entry.id
                for listener in self._listeners:
                    listener.tell(entry)


def _order(entry_id: str) -> tuple[int, int]:
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence)
