"""What a worker holds at the moment it is asked: looked up at each scrape, so that nothing is counted in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.clock import Clock, ClockNotSetError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from confluent_kafka import Producer

    from agents.runtime.engine import Engine
    from agents.runtime.metrics import Metrics
    from agents.runtime.queues import Queues
    from agents.runtime.stages import StageRunner


class Gauges:
    """Sets a worker's gauges from its parts."""

    def __init__(
        self,
        metrics: Metrics,
        engine: Engine,
        stages: Sequence[StageRunner],
        queues: Sequence[Queues],
        wakes: Producer,
        clock: Clock,
        waiting_for: Callable[[], str],
    ) -> None:
        self._metrics, self._engine, self._clock = metrics, engine, clock
        self._stages, self._queues, self._wakes, self._waiting_for = stages, queues, wakes, waiting_for
        self._fired_to: dict[str, int] = {}

    def look(self) -> None:
        engine, metrics = self._engine, self._metrics
        metrics.ready.set(not self._waiting_for())
        metrics.in_flight.set(engine.consumer.in_flight)
        metrics.remaining.set(max(0, engine.tables.recovery.active_remaining_total()) if engine.in_recovery else 0)
        metrics.awaiting.labels("wakes").set(len(self._wakes))
        for runner in self._stages:
            self._stage(runner)
        for queues in self._queues:
            owned = sum(tp.topic in queues.topics for tp in engine.consumer.assignment())
            metrics.partitions.labels(queues.name).set(owned)

    def _stage(self, runner: StageRunner) -> None:
        metrics, name = self._metrics, runner.stage.name
        lanes = list(runner.lanes)
        metrics.partitions.labels(name).set(len(lanes))
        metrics.states.labels(name).set(len(runner.store))
        metrics.pending.labels(name).set(sum(lane.wakes.out for lane in lanes))
        metrics.awaiting.labels(name).set(runner.lanes.awaiting)
        metrics.commit_age.labels(name).set(runner.lanes.open_s)
        try:
            now = self._clock.now()
        except ClockNotSetError:
            return
        earliest = min((due for lane in lanes if (due := lane.wakes.index.earliest()) is not None), default=now)
        metrics.overdue.labels(name).set(max(0, now - earliest) / 1000)
        if lanes:
            fired_to = min(lane.wakes.fired_to for lane in lanes)
            if fired_to >= 0:  # else not looked at since the assignment: then it still counts from before
                self._fired_to[name] = fired_to
            metrics.clock.labels(name).set(max(0, now - self._fired_to.setdefault(name, now)) / 1000)
