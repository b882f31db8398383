"""The whole flow in memory: one record at a time, time moved by hand, wakes through the same inputs as on Kafka."""

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from schemas.base import Record, Wake
from streams.stage import Origin, Output, Refused, Stage


class Written(NamedTuple):
    """A record in the log of a topic."""

    key: str
    value: Record
    origin: Origin


class DeadLetter(NamedTuple):
    """A record a stage refused, and why."""

    written: Written
    refused: Refused


class Driver:
    """Runs stages over in-memory topics. `now` is UTC ms and only `advance` moves it.

    `keep` says which topics' records stay in `log` (all, when None); `on_write` sees every record as it is written.
    """

    def __init__(
        self,
        stages: Iterable[Stage[Any]],
        *,
        now: int = 0,
        keep: Callable[[str], bool] | None = None,
        on_write: Callable[[str, Written], None] | None = None,
    ) -> None:
        self.now = now
        self.readers = {stage.reads: stage for stage in stages}
        self.state: dict[str, dict[str, Any]] = {stage.name: {} for stage in self.readers.values()}
        self.log: dict[str, list[Written]] = defaultdict(list)
        self.dead: dict[str, list[DeadLetter]] = defaultdict(list)
        self._keep, self._on_write = keep, on_write
        self._offsets: dict[str, int] = defaultdict(int)
        self._due: list[tuple[int, str, str]] = []

    def send(self, topic: str, key: str, value: Record) -> None:
        """Append a record now, and run everything that follows from it."""
        queue = deque([Output(topic, key, value, self.now)])
        while queue:
            queue.extend(self._append(queue.popleft()))

    def _append(self, output: Output) -> list[Output]:
        topic, offset = output.topic, self._offsets[output.topic]
        self._offsets[topic] = offset + 1
        written = Written(output.key, output.value, Origin(topic, 0, offset, self.now))
        if self._keep is None or self._keep(topic):
            self.log[topic].append(written)
        if self._on_write is not None:
            self._on_write(topic, written)
        stage = self.readers.get(topic)
        return self._step(stage, written) if stage is not None else []

    def _step(self, stage: Stage[Any], written: Written) -> list[Output]:
        states, key = self.state[stage.name], written.key
        before = states.get(key)
        after, outputs, refused = stage.step(before, written.value, written.origin)
        if refused is not None:
            self.dead[written.origin.topic].append(DeadLetter(written, refused))
        if after is None:
            states.pop(key, None)
            return outputs
        states[key] = after
        due = stage.wake_at(after)
        if due is not None and (before is None or stage.wake_at(before) != due):
            heapq.heappush(self._due, (due, stage.reads, key))
        return outputs

    def next_due(self) -> int | None:
        """The earliest instant at which some state may want to be woken."""
        return self._due[0][0] if self._due else None

    def advance(self, to: int) -> None:
        """Move time on to `to`, stopping at every instant at which some state wants to be woken."""
        while self._due and self._due[0][0] <= to:
            due, topic, key = heapq.heappop(self._due)
            stage = self.readers[topic]
            state = self.state[stage.name].get(key)
            if state is not None and stage.wake_at(state) == due:
                self.now = max(self.now, due)
                self.send(topic, key, Wake(key, due, self.now))
        self.now = max(self.now, to)
