"""The whole flow in memory: every row through every stage, time moved from one row to the next."""

from collections.abc import Iterable
from typing import Final

from agents.loader.rows import At
from deploy.real.seen import Run, Seen
from deploy.real.span import Span, zone
from schemas import topics as t
from streams.driver import Driver, Written
from streams.topology import STAGES

READ: Final = frozenset({t.CASE_EVENTS, t.INTAKE_REJECTED, t.SLA_WINDOW})
"""Topics of which the comparison speaks."""


def in_memory(told: Iterable[At], span: Span) -> Run:
    """Tell everything in its order and move time on to the span's end."""
    seen, written = Seen(zone()), 0

    def on_write(topic: str, record: Written) -> None:
        nonlocal written
        written += 1
        if topic in READ:
            seen.record(record.value)

    driver = Driver(STAGES, now=span.starts_at, keep=lambda _: False, on_write=on_write)
    for each in told:
        driver.advance(each.at)
        driver.send(each.topic, each.key, each.record)
    driver.advance(span.until)
    return Run(seen, written, sum(map(len, driver.dead.values())))
