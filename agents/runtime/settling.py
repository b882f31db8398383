"""Waiting until what earlier owners of partitions have open is over, where others fence a part of it."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Collection
from typing import Final

from confluent_kafka import IsolationLevel, KafkaException
from confluent_kafka.admin import AdminClient, OffsetSpec

from agents.positions import committed, offsets, onlooker
from agents.runtime.producers import client_config
from agents.runtime.stopping import aside
from agents.runtime.transactions import BEYOND_S, HANGING_S
from agents.settings import Settings

LOOK_S: Final = 0.01
"""Between two looks at what others have yet to fence."""
MOMENT_S: Final = 0.1
"""In which a transaction that is being committed is complete in all partitions, where brokers are not in trouble."""
AT_MOST_S: Final = 1.0
"""For a question that only saves time."""


class Settling:
    """Of one stage's partitions: positions in `reads`, states in `changelog`.

    A transaction of an earlier owner is open under the id of one of the partitions it had; whoever has that one now
    fences it. Its position is then aborted or final, and what it wrote to the changelog as well. None of an earlier
    generation can begin to commit a position any more: Kafka refuses it (KIP-447).
    """

    def __init__(self, settings: Settings, group: str, reads: str, changelog: str) -> None:
        self._reads, self._changelog = reads, changelog
        # made at once: to connect and to find the group's coordinator takes a second where there is much to do, and a
        # group misses a worker that is given partitions and is not done with them within a session
        self._asking = onlooker(client_config(settings), group)
        self._admin = AdminClient(client_config(settings))
        self._limit = settings.transaction_timeout + HANGING_S + BEYOND_S

    def warm(self) -> None:
        """Ask once, aside, so that a later answer is quick."""
        threading.Thread(target=self._ask_once, name="settling", daemon=True).start()

    def _ask_once(self) -> None:
        with contextlib.suppress(KafkaException, TimeoutError):  # then it is not quick
            self._look_on([0], time.monotonic() + self._limit)

    async def nearly(self, partitions: Collection[int]) -> None:
        """Give what is being committed the moment that it takes: librdkafka waits half a second when it finds it so.

        Answers in any case; what is open for longer is to be fenced.
        """
        deadline = time.monotonic() + MOMENT_S
        with contextlib.suppress(KafkaException, TimeoutError):
            await asyncio.wait_for(aside(lambda: self._until_stable(partitions, deadline)), AT_MOST_S)

    async def until_over(self, partitions: Collection[int]) -> None:
        """Return when nothing is open in these partitions; raises KafkaException, TimeoutError.

        Kafka aborts by itself what nobody fences, before this is given up.
        """
        deadline = time.monotonic() + self._limit
        await asyncio.wait_for(aside(lambda: self._look_on(partitions, deadline)), self._limit + BEYOND_S)

    def _look_on(self, partitions: Collection[int], deadline: float) -> None:
        # the client waits by itself while a position is in a transaction: positions first, because all of a transaction
        # is in the log before its position is final
        committed(self._asking, self._reads, partitions, deadline - time.monotonic())
        self._until_stable(partitions, deadline)

    def _until_stable(self, partitions: Collection[int], deadline: float) -> None:
        """Wait until nothing is open in the changelog before the end it has now."""
        places = [(self._changelog, partition) for partition in partitions]
        ends = offsets(self._admin, places, OffsetSpec.latest(), self._limit)
        while True:
            stable = offsets(self._admin, places, OffsetSpec.latest(), self._limit, IsolationLevel.READ_COMMITTED)
            if all(stable[place] >= end for place, end in ends.items()):
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"transactions of earlier owners are still open in {self._changelog}")
            time.sleep(LOOK_S)
