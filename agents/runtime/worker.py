"""A worker: one role's stages, sinks and senders on one Faust app, from start-up checks to a clean end."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from confluent_kafka import KafkaException
from faust.types.tuples import TP

from agents.clock import SimulatedClock, clock_of
from agents.runtime.changelogs import Changelog
from agents.runtime.checks import Needs, check_kafka, check_metadata_bytes, take_folder
from agents.runtime.effects import Effects
from agents.runtime.engine import Engine
from agents.runtime.exits import Exit, leave, must_end
from agents.runtime.gauges import Gauges
from agents.runtime.http import Endpoints
from agents.runtime.metrics import Metrics
from agents.runtime.ports import MakeSender, MakeSink, Sender, Sink
from agents.runtime.producers import OnError, idempotent
from agents.runtime.queues import Queues, Work
from agents.runtime.stages import StageRunner
from agents.runtime.stopping import Stop, aside
from agents.runtime.taking import taker
from agents.runtime.watchdog import Watchdog
from agents.settings import Settings
from agents.telemetry.spans import spans_of
from schemas.registry import dead_letters, topics
from streams.stage import Stage

log = logging.getLogger("nivaran.runtime")
TICK_S = 0.25
STOP_S = 20.0
GOODBYE_S = 10.0
"""For Faust to leave the group, when nothing is in hand any more; while Kafka is away it would wait for ever."""
FLUSH_S = 5.0
SLICES_AT_ONCE = 3
"""Of a sender's partition: while the last calls of one are waited for, and Kafka for its outcomes, others go on."""
PATIENCE_SHARE = 0.6
"""Of the session timeout, that a sink or sender has to finish the slices in hand when partitions are taken away."""


def _soon(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    loop.call_soon_threadsafe(call)


def _time_lost(error: BaseException) -> None:
    code = Exit.UNAVAILABLE if isinstance(error, KafkaException) else Exit.UNKNOWN_FAULT
    leave(code, "simulated time is lost", cause=error)


@dataclass(frozen=True, slots=True)
class Role:
    """What one worker process runs."""

    stages: tuple[Stage[Any], ...] = ()
    sinks: tuple[MakeSink, ...] = ()
    senders: tuple[MakeSender, ...] = ()


class Worker:
    """Runs a role until it is told to stop, or a doubt ends the process."""

    def __init__(self, name: str, role: Role, settings: Settings) -> None:
        self.name, self.group = name, f"{settings.group_prefix}-{name}"
        self._settings, self._metrics = settings, Metrics()
        self._metrics.spans = spans_of(settings, f"nivaran-{name}")
        self._clock = clock_of(settings, settled=bool(role.senders))
        self._sinks: list[Sink] = [make(settings, self._clock) for make in role.sinks]
        self._senders: list[Sender] = [make(settings, self._clock) for make in role.senders]
        self._role = role
        self._wake_errors = OnError()
        self._stop = Stop()
        self._starting: asyncio.Task[None] | None = None
        self._on_disk: Mapping[str, Any] = {}
        """What stores need whose states are on disk; empty where they are in memory."""
        self._answered = True
        """Faust came to its end when it was told to."""

    def needs(self) -> Needs:
        """Return the topics and the group this role touches."""
        known = topics(())
        stages, senders = self._role.stages, self._senders
        written = [part.writes for part in stages] + [part.writes for part in senders]
        consumed = {stage.reads for stage in stages} | {sender.reads for sender in senders}
        reads: dict[str, int | None] = {}
        for topic in consumed | {topic for sink in self._sinks for topic in sink.topics}:
            declared = known.get(topic)
            reads[topic] = (declared.partitions if declared else None) or self._settings.partitions
        writes = {topic for each in written for topic in each} | {stage.reads for stage in stages}
        return Needs(
            self.group,
            reads,
            frozenset(writes | {dead_letters(topic) for topic in consumed}),
            tuple(
                Changelog(f"{self.group}-{stage.name}-changelog", stage.reads, reads[stage.reads] or 1)
                for stage in stages
            ),
        )

    async def run(self) -> Exit:
        """Run until SIGTERM or Ctrl-C; answers the exit code. Raises NotReadyError when it cannot start."""
        self._stop.listen()
        log.info("worker %s: asking Kafka at %s", self.name, self._settings.kafka)
        if not await self._stop.unless(aside(self._check)):
            return Exit.CLEAN
        self._build()
        watchdog = Watchdog(self._progress, self._settings.stuck_after)
        endpoints = Endpoints(self._metrics.exposition, self.waiting_for, self.quiesced)
        try:
            if await self._opened(endpoints):
                self._start(watchdog)
                await self._until_told(watchdog)
        finally:
            await self._end(endpoints, watchdog)
        if not self._answered:
            # threads of Kafka's client still wait; nothing is in hand, and the group will miss us after the session
            leave(Exit.CLEAN, "worker %s ended as told, without Kafka's answer to its goodbye", self.name)
        log.info("worker %s ended as told", self.name)
        return Exit.CLEAN

    def waiting_for(self) -> str:
        """Say what keeps the worker from being ready; empty when nothing does."""
        if self._stop.told:
            return "its end"
        if self._engine.in_recovery:
            return "recovery"
        if self._engine.rebalancing:
            return "rebalance"
        if self._engine.consumer_generation_id <= 0:
            return "assignment"
        if any(runner.without_changelog for runner in self._stages):
            return "changelog"
        return "due instants" if any(runner.indexing for runner in self._stages) else ""

    def quiesced(self) -> dict[str, Any]:
        """Tell how far the worker is, so that an observer can know when nothing is left to do.

        `clock`: everything due until this instant (UTC ms) has its wake written; of a role that `waits_outside` this
        follows the settled part of simulated time. `pending_wakes`: written and not yet
        folded. `in_flight`: slices in hand and wakes not yet in Kafka. `positions`: per `topic-partition` the next
        offset after what is committed. `next_due`: nothing is due before it. Null: not known, or never.
        """
        lanes = [lane for runner in self._stages for lane in runner.lanes]
        self._wakes.poll(0)  # its length counts what was reported and not yet heard
        fired = min((lane.wakes.fired_to for lane in lanes), default=-1)
        dues = [due for lane in lanes if (due := lane.wakes.index.earliest()) is not None]
        return {
            "role": self.name,
            "ready": not self.waiting_for(),
            "generation": self._engine.consumer_generation_id,
            "clock": max(0, fired) if lanes else None,
            "waits_outside": bool(self._senders),
            "pending_wakes": sum(lane.wakes.out for lane in lanes),
            "in_flight": self._engine.consumer.in_flight + len(self._wakes),
            "next_due": min(dues, default=None),
            "positions": self._positions(),
        }

    # start and end

    def _check(self) -> None:
        if self._role.stages:
            self._on_disk = take_folder(self._settings, self.group)
        check_metadata_bytes(self._settings, self.group)
        check_kafka(self._settings, self.needs())

    def _build(self) -> None:
        settings, metrics = self._settings, self._metrics
        slices = {sender.reads: settings.effect_records for sender in self._senders}
        self._engine = engine = Engine(self.group, settings, metrics, drain=self._drain, slices=slices)
        self._wakes = idempotent(settings, self._wake_errors)
        needs = self.needs()
        self._stages = [
            StageRunner(
                stage, engine, settings, self._clock, metrics, self._wakes, needs.reads[stage.reads] or 1, self._on_disk
            )
            for stage in self._role.stages
        ]
        self._queues: list[Queues] = []
        self._effects: list[Effects] = []
        for sink in self._sinks:
            self._queue(sink.name, sink.topics, taker(sink, metrics, self._clock))
        for sender in self._senders:
            effects = Effects(sender, self.group, settings, metrics, self._clock)
            self._effects.append(effects)
            self._queue(sender.name, (sender.reads,), effects.take, at_once=SLICES_AT_ONCE)
        for part in (*(sink.collectors for sink in self._sinks), *(sender.collectors for sender in self._senders)):
            for collector in part:
                metrics.registry.register(collector)
        engine.on_partitions_assigned.connect(self._assigned)
        gauges = Gauges(metrics, engine, self._stages, self._queues, self._wakes, self._clock, self.waiting_for)
        metrics.looks.append(gauges.look)

    def _queue(self, name: str, reads: tuple[str, ...], work: Work, *, at_once: int = 1) -> None:
        patience = self._settings.session_timeout * PATIENCE_SHARE
        queues = Queues(name, reads, work, patience, at_once=at_once)
        self._engine.read(reads, name, queues.submit, acks=True)
        self._queues.append(queues)

    async def _opened(self, endpoints: Endpoints) -> bool:
        """Open sinks and senders; answer whether nobody told us to stop meanwhile: one may wait long for its store."""
        settings = self._settings
        port = await endpoints.start(settings.http_host, settings.http_port)
        where = f"http://{settings.http_host}:{port}"
        log.info("worker %s: group %s, Kafka %s, endpoints %s", self.name, self.group, settings.kafka, where)
        return await self._stop.unless(self._open())

    async def _open(self) -> None:
        for opening in (*(sink.open() for sink in self._sinks), *(sender.open() for sender in self._senders)):
            await opening

    def _start(self, watchdog: Watchdog) -> None:
        self._start_clock()
        for runner in self._stages:
            runner.warm()
        watchdog.start()
        self._starting = asyncio.get_running_loop().create_task(self._engine.start())

    def _start_clock(self) -> None:
        if isinstance(self._clock, SimulatedClock):
            loop = asyncio.get_running_loop()
            self._clock.on_move = partial(_soon, loop, self._fire)
            self._clock.on_fault = _time_lost
        self._clock.start()

    async def _until_told(self, watchdog: Watchdog) -> None:
        told = False
        while not told:
            watchdog.beat()
            self._fire()
            await self._look_for_changelogs()
            if self._starting is not None and self._starting.done() and self._starting.exception() is not None:
                leave(Exit.CRASH, "worker %s: Faust did not start", self.name, cause=self._starting.exception())
            if self._engine.crashed:
                leave(Exit.CRASH, "worker %s: Faust ended", self.name, cause=self._engine.crash_reason)
            told = await self._stop.within(TICK_S)

    async def _end(self, endpoints: Endpoints, watchdog: Watchdog) -> None:
        watchdog.beat()
        limit = STOP_S + self._settings.session_timeout
        await must_end(
            self._close(endpoints), limit, Exit.NOT_DRAINED, "worker %s did not end in %.0f s", self.name, limit
        )
        watchdog.stop()

    async def _close(self, endpoints: Endpoints) -> None:
        if self._starting is not None:
            await self._engine.finish()
            await self._say_goodbye(self._starting)
            self._clock.stop()
        self._wakes.flush(FLUSH_S)
        for runner in self._stages:
            runner.store.close()
        for effects in self._effects:
            await effects.close()
        for closing in (*(sink.close() for sink in self._sinks), *(sender.close() for sender in self._senders)):
            await closing
        await endpoints.stop()
        if self._metrics.spans is not None:
            with contextlib.suppress(TimeoutError):  # a collector that is away holds nobody up
                await asyncio.wait_for(aside(self._metrics.spans.close), FLUSH_S)

    async def _say_goodbye(self, starting: asyncio.Task[None]) -> None:
        stopping = asyncio.get_running_loop().create_task(self._engine.stop())
        await asyncio.wait([stopping], timeout=GOODBYE_S)
        self._answered = stopping.done()
        if self._answered:
            stopping.result()
            starting.cancel()

    # while it runs

    def _fire(self) -> None:
        self._wakes.poll(0)
        for runner in self._stages:
            runner.fire()
        if self._wake_errors.first is not None:
            leave(Exit.WAKE_LOST, "a wake was not written: %s", self._wake_errors.first)

    async def _look_for_changelogs(self) -> None:
        if self.waiting_for() == "changelog":
            log.warning(
                "worker %s: partitions came without their changelog; asking anew which topics there are", self.name
            )
            await self._engine.consumer.refresh()

    async def _assigned(self, *_: Any, **__: Any) -> None:
        for queues in self._queues:
            queues.assigned(self._engine.consumer_generation_id)

    async def _drain(self) -> None:
        await asyncio.gather(
            *(runner.lanes.close() for runner in self._stages), *(queues.close() for queues in self._queues)
        )

    def _progress(self) -> Hashable | None:
        engine, waiting = self._engine, self.waiting_for()
        if not waiting or self._stop.told:
            return None
        restored = sum(runner.restored_records for runner in self._stages)
        indexed = sum(lane.indexed for runner in self._stages for lane in runner.lanes)
        return (waiting, engine.rebalancing_count, engine.consumer_generation_id, restored, indexed)

    def _positions(self) -> dict[str, int]:
        idle_at = self._engine.consumer.idle_at
        found: dict[TP, int] = {}
        for runner in self._stages:
            found.update(runner.places())
        for queues in self._queues:
            found.update({TP(*place): queue.next for place, queue in queues.items()})
        # a sink's partition has no queue before its first slice
        for tp in self._engine.consumer.positions:
            if tp.topic not in self._engine.tables.changelog_topics:
                found.setdefault(tp, -1)
        positions = {tp: max(done, idle_at(tp) or 0) for tp, done in found.items()}
        return {f"{tp.topic}-{tp.partition}": offset for tp, offset in sorted(positions.items())}
