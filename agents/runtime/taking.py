"""How a sink's slices are handed to it and measured."""

import time
from collections.abc import Awaitable, Callable

from agents.clock import Clock
from agents.runtime.metrics import Metrics, PartMeter
from agents.runtime.ports import Sink, Slice


def taker(sink: Sink, metrics: Metrics, clock: Clock) -> Callable[[Slice], Awaitable[None]]:
    """Return the work of a sink's queues."""
    meter, handled = PartMeter(metrics, sink.name, clock), metrics.handled.labels(sink.name)

    async def take(given: Slice) -> None:
        began = time.perf_counter()
        await sink.handle(given)
        took = time.perf_counter() - began
        handled.observe(took)
        meter.took(given.records, took)

    return take
