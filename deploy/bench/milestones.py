"""When each complaint was registered and on the board, seen from outside: a reader of the log, a reader of Redis."""

import threading
import time
from collections import deque
from collections.abc import Collection
from types import TracebackType
from typing import Final, Self

from confluent_kafka import OFFSET_END
from redis import Redis

from agents.readmodel.keys import Keys
from deploy.bench.lab import BenchError
from deploy.bench.onlooker import reader
from deploy.bench.pace import Sent
from schemas.topics import CASE_EVENTS

FETCHED: Final = 2000
WAIT_S: Final = 0.005
LOOK_S: Final = 0.01
LAST_S: Final = 30.0
"""For what is done to be seen."""
ASKED: Final = 200
"""Cases asked for at a look, those that wait longest."""
WATCHED: Final = 50.0
"""Complaints a second that are looked for on the board; to look for all would be a load of its own."""


class Registrations:
    """Case -> UTC ms at which a reader of committed records had its first fact."""

    def __init__(self, kafka: str, partitions: int) -> None:
        self.at: dict[str, float] = {}
        self._consumer = reader(kafka, {(CASE_EVENTS, each): OFFSET_END for each in range(partitions)})

    def look(self) -> None:
        messages = self._consumer.consume(FETCHED, WAIT_S)
        now = time.time() * 1000
        for message in messages:
            if message.error() is None:
                self.at.setdefault(message.key().decode(), now)

    def close(self) -> None:
        self._consumer.close()


class Sightings:
    """Case -> UTC ms at which the board's reader found it, of those that are watched."""

    def __init__(self, redis_url: str, rate: float) -> None:
        self.at: dict[str, float] = {}
        self._keys, self._redis = Keys(), Redis.from_url(redis_url)
        self._waiting: deque[str] = deque()
        self._every, self._noted = max(1, round(rate / WATCHED)), 0

    def watch(self, sent: Sent) -> None:
        """Look for every so many-th case from now on."""
        self._noted += 1
        if self._noted % self._every == 0:
            self._waiting.append(sent.case)

    @property
    def waiting(self) -> int:
        """How many are still looked for."""
        return self._noted // self._every - len(self.at)

    def look(self) -> None:
        asked = [self._waiting.popleft() for _ in range(min(ASKED, len(self._waiting)))]
        if not asked:
            time.sleep(LOOK_S)
            return
        pipe = self._redis.pipeline(transaction=False)
        for case in asked:
            pipe.exists(self._keys.case(case))
        found = pipe.execute()
        now = time.time() * 1000
        self.at.update((case, now) for case, there in zip(asked, found, strict=True) if there)
        self._waiting.extendleft(reversed([case for case, there in zip(asked, found, strict=True) if not there]))
        time.sleep(LOOK_S)

    def close(self) -> None:
        self._redis.close()


class Watch:
    """`with Watch(...) as watch`: both readers at work, each in a thread of its own."""

    def __init__(self, kafka: str, redis_url: str, partitions: int, rate: float) -> None:
        self.registered, self.board = Registrations(kafka, partitions), Sightings(redis_url, rate)
        self._ended = threading.Event()
        self._faults: list[Exception] = []
        self._threads = [threading.Thread(target=self._run, args=(each,)) for each in (self.registered, self.board)]

    def __enter__(self) -> Self:
        self.registered.look()  # the first one joins; what is sent from now on is seen
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()
        self.registered.close()
        self.board.close()
        if self._faults and error is None:
            raise self._faults[0]

    def see_out(self, cases: Collection[str]) -> None:
        """Wait until all of these were seen registered, and those watched on the board; raises BenchError."""
        deadline = time.monotonic() + LAST_S
        while (left := sum(case not in self.registered.at for case in cases)) or self.board.waiting:
            if self._faults or time.monotonic() > deadline:
                raise BenchError(f"void: {left} cases are not in the log, {self.board.waiting} not on the board")
            time.sleep(LOOK_S)

    def _run(self, looking: Registrations | Sightings) -> None:
        try:
            while not self._ended.is_set():
                looking.look()
        except Exception as fault:  # noqa: BLE001 - told when the run ends
            self._faults.append(fault)
