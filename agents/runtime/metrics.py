"""The metrics of a worker: which of the catalogue it keeps, and what a committed batch adds to them."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from agents.clock import Clock, ClockNotSetError
from agents.runtime.decisions import told
from agents.runtime.envelope import traceparent
from agents.runtime.fold import INVALID, MALFORMED, Batch
from agents.runtime.ports import Received
from agents.telemetry import catalogue as c
from agents.telemetry.exposition import exposed
from agents.telemetry.families import counter, counters, gauge, gauges, histogram, histograms, registry
from agents.telemetry.trace import exemplar

if TYPE_CHECKING:
    from agents.telemetry.spans import Spans

LATE_RECORD_MS: Final = 5_000
"""Objective: what follows from a record is durable within 5 s of its arrival."""
LATE_TIMER_MS: Final = 60_000
"""Objective: what follows from a due instant is durable within 60 s of it."""


class Metrics:
    """The metrics of one worker, on a registry of its own; `looks` are called before each exposition."""

    def __init__(self) -> None:
        self.records, self.late_records = counters(c.RECORDS), counters(c.LATE_RECORDS)
        self.outputs, self.dead, self.wakes = counters(c.OUTPUTS), counters(c.DEAD), counters(c.WAKES)
        self.timers, self.late_timers = counters(c.TIMERS), counters(c.LATE_TIMERS)
        self.batch, self.fold, self.transaction = histograms(c.BATCH), histograms(c.FOLD), histograms(c.TRANSACTION)
        self.handled, self.age = histograms(c.SLICE), histograms(c.AGE)
        self.lateness, self.timer_delay = histograms(c.LATENESS), histograms(c.TIMER_DELAY)
        self.pending, self.overdue, self.clock = gauges(c.PENDING_WAKES), gauges(c.OVERDUE), gauges(c.CLOCK)
        self.states, self.partitions, self.restored = gauges(c.STATES), gauges(c.PARTITIONS), counters(c.RESTORED)
        self.remaining, self.ready, self.in_flight = gauge(c.REMAINING), gauge(c.READY), gauge(c.IN_FLIGHT)
        self.rebalances, self.rebalance = counter(c.REBALANCES), histogram(c.REBALANCE)
        self.awaiting, self.commit_age = gauges(c.AWAITING), gauges(c.COMMIT_AGE)
        self.recovery, self.indexing = histograms(c.RECOVERY), histograms(c.INDEXING)
        self.registry = registry(*vars(self).values())
        self.looks: list[Callable[[], None]] = []
        self.spans: Spans | None = None
        """Where spans are written; nowhere unless asked for."""

    def exposition(self, accept: str | None) -> tuple[bytes, str]:
        """The present values, and the content type they are in."""
        for look in self.looks:
            look()
        return exposed(self.registry, accept)


class PartMeter:
    """Counts what a part took, and how old it was; per batch or slice, whatever is in it."""

    def __init__(self, metrics: Metrics, part: str, clock: Clock) -> None:
        self._metrics, self._part, self._clock = metrics, part, clock
        self._records, self._late = metrics.records.labels(part), metrics.late_records.labels(part)
        self._age = metrics.age.labels(part)

    def took(self, records: Sequence[Received], seconds: float) -> int | None:
        """Count records whose consequences are durable; answers the present instant (UTC ms), None while unknown."""
        self._records.inc(len(records))
        if self._metrics.spans is not None:
            self._metrics.spans.took(self._part, records, seconds)
        try:
            now = self._clock.now()
        except ClockNotSetError:
            return None
        if records:
            self._ages(records, now)
        return now

    def _ages(self, records: Sequence[Received], now: int) -> None:
        oldest = min(records[0].timestamp, records[-1].timestamp)
        self._age.observe(max(0, now - oldest) / 1000, exemplar(traceparent(records[-1].headers)))
        if now - oldest > LATE_RECORD_MS:  # only then is it worth a look at each
            self._late.inc(sum(now - record.timestamp > LATE_RECORD_MS for record in records))


class StageMeter:
    """Counts the committed transactions of one stage."""

    def __init__(self, metrics: Metrics, stage: str, clock: Clock) -> None:
        self._metrics, self._stage = metrics, stage
        self._part = PartMeter(metrics, stage, clock)
        self._outputs, self._batch = metrics.outputs.labels(stage), metrics.batch.labels(stage)
        self._fold, self._transaction = metrics.fold.labels(stage), metrics.transaction.labels(stage)
        # there from the start: what begins at 1 has no increase
        metrics.restored.labels(stage)
        for error in (MALFORMED, INVALID):
            metrics.dead.labels(stage, error)

    def committed(
        self, batches: Sequence[tuple[Batch, Sequence[Received]]], folding: float, transaction: float
    ) -> None:
        """Take the batches of one transaction, each with the records it was made of; durations in seconds."""
        self._batch.observe(sum(len(records) for _, records in batches))
        self._fold.observe(folding)
        self._transaction.observe(transaction)
        for batch, records in batches:
            told(self._stage, batch)
            self._outputs.inc(len(batch.outputs))
            for error, count in batch.dead.items():
                self._metrics.dead.labels(self._stage, error).inc(count)
            now = self._part.took(records, folding + transaction)
            if now is not None:
                for led_to, dues in batch.timers.items():
                    self._timed(led_to, dues, now)

    def _timed(self, led_to: str, dues: Sequence[int], now: int) -> None:
        metrics, stage = self._metrics, self._stage
        delay = now - min(dues)
        metrics.timers.labels(stage, led_to).inc(len(dues))
        metrics.timer_delay.labels(stage, led_to).observe(max(0, delay) / 1000)
        # made even where it stays 0: a ratio of a series that is not there is no ratio
        late = metrics.late_timers.labels(stage, led_to)
        if delay > LATE_TIMER_MS:
            late.inc(sum(now - due > LATE_TIMER_MS for due in dues))
