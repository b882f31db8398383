"""The same short job of a helpline on workers, on a plain client loop and on other engines, in turn, and compared."""

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from confluent_kafka import Producer
from msgspec import Struct

from agents.runtime.producers import producer_config
from agents.settings import StateStore
from deploy.bench import tally
from deploy.bench.drain import second_half
from deploy.bench.jobs.complaints import Clock, Sms, Told, Topics
from deploy.bench.jobs.lives import PER_COMPLAINT, Expected, records
from deploy.bench.lab import BenchError, Lab, stretch
from deploy.bench.meter import Load, Spread, cpu_s, load, memory, spread
from deploy.bench.peers import jvm
from deploy.fleet.service import Service
from schemas.codec import decoder, encode
from schemas.registry import dead_letters
from streams.profiles.profile import DAY_MS

AT: Final = 1_767_225_600_000
"""1 January 2026, UTC ms."""
LATER_MS: Final = 30 * DAY_MS
"""Past all deadlines: the next run begins there, because time does not go back."""
WORKER: Final = "worker"
ON_DISK: Final = "worker, rocksdb"
PLAIN: Final = "plain loop"
OWN: Final = frozenset({WORKER, ON_DISK})
TARGETS: Final = {WORKER: 60_000, ON_DISK: 30_000}
"""Commands a second of a core."""
BEFORE: Final = ("Kafka Streams", "Flink")
"""Engines that take more CPU a command, it is hoped."""
LOOK_S: Final = 0.1
PATIENCE_S: Final = 240.0
Tell = Callable[[str], None]
_told: Final[Callable[[bytes], Told]] = decoder(Told)
_sms: Final[Callable[[bytes], Sms]] = decoder(Sms)


class Run(Struct, frozen=True):
    """One run: CPU is user and system time of the whole process."""

    who: str
    cpu_us: float
    """Per command, from the start of the process until all are committed, its start included."""
    steady_cpu_us: float
    """Per command, over the second half."""
    per_second: float
    """Commands, by the wall clock, from the first committed batch to the last."""
    fire_us: float
    """Per complaint that is escalated, when time moves past all deadlines at once."""
    last_s: float
    """From that moment until a reader of committed records has the last of them."""
    rss_mib: float
    load: Load


class Row(Struct, frozen=True):
    """All runs of one program; `ratio` is of its steady CPU to the worker's."""

    who: str
    cpu_us: Spread
    steady_cpu_us: Spread
    per_core_second: float
    per_second: Spread
    fire_us: Spread
    last_s: Spread
    rss_mib: float
    ratio: float


class Result(Struct, frozen=True):
    commands: int
    bytes_per_command: float
    outputs_per_command: float
    escalated: int
    rows: list[Row]
    runs: list[Run]


class Contestant(NamedTuple):
    """A program to be measured, and the group whose offsets tell how far it is."""

    service: Service
    group: str


Make = Callable[[Lab, str, Topics], Contestant]


def measure(home: Path, events: int, store: StateStore, peers: bool, runs: int, seed: int, tell: Tell) -> Result:
    """Raises BenchError when what was written is not what was counted, or a process ends or gets stuck."""
    entries: dict[str, Make] = {WORKER: _worker, PLAIN: _plain}
    if store == "rocksdb":
        entries[ON_DISK] = partial(_worker, store="rocksdb")
    if peers:
        entries |= {who: partial(_jvm, built, main) for built in [jvm.built(tell)] for who, main in jvm.MAINS.items()}
    complaints, begin = round(events / PER_COMPLAINT), AT
    done, expected = list[Run](), Expected()
    with Lab(home, AT, lasting=runs > 1, bare=True) as lab:
        for number in range(1, runs + 1):
            for who, make in entries.items():
                prefix, expected = f"engines-{_slug(who)}-{number}", Expected()
                topics = _topics(lab, prefix)
                lab.write(topics.reads, records(complaints, begin, seed, expected))
                begin += LATER_MS
                done.append(_run(lab, who, make(lab, prefix, topics), topics, expected, begin))
                lab.admin.delete_topics([*topics])  # the next needs the room
                tell(_line(number, done[-1]))
    # the last that was written: all are alike but for their instants
    return Result(
        expected.commands,
        round(expected.size / expected.commands, 1),
        round((sum(expected.told.values()) + len(expected.registered)) / expected.commands, 3),
        expected.escalated,
        [_row(who, done) for who in entries],
        done,
    )


def _slug(who: str) -> str:
    return who.replace(",", "").replace(" ", "-").lower()


def _topics(lab: Lab, prefix: str) -> Topics:
    topics = Topics.named(prefix)
    for name in (*topics, dead_letters(topics.reads)):
        lab.topic(name)
    return topics


def _run(lab: Lab, who: str, one: Contestant, topics: Topics, expected: Expected, later: int) -> Run:
    """`later` (UTC ms) is where time moves to when all commands are folded."""
    busy, began, pid = load(), time.monotonic(), lab.start(one.service)
    try:
        looks = lab.watch(one.service, pid, lambda: lab.committed(one.group, topics.reads), expected.commands)
        since, before, moved = lab.ends([topics.told]), cpu_s(pid), time.monotonic()
        _move_time(lab, who, topics, later)
        _await(lab, one.service, since, expected.escalated)
        last_s, fired = time.monotonic() - moved, cpu_s(pid) - before
        rss = memory(pid).most
    finally:
        one.service.stop()
    _compare(lab, topics, expected)
    return Run(
        who,
        round(looks[-1].cpu / expected.commands * 1e6, 2),
        stretch(second_half(looks), began).cpu_us,
        stretch(looks, began).per_second,
        round(fired / expected.escalated * 1e6, 2),
        round(last_s, 2),
        round(rss, 1),
        busy,
    )


def _worker(lab: Lab, prefix: str, _: Topics, store: StateStore = "memory") -> Contestant:
    service = lab.endpoint(prefix, "deploy.bench.jobs", "complaints", prefix, store=store)
    return Contestant(service, f"{prefix}-bench")


def _plain(lab: Lab, prefix: str, _: Topics) -> Contestant:
    changelog = lab.changelog(prefix, "complaints")
    return Contestant(lab.program(prefix, "deploy.bench.plain", prefix, changelog, "complaints", prefix), prefix)


def _jvm(built: jvm.Built, main: tuple[str, ...], lab: Lab, prefix: str, topics: Topics) -> Contestant:
    folder = lab.home / prefix
    words = (lab.kafka.bootstrap, prefix, str(folder), *topics, str(lab.partitions), *main[1:])
    return Contestant(Service(prefix, folder, built.command(folder, main[0], words), 0, {}, ""), prefix)


def _move_time(lab: Lab, who: str, topics: Topics, at: int) -> None:
    """Workers are told by the clock's topic, the others by a record in each partition."""
    if who in OWN:
        lab.tell_time(at)
        return
    producer = Producer({**producer_config(lab.settings), "enable.idempotence": True})
    for partition in range(lab.partitions):
        producer.produce(topics.reads, encode(Clock(at)), b"clock", partition, timestamp=at)
    if producer.flush(PATIENCE_S):
        raise BenchError(f"{topics.reads}: time was not written")


def _await(lab: Lab, service: Service, since: dict[Any, int], wanted: int) -> None:
    """Until a reader of committed records has seen so many records beyond those offsets."""
    deadline = time.monotonic() + PATIENCE_S
    reader, seen = tally.reader(lab.kafka.bootstrap, since), 0
    try:
        while seen < wanted:
            seen += sum(message.error() is None for message in reader.consume(tally.CHUNK, LOOK_S))
            if service.process.ended_with is not None:
                raise BenchError(f"{service.name} ended:\n{service.process.tail()}")
            if time.monotonic() > deadline:
                raise BenchError(f"{service.name}: {seen} of {wanted} are escalated, and no more")
    finally:
        reader.close()


def _compare(lab: Lab, topics: Topics, expected: Expected) -> None:
    told, messages = Counter[tuple[str, str, int]](), Counter[str]()
    begin = {(name, partition): 0 for name in (topics.told, topics.sms) for partition in range(lab.partitions)}
    for message in tally.read(lab.kafka.bootstrap, lab.admin, begin):
        if message.topic() == topics.sms:
            messages[_sms(message.value()).case] += 1
        else:
            one = _told(message.value())
            told[one.kind, one.case, one.level] += 1
    if told != expected.told or messages != Counter(dict.fromkeys(expected.registered, 1)):
        wrong = len((told - expected.told) + (expected.told - told))
        raise BenchError(f"void: {wrong} of what was told, or SMS, are other than counted ({topics.told})")


def _row(who: str, runs: list[Run]) -> Row:
    mine, own = ([run for run in runs if run.who == name] for name in (who, WORKER))
    steady = spread([run.steady_cpu_us for run in mine])
    return Row(
        who,
        spread([run.cpu_us for run in mine]),
        steady,
        round(1e6 / steady.median),
        spread([run.per_second for run in mine]),
        spread([run.fire_us for run in mine]),
        spread([run.last_s for run in mine]),
        max(run.rss_mib for run in mine),
        round(steady.median / spread([run.steady_cpu_us for run in own]).median, 2),
    )


def _line(number: int, run: Run) -> str:
    return (
        f"run {number}, {run.who}: {run.cpu_us} us of CPU a command, {run.steady_cpu_us} in the second half, "
        f"{run.per_second:,.0f} a second by the clock; {run.fire_us} us an escalation, the last after {run.last_s} s"
    )
