"""Timers on the workers' runtime, four of five cancelled; then time moves past all that are left at once."""

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct

from deploy.bench import tally
from deploy.bench.jobs.auctions import BIDS, WITHDRAWN, Bid, Opened, Topics, Withdrawn, Won
from deploy.bench.lab import PARTITIONS, BenchError, Lab, stretch
from deploy.bench.meter import Load, Spread, cpu_s, load, spread
from deploy.bench.scrape import taken_so_far
from schemas.codec import decoder, encode
from schemas.registry import dead_letters
from streams.profiles.profile import DAY_MS

AT: Final = 1_767_225_600_000
"""1 January 2026, UTC ms."""
PER_AUCTION: Final = 1 + BIDS + WITHDRAWN
LOOK_S: Final = 0.1
EVERY_MS: Final = 10 * DAY_MS
"""Between the runs, so that the time one has come to is before the deadlines of the next."""
Tell = Callable[[str], None]
_won: Final[Callable[[bytes], Won]] = decoder(Won)


class Run(Struct, frozen=True):
    """`cpu_us` per record in; `fire_us` per timer that fires, its wake written, folded and followed by an output."""

    auctions: int
    fired: int
    cpu_us: float
    per_second: float
    fire_us: float
    last_s: float
    """From the moment time moves past all deadlines until the last of what follows is committed, by the wall clock."""
    load: Load


class Result(Struct, frozen=True):
    records: int
    cpu_us: Spread
    per_second: Spread
    fire_us: Spread
    last_s: Spread
    runs: list[Run]


class Written(NamedTuple):
    """A record of the input: key, value, instant."""

    key: bytes
    value: bytes
    at: int


def measure(home: Path, events: int, runs: int, seed: int, tell: Tell) -> Result:
    """Raises BenchError when a winner is other than counted, or a process ends or gets stuck."""
    auctions, done = round(events / PER_AUCTION), list[Run]()
    with Lab(home, AT, lasting=runs > 1, bare=True) as lab:
        for number in range(1, runs + 1):
            done.append(_run(lab, f"timers-{number}", auctions, AT + number * EVERY_MS, seed))
            tell(_told(number, done[-1]))
    return Result(
        round(auctions * PER_AUCTION),
        spread([run.cpu_us for run in done]),
        spread([run.per_second for run in done]),
        spread([run.fire_us for run in done]),
        spread([run.last_s for run in done]),
        done,
    )


def _run(lab: Lab, prefix: str, auctions: int, begin: int, seed: int) -> Run:
    topics, winners = Topics.named(prefix), dict[str, int]()
    for name in (*topics, dead_letters(topics.reads)):
        lab.topic(name)
    total = lab.write(topics.reads, _records(auctions, begin, seed, winners))
    busy, service = load(), lab.endpoint(prefix, "deploy.bench.jobs", "auctions", prefix)
    began, pid = time.monotonic(), lab.start(service)
    try:
        looks = lab.watch(service, pid, lambda: taken_so_far(service.url), total, LOOK_S)
        cpu, moved = cpu_s(pid), time.monotonic()
        lab.tell_time(begin + 2 * DAY_MS)
        fired = lab.watch(service, pid, lambda: taken_so_far(service.url), total + len(winners), LOOK_S)[-1]
    finally:
        service.stop()
    since = {(topics.won, partition): 0 for partition in range(PARTITIONS)}
    told = [_won(message.value()) for message in tally.read(lab.kafka.bootstrap, lab.admin, since)]
    if len(told) != len(winners) or {each.auction: each.amount for each in told} != winners:
        raise BenchError(f"void: {len(told)} winners, other than the {len(winners)} that were to come")
    folded = stretch(looks, began)
    return Run(
        auctions,
        len(winners),
        folded.cpu_us,
        folded.per_second,
        round((fired.cpu - cpu) / len(winners) * 1e6, 2),
        round(fired.at - moved, 2),
        busy,
    )


def _records(auctions: int, begin: int, seed: int, winners: dict[str, int]) -> Iterator[Written]:
    """All openings, all bids, then the withdrawals; what is left has its best bid in `winners`."""
    draws = random.Random(seed)  # noqa: S311 - made-up records
    names = [f"auction-{number}" for number in range(auctions)]
    for number, name in enumerate(names):
        opened = Opened(name, begin, begin + DAY_MS + number % 60_000)
        yield Written(name.encode(), encode(opened), begin)
    for _ in range(BIDS):
        for name in names:
            amount = draws.randrange(1, 1_000_000)
            winners[name] = max(winners.get(name, 0), amount)
            yield Written(name.encode(), encode(Bid(name, begin, amount)), begin)
    for name in draws.sample(names, round(WITHDRAWN * auctions)):
        del winners[name]
        yield Written(name.encode(), encode(Withdrawn(name, begin)), begin)


def _told(number: int, run: Run) -> str:
    return (
        f"run {number}: {run.cpu_us} us of CPU a record, {run.fire_us} us a timer that fires; {run.fired:,} of "
        f"{run.auctions:,} fired, the last after {run.last_s} s"
    )
