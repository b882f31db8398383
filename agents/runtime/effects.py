"""How a sender's slices become calls, and its answers outcome records that Kafka has before a slice is acknowledged."""

import asyncio
import time

from agents.clock import Clock
from agents.runtime.envelope import Stamp, dead_letter_headers, traceparent
from agents.runtime.fold import Reader
from agents.runtime.metrics import Metrics, PartMeter
from agents.runtime.ports import Received, Sender, Slice
from agents.runtime.producers import Confirmed, Written
from agents.settings import Settings
from agents.telemetry.trace import current
from schemas.codec import encode
from schemas.registry import dead_letters
from streams.stage import Origin, Refused


class Effects:
    """Runs one sender."""

    def __init__(self, sender: Sender, group: str, settings: Settings, metrics: Metrics, clock: Clock) -> None:
        self._sender, self._group, self._metrics = sender, group, metrics
        self._meter = PartMeter(metrics, sender.name, clock)
        self._read = Reader(sender.records)
        self._stamp = Stamp(sender.name)
        self._room = asyncio.Semaphore(sender.bound)
        self._outcomes = Confirmed(settings, f"outcomes-{sender.name}")

    async def take(self, records: Slice) -> None:
        """Make the calls of a slice and write their outcomes; raises when one of either fails."""
        began = time.perf_counter()
        await self._outcomes.write(await asyncio.gather(*map(self._one, records.records)))
        took = time.perf_counter() - began
        self._metrics.handled.labels(self._sender.name).observe(took)
        self._meter.took(records.records, took)

    async def close(self) -> None:
        """Once, when no slice is in hand any more."""
        await self._outcomes.close()

    async def _one(self, record: Received) -> Written:
        taken = self._read(record)
        if isinstance(taken, Refused):
            return self._dead(record, taken)
        key, message = taken
        origin = Origin(record.topic, record.partition, record.offset, record.timestamp)
        trace = traceparent(record.headers)
        current.set(trace)  # of this task alone: each record has its own
        async with self._room:
            outcome = await self._sender.send(key.decode(), message, origin)
        subject = outcome.key.encode()
        event_id = f"{record.topic}-{record.partition}-{record.offset}-0".encode()
        headers = self._stamp(outcome.value, event_id, subject, outcome.at, trace)
        return Written(outcome.topic, subject, encode(outcome.value), headers, outcome.at)

    def _dead(self, record: Received, refused: Refused) -> Written:
        now = time.time_ns() // 1_000_000
        headers = dead_letter_headers(record, self._group, refused.error, refused.reason, now)
        self._metrics.dead.labels(self._sender.name, refused.error).inc()
        return Written(dead_letters(record.topic), record.key, record.value, headers, record.timestamp)
