"""Due instants of states, and the wakes that follow from them. Derived: rebuilt from the states after each recovery."""

from dataclasses import dataclass, field

from confluent_kafka import Producer

from agents.clock import Clock, ClockNotSetError
from agents.runtime.dues import SECOND, DueIndex, DueOf
from agents.runtime.envelope import Stamp
from agents.runtime.fold import Batch
from agents.runtime.metrics import Metrics
from agents.runtime.window import Window
from agents.telemetry.trace import begun_by
from schemas.base import Wake
from schemas.codec import encode


@dataclass(slots=True)
class LaneWakes:
    """The due instants of one partition."""

    topic: str
    partition: int
    due_of: DueOf
    index: DueIndex = field(default_factory=DueIndex)
    out: int = 0
    """Wakes written and not yet folded."""
    held: bool = False
    """More was due than could be written: it follows when some of those out are folded."""
    fired_to: int = -1
    """Everything due until this instant has been written."""
    complete: bool = True
    """Every state's instant is in the index; nothing is written before."""


class Waker:
    """Writes the wakes of one stage.

    `window`: wakes of a partition written and not yet folded, so that a storm of deadlines never stands in the way of
    what citizens send.
    """

    def __init__(self, stage: str, clock: Clock, producer: Producer, metrics: Metrics, window: Window) -> None:
        self._clock, self._producer, self.window = clock, producer, window
        self.partitions = 1
        """Of the stage, that this worker folds at present."""
        self._stamp = Stamp(stage)
        self._name, self._stage, self._metrics = stage, stage.encode(), metrics
        self._written = metrics.wakes.labels(stage)
        self._lateness = metrics.lateness.labels(stage)

    def fold(self, lane: LaneWakes, batch: Batch, seconds: float) -> None:
        """Take note of a committed batch: its new due instants, its wakes, and how long the worker was busy with it."""
        for due, key in batch.dues:
            lane.index.note(due, key)
        lane.out = max(0, lane.out - batch.wakes)  # a repeat may come from an earlier owner
        if batch.wakes:
            self.window.folded(batch.records, seconds, self.partitions)
        self.fire(lane)

    def fire(self, lane: LaneWakes) -> None:
        """Write what is due, as far as the window allows; what is left follows when these are folded."""
        if not lane.complete:
            return
        try:
            now = self._clock.now()
        except ClockNotSetError:
            return
        taken, all_taken = lane.index.take(now, self.window.most - lane.out, lane.due_of)
        for due, key in taken:
            self._write(lane, key, due)
        if taken:
            self._written.inc(len(taken))
            self._lateness.observe((now - min(taken)[0]) / SECOND)
        lane.out += len(taken)
        lane.held = not all_taken
        if all_taken:
            lane.fired_to = now
        self._producer.poll(0)

    def _write(self, lane: LaneWakes, key: bytes, due: int) -> None:
        at = self._clock.reached(due)
        wake = Wake(key.decode(), due, at)
        event_id = b"%s-%s-%d" % (self._stage, key, due)
        trace = begun_by(event_id)  # nobody asked for what follows: it is a trace of its own
        if self._metrics.spans is not None:
            self._metrics.spans.root(trace.decode(), f"wake {self._name}", (at - due) / SECOND, "producer")
        headers = self._stamp(wake, event_id, key, at, trace)
        self._producer.produce(lane.topic, encode(wake), key, lane.partition, headers=headers, timestamp=at)
