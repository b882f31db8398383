"""The flow on a log in memory, run by a scheduler that a seed decides: late, again, in other orders, crashed anywhere.

Batches are folded by the runtime's own `Fold`; a transaction is all of its outputs, states and position, or nothing.
One thread, no clock of the machine: a seed gives the same run each time.
"""

import zlib
from collections import defaultdict
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from agents.readmodel.rebuild import Stored
from agents.runtime.fold import Fold
from schemas.base import Wake
from schemas.codec import decoder, encode
from schemas.sms import SmsHandover, SmsOutcome
from schemas.topics import INTAKE_SUBMITTED, SMS_OUTBOX, SMS_REQUESTED
from streams.case.stage import CASE
from streams.intake.stage import INTAKE
from streams.profiles.profile import DAY_MS
from streams.sla.stage import SLA
from streams.sms.stage import SMS
from streams.sms.turns import TURNS
from streams.stage import Stage
from tests.simulation.lives import START, Told, lives

PARTITIONS = 2
MOST_IN_A_BATCH = 4
HORIZON = START + 100 * DAY_MS
"""By then every feedback call has been made and every case is closed, or at the last level."""
END = HORIZON + 10 * DAY_MS
"""Time goes on so far, so that every SMS of before the horizon has its end."""
Fault = Literal["none", "outputs-without-position", "state-without-outputs", "wakes-forgotten"]
"""What a broken runtime would do: planted, to see that it is found."""
_handover = decoder(SmsHandover)


@dataclass
class Lane:
    """One partition of a stage: what is durable, and what its process has in memory."""

    fold: Fold
    partition: int
    position: int = 0
    states: dict[bytes, bytes] = field(default_factory=dict)
    changelog: list[tuple[bytes, bytes | None]] = field(default_factory=list)
    dues: dict[bytes, int] = field(default_factory=dict)
    """When each state wants to be woken: derived, as in a worker."""
    fired: set[tuple[bytes, int]] = field(default_factory=set)
    """Wakes written since the process began: forgotten when it crashes, and written again."""

    @property
    def topic(self) -> str:
        return self.fold.stage.reads

    def adopt(self, changes: list[tuple[bytes, bytes | None]]) -> None:
        self.changelog += changes
        self._take(changes)

    def _take(self, changes: list[tuple[bytes, bytes | None]]) -> None:
        for key, state in changes:
            self.dues.pop(key, None)
            if state is None:
                self.states.pop(key, None)
                continue
            self.states[key] = state
            if (due := self.fold.due(state)) is not None:
                self.dues[key] = due

    def due(self, now: int) -> list[tuple[int, bytes]]:
        return [(at, key) for key, at in self.dues.items() if at <= now and (key, at) not in self.fired]

    def restart(self) -> None:
        """A new process: states come from the changelog alone."""
        before = self.states
        self.states, self.dues, self.fired = {}, {}, set()
        self._take(self.changelog)
        assert self.states == before, f"{self.topic}/{self.partition}: the changelog gives other states"


class World:
    """Everything there is; `run` lets the seed decide until nothing is left to do."""

    def __init__(self, seed: int, fault: Fault = "none") -> None:
        self._draw = Random(f"world/{seed}")
        self._fault = fault
        self.log: defaultdict[tuple[str, int], list[Stored]] = defaultdict(list)
        self.now = START
        self.taken: defaultdict[str, int] = defaultdict(int)
        """SMS id -> how often the gateway was asked to take it."""
        stages: tuple[Stage[Any], ...] = (INTAKE, CASE, SLA, SMS, TURNS)
        self.lanes = [Lane(Fold(stage, stage.name), part) for stage in stages for part in range(PARTITIONS)]
        self._sent = [0] * PARTITIONS
        self._left = [list(life) for life in lives(seed)]
        self._opened = [life[0].at for life in self._left]

    def run(self) -> None:
        actions = (self._tell, self._step, self._step, self._wake, self._send, self._pass_time)
        idle = 0
        while idle < len(actions):
            # in a drawn order, and each once before it is said that nothing is left
            order = self._draw.sample(range(len(actions)), len(actions))
            idle = next((tried for tried, each in enumerate(order) if actions[each]()), len(actions))

    # what may happen next; each answers whether it did

    def _tell(self) -> bool:
        """What happened next to one of the cases; again and again, while its channel has had no answer."""
        waiting = [
            life for life, opened in zip(self._left, self._opened, strict=True) if life and self._may_come(life, opened)
        ]
        if not waiting:
            return False
        life = self._draw.choice(waiting)
        told = life[0] if self._draw.random() < 0.2 else life.pop(0)
        self._append(told.topic, told.key.encode(), told.value, told.at)
        return True

    def _may_come(self, life: list[Told], opened: int) -> bool:
        """A command waits for its registration for a day of event time: one of a later day comes after it."""
        return life[0].at < opened + DAY_MS or not self._lags(INTAKE_SUBMITTED)

    def _lags(self, topic: str) -> bool:
        lanes = (lane for lane in self.lanes if lane.topic == topic)
        return any(lane.position < len(self.log[topic, lane.partition]) for lane in lanes)

    def _step(self) -> bool:
        waiting = [lane for lane in self.lanes if lane.position < len(self.log[lane.topic, lane.partition])]
        if not waiting:
            return False
        self._batch(self._draw.choice(waiting))
        return True

    def _batch(self, lane: Lane) -> None:
        most = self._draw.randint(1, MOST_IN_A_BATCH)
        records = self.log[lane.topic, lane.partition][lane.position : lane.position + most]
        batch = lane.fold(lane.partition, records, lane.states.get, self.now)
        crash = self._draw.random()
        if crash < 0.1:  # before its transaction is committed: nothing of it is there
            if self._fault == "outputs-without-position":
                self._write(batch.outputs)
            if self._fault == "state-without-outputs":
                lane.adopt(batch.changes)
                lane.position += len(records)
            lane.restart()
            return
        self._write(batch.outputs)
        lane.adopt(batch.changes)
        lane.position += len(records)
        if crash > 0.95:  # after it: the process knows nothing of it any more
            lane.restart()
            if self._fault == "wakes-forgotten":
                lane.fired = {(key, at) for at, key in lane.due(HORIZON)}

    def _write(self, outputs: list[Any]) -> None:
        for each in outputs:
            self._append(each.topic, each.key, each.value, each.at)

    def _wake(self) -> bool:
        due = [(lane, each) for lane in self.lanes for each in lane.due(self.now)]
        if not due:
            return False
        lane, (at, key) = self._draw.choice(due)
        lane.fired.add((key, at))
        self._append(lane.topic, key, encode(Wake(key.decode(), at, self.now)), self.now, lane.partition)
        return True

    def _send(self) -> bool:
        waiting = self._unsent()
        if not waiting:
            return False
        part = self._draw.choice(waiting)
        handover = _handover(self.log[SMS_OUTBOX, part][self._sent[part]].value or b"")
        answer = self._draw.choices(("accepted", "unavailable", "unknown"), (8, 1, 1))[0]
        if answer == "accepted" or (answer == "unknown" and self._draw.random() < 0.5):  # it took it, or not
            self.taken[handover.request.id] += 1
        if self._draw.random() < 0.1:  # dies between the call and its outcome, and calls again
            return True
        at = max(self.now, handover.at)
        outcome = SmsOutcome(handover.request.id, handover.attempt, at, answer)
        self._append(SMS_REQUESTED, handover.request.id.encode(), encode(outcome), at)
        self._sent[part] += 1
        return True

    def _unsent(self) -> list[int]:
        return [part for part in range(PARTITIONS) if self._sent[part] < len(self.log[SMS_OUTBOX, part])]

    def _pass_time(self) -> bool:
        """To the next instant at which something is due, or a part of the way: never past what is still to be told.

        Nor while something told of a case waits for its registration, which is for a day of event time at most.
        """
        if self._lags(INTAKE_SUBMITTED):
            return False
        busy = any(self._lags(lane.topic) or lane.due(self.now) for lane in self.lanes) or self._unsent()
        to_come = min((life[0].at for life in self._left if life), default=HORIZON if busy else END)
        dues = [due for lane in self.lanes for due in lane.dues.values() if due > self.now]
        to = min([*dues, to_come])
        if to <= self.now:
            return False
        self.now = to if self._draw.random() < 0.8 else self._draw.randint(self.now + 1, to)
        return True

    def _append(
        self, topic: str, key: bytes | None, value: bytes | None, at: int, partition: int | None = None
    ) -> None:
        part = zlib.crc32(key or b"") % PARTITIONS if partition is None else partition
        records = self.log[topic, part]
        records.append(Stored(topic, part, len(records), at, key, value))
