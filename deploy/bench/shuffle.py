"""ShuffleBench's job on the workers' runtime, with few consumers and with many, one after the other in turn."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from deploy.bench import tally
from deploy.bench.jobs.shuffle import (
    CONSUMERS,
    OUTPUT_RATE,
    PARTITIONS,
    RECORD_BYTES,
    Message,
    Topics,
    consumer_of,
)
from deploy.bench.lab import BenchError, Lab, stretch
from deploy.bench.meter import Load, Spread, load, memory, spread
from deploy.bench.scrape import taken_so_far
from schemas.codec import encode
from schemas.registry import dead_letters

READS: Final = "bench.shuffle"
AT: Final = 1_767_225_600_000
"""1 January 2026, UTC ms."""
LOOK_S: Final = 0.25
Tell = Callable[[str], None]


class Run(Struct, frozen=True):
    """CPU of the whole process, both stages, per record read."""

    consumers: int
    matched: int
    emitted: int
    cpu_us: float
    per_second: float
    """Records read, by the wall clock."""
    rss_mib: float
    load: Load


class Row(Struct, frozen=True):
    consumers: int
    cpu_us: Spread
    per_core_second: Spread
    per_second: Spread
    rss_mib: float


class Result(Struct, frozen=True):
    records: int
    rows: list[Row]
    runs: list[Run]


def measure(home: Path, events: int, runs: int, seed: int, tell: Tell) -> Result:
    """Raises BenchError when a consumer's outputs are other than counted, or a process ends or gets stuck."""
    with Lab(home, AT, partitions=PARTITIONS, lasting=runs > 1, bare=True) as lab:
        tell(f"writing {events:,} records of {RECORD_BYTES} bytes")
        lab.topic(READS)
        lab.topic(dead_letters(READS))
        lab.write(READS, _records(events, seed))
        done: list[Run] = []
        for number in range(1, runs + 1):
            for consumers in CONSUMERS:
                done.append(_run(lab, f"shuffle-{consumers}-{number}", consumers, events, seed))
                tell(_told(number, done[-1]))
    return Result(events, [_row(consumers, done) for consumers in CONSUMERS], done)


def _records(count: int, seed: int) -> Iterator[tuple[bytes, bytes, int]]:
    for number, data in enumerate(_data(count, seed)):
        yield str(number).encode(), encode(Message(AT, data)), AT


def _data(count: int, seed: int) -> Iterator[str]:
    """So long that the record has its size."""
    draws = random.Random(seed)  # noqa: S311 - made-up records
    length = RECORD_BYTES - len(encode(Message(AT, "")))
    for _ in range(count):
        yield draws.randbytes((length + 1) // 2).hex()[:length]


def _run(lab: Lab, prefix: str, consumers: int, events: int, seed: int) -> Run:
    topics = Topics.named(READS, prefix)
    for name in (topics.matched, topics.emitted, dead_letters(topics.matched)):
        lab.topic(name)
    matches = Counter(found for data in _data(events, seed) if (found := consumer_of(data, consumers)) is not None)
    total = events + matches.total()
    busy, service = load(), lab.endpoint(prefix, "deploy.bench.jobs", "shuffle", READS, prefix, str(consumers))
    began, pid = time.monotonic(), lab.start(service)
    try:
        looks = lab.watch(service, pid, lambda: taken_so_far(service.url), total, LOOK_S)
        rss = memory(pid).most
    finally:
        service.stop()
    expected = {str(consumer): count // OUTPUT_RATE for consumer, count in matches.items() if count >= OUTPUT_RATE}
    begin = {(topics.emitted, partition): 0 for partition in range(PARTITIONS)}
    outputs = Counter(message.key().decode() for message in tally.read(lab.kafka.bootstrap, lab.admin, begin))
    if outputs != expected:
        raise BenchError(f"void: {outputs.total()} outputs, {sum(expected.values())} were to come")
    # both stages' records are counted while it runs; what is told is of those that came in
    done, share = stretch(looks, began), events / total
    return Run(
        consumers, matches.total(), outputs.total(), round(done.cpu_us / share, 2), round(done.per_second * share, 1),
        round(rss, 1), busy,
    )  # fmt: skip


def _row(consumers: int, runs: list[Run]) -> Row:
    mine = [run for run in runs if run.consumers == consumers]
    return Row(
        consumers,
        spread([run.cpu_us for run in mine]),
        spread([1e6 / run.cpu_us for run in mine]),
        spread([run.per_second for run in mine]),
        max(run.rss_mib for run in mine),
    )


def _told(number: int, run: Run) -> str:
    return (
        f"run {number}, {run.consumers:,} consumers: {run.cpu_us} us of CPU a record, {run.per_second:,.0f} a second "
        f"by the wall clock, {run.matched:,} matched, {run.emitted:,} outputs"
    )
