"""The flow on a log in memory, run by a scheduler that a seed decides: late, again, in other orders, crashed anywhere.

Batches are folded by the runtime's own `Fold`; a transaction is all of its outputs, states and position, or nothing.
One thread, no clock of the machine: a seed gives the same run each time.
"""

import zlib
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any, Literal, NamedTuple

from agents.readmodel.rebuild import Stored
from agents.runtime.fold import Batch, Fold
from agents.runtime.producers import Written
from schemas.base import Wake
from schemas.codec import decoder, encode
from schemas.sms import SmsHandover, SmsOutcome
from schemas.topics import INTAKE_SUBMITTED, SMS_OUTBOX, SMS_REQUESTED
from streams.profiles.profile import DAY_MS
from streams.topology import STAGES
from tests.simulation.lives import START, Story, Told

PARTITIONS = 2
MOST_IN_A_BATCH = 4
SLACK_MS = 2 * DAY_MS
"""No more time passes while a wake waits to be written, nor while it then waits to be read. Seven days are allowed, and
a case's warning and its due instant may wait one after the other."""
NEVER = 1 << 62
Kind = Literal["none", "outputs-without-position", "state-without-outputs", "wakes-forgotten"]


class Fault(NamedTuple):
    """What a broken runtime would do: planted, to see that it is found."""

    kind: Kind = "none"
    stage: str = ""
    """Where; empty: everywhere."""

    def strikes(self, kind: Kind, lane: "Lane") -> bool:
        return self.kind == kind and self.stage in {"", lane.fold.stage.name}


WHOLE = Fault()
_handover = decoder(SmsHandover)


@cache
def folds() -> tuple[Fold, ...]:
    """One for each stage: they keep nothing between batches."""
    return tuple(Fold(stage, stage.name) for stage in STAGES)


class Lane:
    """One partition of a stage: what is durable, and what its process has in memory."""

    __slots__ = ("changelog", "dues", "fired", "fold", "log", "partition", "position", "soonest", "states", "topic")

    def __init__(self, fold: Fold, partition: int, log: list[Stored]) -> None:
        self.fold, self.topic, self.partition, self.log = fold, fold.stage.reads, partition, log
        self.position = 0
        self.changelog: list[tuple[bytes, bytes | None]] = []
        self.states: dict[bytes, bytes] = {}
        self.dues: dict[bytes, int] = {}
        """When each state wants to be woken: derived, as in a worker."""
        self.soonest = NEVER
        """The first of them."""
        self.fired: set[tuple[bytes, int]] = set()
        """Wakes written since the process began: forgotten when it crashes, and written again."""

    def adopt(self, changes: list[tuple[bytes, bytes | None]]) -> None:
        self.changelog += changes
        self._take(changes)

    def _take(self, changes: list[tuple[bytes, bytes | None]]) -> None:
        if not changes:
            return
        dues, states, due_of = self.dues, self.states, self.fold.due
        for key, state in changes:
            if state is None:
                states.pop(key, None)
                dues.pop(key, None)
                continue
            states[key] = state
            due = due_of(state)
            if due is None:
                dues.pop(key, None)
            else:
                dues[key] = due
        self.soonest = min(dues.values(), default=NEVER)

    def due(self, now: int) -> list[tuple[int, bytes]]:
        return [(at, key) for key, at in self.dues.items() if at <= now and (key, at) not in self.fired]

    def restart(self) -> None:
        """A new process: states come from the changelog alone."""
        before = self.states
        self.states, self.dues, self.fired = {}, {}, set()
        self._take(list(dict(self.changelog).items()))
        assert self.states == before, f"{self.topic}/{self.partition}: the changelog gives other states"

    def next_due(self, now: int) -> int:
        """The first instant after `now` at which it wants to be woken (UTC ms)."""
        return (
            self.soonest if self.soonest > now else min((due for due in self.dues.values() if due > now), default=NEVER)
        )


class World:
    """Everything there is; `run` lets the seed decide until nothing is left to do."""

    def __init__(self, story: Story, seed: int, fault: Fault = WHOLE) -> None:
        self._draw = Random(f"world/{seed}")
        self._random = self._draw.random
        self._fault, self._story = fault, story
        self.log: defaultdict[tuple[str, int], list[Stored]] = defaultdict(list)
        self.now = START
        self.taken: defaultdict[str, int] = defaultdict(int)
        """SMS id -> how often the gateway was asked to take it."""
        self.lanes = [
            Lane(fold, part, self.log[fold.stage.reads, part]) for fold in folds() for part in range(PARTITIONS)
        ]
        self._lanes = {(lane.topic, lane.partition): lane for lane in self.lanes}
        self._lagging: dict[Lane, None] = {}
        """Those with something to read."""
        self._outbox = [self.log[SMS_OUTBOX, part] for part in range(PARTITIONS)]
        self._sent = [0] * PARTITIONS
        self._left: list[list[Told]] = [list(reversed(life)) for life in story.lives]
        """What is still to be told, the next one last."""
        self._opened = [life[0].told_at for life in story.lives]

    def run(self) -> None:
        actions = (self._tell, self._step, self._wake, self._step, self._send, self._step, self._pass_time)
        many, idle, which = len(actions), 0, 0
        while idle < many:
            # begins anywhere, and tries each once before it is said that nothing is left
            if not idle:
                which = int(self._random() * many)
            idle = 0 if actions[which % many]() else idle + 1
            which += 1

    def records(self, topic: str) -> Iterator[Any]:
        """All of a topic, partition by partition."""
        return (record for part in range(PARTITIONS) for record in self.log[topic, part])

    # what may happen next; each answers whether it did

    def _tell(self) -> bool:
        """What happened next to one of the cases; again and again, while its channel has had no answer."""
        waiting = [
            life
            for life, opened in zip(self._left, self._opened, strict=True)
            if life and self._may_come(life[-1], opened)
        ]
        if not waiting:
            return False
        life = self._one(waiting)
        told = life[-1] if self._random() < 0.2 else life.pop()
        self._append(told.topic, told.key.encode(), told.value, told.told_at)
        return True

    def _may_come(self, told: Told, opened: int) -> bool:
        """A command waits for its registration for a day of event time: one of a later day comes after it."""
        return told.told_at < opened + DAY_MS or not self._intake_lags()

    def _intake_lags(self) -> bool:
        return any(lane.topic == INTAKE_SUBMITTED for lane in self._lagging)

    def _step(self) -> bool:
        if not self._lagging:
            return False
        self._batch(self._one(list(self._lagging)))
        return True

    def _batch(self, lane: Lane) -> None:
        most = int(self._random() * MOST_IN_A_BATCH) + 1
        records = lane.log[lane.position : lane.position + most]
        batch = lane.fold(lane.partition, records, lane.states.get, self.now)
        crash = self._random()
        if crash < 0.1:  # before its transaction is committed: nothing of it is there
            if self._fault.strikes("outputs-without-position", lane):
                self._write(batch.outputs)
            if self._fault.strikes("state-without-outputs", lane):
                self._commit(lane, batch)
            lane.restart()
            return
        self._write(batch.outputs)
        self._commit(lane, batch)
        if crash > 0.95:  # after it: the process knows nothing of it any more
            lane.restart()
            if self._fault.strikes("wakes-forgotten", lane):
                lane.fired = {(key, at) for at, key in lane.due(NEVER)}

    def _commit(self, lane: Lane, batch: Batch) -> None:
        lane.adopt(batch.changes)
        lane.position += batch.records
        if lane.position == len(lane.log):
            del self._lagging[lane]

    def _write(self, outputs: list[Written]) -> None:
        for each in outputs:
            self._append(each.topic, each.key, each.value, each.at)

    def _wake(self) -> bool:
        now = self.now
        due = [(lane, each) for lane in self.lanes if lane.soonest <= now for each in lane.due(now)]
        if not due:
            return False
        lane, (at, key) = self._one(due)
        lane.fired.add((key, at))
        self._append(lane.topic, key, encode(Wake(key.decode(), at, now)), now, lane.partition)
        return True

    def _send(self) -> bool:
        waiting = self._unsent()
        if not waiting:
            return False
        part = self._one(waiting)
        handover = _handover(self._outbox[part][self._sent[part]].value or b"")
        answer = self._draw.choices(("accepted", "unavailable", "unknown"), (8, 1, 1))[0]
        if answer == "accepted" or (answer == "unknown" and self._random() < 0.5):  # it took it, or not
            self.taken[handover.request.id] += 1
        if self._random() < 0.1:  # dies between the call and its outcome, and calls again
            return True
        at = max(self.now, handover.at)
        outcome = SmsOutcome(handover.request.id, handover.attempt, at, answer)
        self._append(SMS_REQUESTED, handover.request.id.encode(), encode(outcome), at)
        self._sent[part] += 1
        return True

    def _unsent(self) -> list[int]:
        return [part for part in range(PARTITIONS) if self._sent[part] < len(self._outbox[part])]

    def _pass_time(self) -> bool:
        """To the next instant at which something is due, or a part of the way: never past what is still to be told.

        Nor while something told of a case waits for its registration, which is for a day of event time at most; nor
        farther from what waits than news may be late.
        """
        if self._intake_lags():
            return False
        now = self.now
        unread = (lane.log[lane.position].timestamp for lane in self._lagging)
        unwoken = (at for lane in self.lanes if lane.soonest <= now for at, _ in lane.due(now))
        waits_since = min(*unread, *unwoken, NEVER, NEVER)
        to_come = min((life[-1].told_at for life in self._left if life), default=NEVER)
        if to_come == NEVER:
            busy = waits_since != NEVER or self._unsent()
            to_come = self._story.horizon if busy else self._story.end
        to = min(to_come, waits_since + SLACK_MS, *(lane.next_due(now) for lane in self.lanes if lane.dues))
        if to <= now:
            return False
        self.now = to if self._random() < 0.8 else self._draw.randint(now + 1, to)
        return True

    def _one(self, of: list[Any]) -> Any:
        return of[int(self._random() * len(of))]

    def _append(
        self, topic: str, key: bytes | None, value: bytes | None, at: int, partition: int | None = None
    ) -> None:
        part = zlib.crc32(key or b"") % PARTITIONS if partition is None else partition
        records = self.log[topic, part]
        records.append(Stored(topic, part, len(records), at, key, value))
        if (reader := self._lanes.get((topic, part))) is not None:
            self._lagging[reader] = None
