"""The same rows on real Kafka: fed a step at a time, time moved on when all of a step has been processed."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Final
from urllib.request import urlopen

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import OffsetSpec
from prometheus_client.parser import text_string_to_metric_families

from agents.loader.rows import At
from agents.positions import offsets
from deploy.fleet import Fleet
from deploy.real.seen import Run, Seen
from deploy.real.span import Span, zone
from schemas import topics as t
from schemas.base import Record
from schemas.codec import decoder, encode
from schemas.events import Event
from schemas.intake import IntakeOutcome, Submitted
from schemas.registry import dead_letters
from schemas.sla import SlaWindow
from streams.topology import STAGES

ROLES: Final = {"intake": 1, "case": 1, "sla": 1}
"""Those whose outputs are compared: nobody is texted in this system, and the board only shows."""
PARTITIONS: Final = 2
STEP_S: Final = 600.0
"""A step of one month takes seconds; a machine that needs this long for it does not progress."""
READ: Final[dict[str, Callable[[bytes], Record]]] = {
    t.CASE_EVENTS: decoder(Event),
    t.INTAKE_REJECTED: decoder(IntakeOutcome),
    t.SLA_WINDOW: decoder(SlaWindow),
}
TOLD: Final = frozenset({"nivaran_outputs_total", "nivaran_wakes_total"})
Tell = Callable[[str], None]


def live(
    told: Iterable[At], span: Span, home: Path, *, months: int = 1, late: bool = False, tell: Tell = lambda _: None
) -> Run:
    """Start a deployment in `home`, feed it in steps of `months`, read what came of it, and end it.

    `late`: the case worker is away while time moves, so that windows are closed before it tells what time leads to.
    Raises FleetError when a process cannot go on or a step does not end.
    """
    with Fleet(home, roles=ROLES, begin=span.starts_at, partitions=PARTITIONS) as fleet:
        fed = _feed(fleet, told, span, months, late, tell)
        tell("reading what came of it")
        seen = Seen(zone())
        for record in _read(fleet.kafka.bootstrap):
            seen.record(record)
        return Run(seen, fed + _written(fleet), _dead(fleet))


def _feed(fleet: Fleet, told: Iterable[At], span: Span, months: int, late: bool, tell: Tell) -> int:
    """Tell every step's openings, then its closings, then move time: a result may not hang on which came first."""
    fed, at = 0, span.starts_at
    for at, step in groupby(told, key=lambda each: next_step(each.at, months)):
        records = list(step)
        for openings in (True, False):
            fed += fleet.produce(_messages(each for each in records if isinstance(each.record, Submitted) is openings))
            fleet.settle(STEP_S)
        if late:
            _close_windows(fleet, at)
        fleet.advance(at, STEP_S)
        tell(f"{datetime.fromtimestamp(at / 1000, zone()):%b %Y}: {fed:,} records fed")
    while at < span.until:
        at = min(next_step(at, months), span.until)
        fleet.advance(at, STEP_S)
    return fed


def _close_windows(fleet: Fleet, at: int) -> None:
    """Move time on while nobody works on cases."""
    case = fleet.services["case-1"]
    case.stop()
    fleet.move(at)
    fleet.settle(STEP_S, "sla")
    case.start()


def _messages(records: Iterable[At]) -> Iterator[tuple[str, str, bytes, int]]:
    return ((each.topic, each.key, encode(each.record), each.at) for each in records)


def next_step(at: int, months: int) -> int:
    """The first instant of the next local month that begins a step of `months`, UTC ms."""
    local = datetime.fromtimestamp(at / 1000, zone())
    following = ((local.year * 12 + local.month - 1) // months + 1) * months
    return round(datetime(following // 12, following % 12 + 1, 1, tzinfo=zone()).timestamp() * 1000)


def _read(kafka: str) -> Iterator[Record]:
    """Everything in the topics that are compared, as a reader sees it that reads only what was committed."""
    consumer = Consumer({
        "bootstrap.servers": kafka,
        "group.id": "nivaran-real",  # the client demands one; nothing is committed
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "log_level": 2,
    })  # fmt: skip
    places = [TopicPartition(topic, partition, 0) for topic in READ for partition in range(PARTITIONS)]
    consumer.assign(places)
    left = len(places)
    try:
        while left:
            for message in consumer.consume(2000, 1.0):
                if message.error() is None:
                    yield READ[message.topic()](message.value())
                else:
                    left -= 1
    finally:
        consumer.close()


def _written(fleet: Fleet) -> int:
    """Records the workers wrote, by their own counters: outputs and wakes."""
    return round(sum(value for worker in fleet.workers for value in _counters(f"{worker.url}/metrics")))


def _counters(url: str) -> Iterator[float]:
    with urlopen(url, timeout=STEP_S) as answer:  # noqa: S310 - our own http address
        families = text_string_to_metric_families(answer.read().decode())
    return (sample.value for family in families for sample in family.samples if sample.name in TOLD)


def _dead(fleet: Fleet) -> int:
    """Records in the dead-letter topics."""
    places = [(dead_letters(stage.reads), partition) for stage in STAGES for partition in range(PARTITIONS)]
    return sum(offsets(fleet.admin, places, OffsetSpec.latest(), STEP_S).values())
