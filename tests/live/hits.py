"""Faults on a running fleet that must hurt: each strikes while a transaction of its victim is open, or says it did not.

A lane's transaction is open when its changelog's end is past the last stable offset: nobody else writes there. To look,
the victim is frozen; a look takes milliseconds, far less than a session.
"""

import random
from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Final

from confluent_kafka import IsolationLevel, TopicPartition
from confluent_kafka.admin import OffsetSpec

from agents.runtime.exits import Exit
from deploy.fleet import Fleet
from deploy.fleet.service import Service
from tests.waiting import until

TAKEN_OVER_S: Final = 40.0
LEFT_S: Final = 60.0
ASK_S: Final = 20.0
LOOKS: Final = 8
"""For transactions, before it is asked whether there is anything left to do, which takes longer."""
Emit = Callable[[], object]


class Hits:
    """Strikes workers of the roles whose name is also their stage's; the supervisor brings them back."""

    def __init__(self, fleet: Fleet, draw: random.Random) -> None:
        self._fleet, self._draw = fleet, draw
        self.done: Counter[str] = Counter()

    def kill_worker(self, role: str, emit: Emit) -> bool:
        victim = self._frozen_in_a_transaction(role, emit)
        if victim is None:
            return False
        victim.process.kill()
        self.done[f"kill -9 of {role}"] += 1
        return True

    def make_zombie(self, role: str, emit: Emit) -> bool:
        """Freeze a worker past its session; when others own all its partitions, let it go on where it was."""
        victim = self._frozen_in_a_transaction(role, emit)
        if victim is None:
            return False
        others = [each for each in self._workers(role) if each is not victim]
        everything = set(range(self._fleet.partitions))
        until(
            lambda: {place for each in others for place in self._partitions(each)} == everything,
            TAKEN_OVER_S,
            what=f"others have all partitions of {victim.name}",
        )
        before, generation = len(victim.restarts), max(self._generation(each) for each in others)
        victim.process.resume()
        until(
            lambda: len(victim.restarts) > before or self._generation(victim) > generation,
            LEFT_S,
            what=f"{victim.name} leaves, or joins again",
        )
        if len(victim.restarts) == before:
            return False  # its last word before it froze was the commit, and Kafka had it
        assert victim.restarts[before] == Exit.NOT_DURABLE, "the commit of a zombie is refused"
        self.done[f"zombie of {role}"] += 1
        return True

    def kill_broker(self, role: str, emit: Emit) -> bool:
        victim = self._frozen_in_a_transaction(role, emit)
        if victim is None:
            return False
        node = self._draw.choice(self._fleet.kafka.nodes)
        node.kill()
        victim.process.resume()
        node.start()
        self._fleet.kafka.wait_ready()
        self.done["broker kill -9"] += 1
        return True

    def _workers(self, role: str) -> list[Service]:
        return [each for each in self._fleet.workers if each.name.rpartition("-")[0] == role]

    def _frozen_in_a_transaction(self, role: str, emit: Emit) -> Service | None:
        """Emit what there is to do; answer a worker frozen in the midst of it, None when none was caught."""
        victim = self._draw.choice(self._workers(role))
        held = self._partitions(victim)
        written = self._ends(role, held, IsolationLevel.READ_UNCOMMITTED)
        emit()
        for look in count(1):
            if look % LOOKS == 0 and not self._fleet.left():
                break
            now = self._ends(role, held, IsolationLevel.READ_UNCOMMITTED)
            if now == written:
                continue
            victim.process.pause()
            written = self._ends(role, held, IsolationLevel.READ_UNCOMMITTED)
            if self._ends(role, held, IsolationLevel.READ_COMMITTED) != written:
                return victim
            victim.process.resume()  # it was between two
        return None

    def _partitions(self, worker: Service) -> set[int]:
        told = worker.get("/quiesced")
        return {int(place.rpartition("-")[2]) for place in told["positions"]} if told and told["ready"] else set()

    def _generation(self, worker: Service) -> int:
        told = worker.get("/quiesced")
        return told["generation"] if told and told["ready"] else 0

    def _ends(self, role: str, partitions: set[int], level: IsolationLevel) -> dict[int, int]:
        asked = {TopicPartition(f"nivaran-{role}-{role}-changelog", each): OffsetSpec.latest() for each in partitions}
        if not asked:
            return {}
        answered = self._fleet.admin.list_offsets(asked, isolation_level=level, request_timeout=ASK_S)
        return {place.partition: future.result(ASK_S).offset for place, future in answered.items()}
