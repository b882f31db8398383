"""Waiting until what earlier owners of partitions have open is over, where others fence a part of it."""

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from confluent_kafka import Consumer, IsolationLevel
from confluent_kafka.admin import AdminClient, OffsetSpec

from agents.positions import committed, offsets, onlooker
from agents.runtime.producers import client_config
from agents.runtime.stopping import aside
from agents.runtime.transactions import BEYOND_S, HANGING_S
from agents.settings import Settings

LOOK_S: Final = 0.01
"""Between two looks at what others have yet to fence."""


@dataclass(slots=True)
class Settling:
    """Of one stage's partitions: positions in `reads`, states in `changelog`.

    A transaction of an earlier owner is open under the id of one of the partitions it had; whoever has that one now
    fences it. Its position is then aborted or final, and what it wrote to the changelog as well. None of an earlier
    generation can begin to commit a position any more: Kafka refuses it (KIP-447).
    """

    settings: Settings
    group: str
    reads: str
    changelog: str
    _asking: Consumer | None = field(default=None, init=False)
    _admin: AdminClient | None = field(default=None, init=False)

    async def until_over(self, partitions: Collection[int]) -> None:
        """Return when nothing is open in these partitions; raises KafkaException, TimeoutError.

        Kafka aborts by itself what nobody fences, before this is given up.
        """
        limit = self.settings.transaction_timeout + HANGING_S + BEYOND_S
        deadline = time.monotonic() + limit
        await asyncio.wait_for(aside(lambda: self._look_on(partitions, deadline)), limit + BEYOND_S)

    def _look_on(self, partitions: Collection[int], deadline: float) -> None:
        asking = self._asking = self._asking or onlooker(client_config(self.settings), self.group)
        admin = self._admin = self._admin or AdminClient(client_config(self.settings))
        # the client waits by itself while a position is in a transaction: positions first, because all of a transaction
        # is in the log before its position is final
        committed(asking, self.reads, partitions, deadline - time.monotonic())
        places = [(self.changelog, partition) for partition in partitions]
        ends = offsets(admin, places, OffsetSpec.latest(), deadline - time.monotonic())
        while True:
            left = deadline - time.monotonic()
            stable = offsets(admin, places, OffsetSpec.latest(), left, IsolationLevel.READ_COMMITTED)
            if all(stable[place] >= end for place, end in ends.items()):
                return
            if left < LOOK_S:
                raise TimeoutError(f"transactions of earlier owners are still open in {self.changelog}")
            time.sleep(LOOK_S)
