"""A broker and the processes that are measured, apart or on the same two cores; topics of a deployment."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, NamedTuple, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from agents.kafka_admin import connected, specs
from agents.positions import Place, committed, onlooker
from agents.runtime.changelogs import CHANGELOG, COMING, when_there
from agents.runtime.producers import client_config, give, producer_config
from agents.settings import Settings, StateStore
from deploy.bench import tally
from deploy.bench.meter import cores, cpu_s, on_cores
from deploy.fleet.service import Service
from deploy.local.kafka import KafkaCluster
from deploy.local.ports import PortLease
from schemas.base import Wake
from schemas.codec import encode
from schemas.topics import CLOCK
from streams.profiles.load import departments

PARTITIONS: Final = 4
HEAP_MB: Final = 768
PORTS: Final = range(23_500, 23_560)
START_S: Final = 90.0
ASK_S: Final = 20.0
WRITE_S: Final = 240.0
LOOK_S: Final = 0.02
STILL_S: Final = 300.0
"""A process that commits nothing for so long is stuck."""


PATIENT: Final = {"NIVARAN_TRANSACTION_TIMEOUT": "90", "NIVARAN_STUCK_AFTER": "240"}
"""On a machine that others use as well a broker may take its time: that makes a run slow, not void."""
CHECKOUT: Final = str(Path(__file__).parents[2])
"""Where packages of the product are, for a Python that has not installed it."""


UNKNOWN: Final = COMING | {KafkaError._TIMED_OUT}  # noqa: SLF001 - the client's own name for it


class BenchError(RuntimeError):
    """A measurement cannot be made or is void; the message says why."""


class Seen(NamedTuple):
    """A look at a process: when (seconds, monotonic), its CPU time so far, and the records it has committed."""

    at: float
    cpu: float
    done: int


class Lab:
    """`with Lab(home, begin) as lab`: Kafka and the topics, nothing else.

    `begin` (UTC ms) is where simulated time stands; the broker has one core then, and what is measured another. None
    leaves time to the machine's clock, and both cores to all: then times by the clock are what is measured. A broker
    that is not `lasting` starts sooner and costs more: for a trial. A `bare` one has the clock's topic only.
    """

    def __init__(
        self,
        home: Path,
        begin: int | None,
        *,
        partitions: int = PARTITIONS,
        workers: int = 1,
        lasting: bool = True,
        bare: bool = False,
    ) -> None:
        self.home, self._begin, self.partitions, self.lasting = home.resolve(), begin, partitions, lasting
        self._workers, self._bare = workers, bare
        broker, own = cores()
        both = {broker, own}
        self._broker_on, self._own = (both, both) if begin is None else ({broker}, {own})
        self._onlookers: dict[str, Consumer] = {}

    def __enter__(self) -> Self:
        self._lease = PortLease(self._workers, PORTS)
        try:
            with on_cores(self._broker_on):
                self.kafka = KafkaCluster(self.home / "kafka", heap_mb=HEAP_MB, lasting=self.lasting).start()
        except BaseException:
            self._lease.release()
            raise
        self._before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, self._broker_on)
        self.settings = Settings(
            kafka=self.kafka.bootstrap, partitions=self.partitions, replication=1, clock=self._clock
        )
        self.admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap, "log_level": 2})
        with connected(self.kafka.bootstrap, START_S) as admin:
            wanted = specs(departments(), partitions=self.partitions, replication=1, expire=False)
            admin.apply({CLOCK: wanted[CLOCK]} if self._bare else wanted)
        if self._begin is not None:
            # nothing falls due while it is measured: both sides see the same records and no others
            self.tell_time(self._begin)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.sched_setaffinity(0, self._before)
        for asking in self._onlookers.values():
            asking.close()
        self.kafka.stop()
        self._lease.release()

    @property
    def _clock(self) -> Literal["wall", "simulated"]:
        return "wall" if self._begin is None else "simulated"

    def tell_time(self, at: int) -> None:
        """Move simulated time on (UTC ms)."""
        self.write(CLOCK, [(b"clock", encode(Wake("clock", at, at)), at)])

    def write(self, topic: str, records: Iterable[tuple[bytes, bytes, int]], **config: Any) -> int:
        """Write key, value and timestamp of each record; answers how many, when Kafka has them all."""
        with on_cores(self._own):  # nothing is measured meanwhile, and a broker that has just started needs its own
            return self._write(topic, records, config)

    def _write(self, topic: str, records: Iterable[tuple[bytes, bytes, int]], config: dict[str, Any]) -> int:
        failed: list[Any] = []
        producer = Producer({**producer_config(self.settings), "enable.idempotence": True, "linger.ms": 20, **config})
        count = 0
        for key, value, at in records:
            _produce(producer, topic, key, value, at, failed)
            count += 1
        if producer.flush(WRITE_S) or failed:
            raise BenchError(f"{topic}: not everything was written: {failed[:1]}")
        return count

    def changelog(self, group: str, stage: str) -> str:
        """Make the topic that keeps the states of a group's stage, as a worker makes it."""
        return self.topic(f"{group}-{stage}-changelog", CHANGELOG)

    def topic(self, name: str, config: dict[str, str] | None = None) -> str:
        """Make a topic of as many partitions as all have."""
        wanted = NewTopic(name, self.partitions, 1, config=config or {})
        self.admin.create_topics([wanted], operation_timeout=ASK_S)[name].result(ASK_S)
        return name

    def worker(
        self,
        prefix: str,
        role: str,
        *,
        number: int = 0,
        instance: str = "",
        module: str = "deploy.cli",
        store: StateStore = "memory",
    ) -> Service:
        """The product's worker, not started yet; its group is `<prefix>-<role>`, `number` tells it from its fellows."""
        name = f"{prefix}-{number}" if number else prefix
        return self._serving(name, prefix, number, store, {"NIVARAN_INSTANCE": instance}, module, "worker", role)

    def endpoint(self, prefix: str, *named: str, store: StateStore = "memory") -> Service:
        """A module with a worker's endpoints, not started yet."""
        return self._serving(prefix, prefix, 0, store, {}, *named)

    def _serving(
        self, name: str, prefix: str, number: int, store: StateStore, more: Mapping[str, str], *named: str
    ) -> Service:
        folder, port = self.home / name, self._lease.ports[number]
        command = (sys.executable, "-X", f"bench={folder}", "-m", *named)
        environ = self._environ() | {
            "NIVARAN_GROUP_PREFIX": prefix,
            "NIVARAN_HTTP_PORT": str(port),
            "NIVARAN_STORE": store,
            "NIVARAN_STORE_DIR": str(folder / "states"),
            **more,
        }
        return Service(name, folder, command, port, environ, "/readyz")

    def program(self, name: str, module: str, *arguments: str, python: str = sys.executable) -> Service:
        """Another program on the same topics; it has no endpoints."""
        folder = self.home / name
        command = (python, "-X", f"bench={folder}", "-m", module, *arguments)
        return Service(name, folder, command, 0, self._environ() | {"PYTHONPATH": CHECKOUT}, "")

    def _environ(self) -> dict[str, str]:
        return {
            "NIVARAN_KAFKA": self.kafka.bootstrap,
            "NIVARAN_PARTITIONS": str(self.partitions),
            "NIVARAN_REPLICATION": "1",
            "NIVARAN_CLOCK": self._clock,
            **PATIENT,
        }

    def start(self, service: Service) -> int:
        """Start it on the core that is measured; answers its process id."""
        with on_cores(self._own):
            service.start()
        deadline = time.monotonic() + START_S
        while (pid := service.process.pid) is None:
            if time.monotonic() > deadline or service.process.ended_with is not None:
                raise BenchError(f"{service.name} did not start:\n{service.process.tail()}")
            time.sleep(LOOK_S)
        return pid

    def ready(self, service: Service, within: float = START_S) -> None:
        """Wait until it says that it is ready, `within` seconds at most."""
        deadline = time.monotonic() + within
        while not service.ready:
            if service.process.ended_with is not None:
                raise BenchError(f"{service.name} ended:\n{service.process.tail()}")
            if time.monotonic() > deadline:
                raise BenchError(f"{service.name} is not ready after {within:.0f} s:\n{service.process.tail()}")
            time.sleep(LOOK_S)

    def taken(self, group: str, topic: str, within: float) -> None:
        """Wait until the group has committed all that stands in `topic` now."""
        end, deadline = sum(self.ends([topic]).values()), time.monotonic() + within
        while (done := self.committed(group, topic)) < end:
            if time.monotonic() > deadline:
                raise BenchError(f"void: {end - done} records of {topic} are not taken after {within:.0f} s")
            time.sleep(LOOK_S)

    def pass_over(self, group: str, topic: str) -> None:
        """Let a group that has no member begin at the present end of `topic`."""
        consumer = Consumer({**client_config(self.settings), "group.id": group})
        places = [TopicPartition(*place, offset) for place, offset in self.ends([topic]).items()]
        try:
            when_there(lambda: consumer.commit(offsets=places, asynchronous=False), ASK_S)
        finally:
            consumer.close()

    def ends(self, topics: Iterable[str]) -> dict[Place, int]:
        """The next offset to be written of every partition."""
        return tally.ends(self.admin, [(name, partition) for name in topics for partition in range(self.partitions)])

    def committed(self, group: str, topic: str) -> int:
        """Records of `topic` before the offsets that `group` has committed; 0 while nobody knows."""
        asking = self._onlookers.get(group)
        if asking is None:
            asking = self._onlookers[group] = onlooker(client_config(self.settings), group)
        try:
            return sum(committed(asking, topic, range(self.partitions), ASK_S).values())
        except KafkaException as fault:
            if fault.args[0].code() not in UNKNOWN:
                raise
            return 0

    def watch(
        self, service: Service, pid: int, done: Callable[[], int], total: int, every: float = LOOK_S
    ) -> list[Seen]:
        """Look at a process until all is done; the first look is the first at which something was."""
        looks: list[Seen] = []
        changed = time.monotonic()
        while not looks or looks[-1].done < total:
            time.sleep(every)
            count, now = done(), time.monotonic()
            if service.process.ended_with is not None:
                raise BenchError(f"{service.name} ended:\n{service.process.tail()}")
            if count and (not looks or looks[-1].done < count):
                looks.append(Seen(now, cpu_s(pid), count))
                changed = now
            elif now - changed > STILL_S:
                raise BenchError(f"{service.name}: {count} of {total} done, and no more:\n{service.process.tail()}")
        return looks


class Stretch(NamedTuple):
    """What a process did between two looks: records, CPU microseconds of each, records a second by the clock."""

    records: int
    cpu_us: float
    per_second: float


def stretch(looks: Sequence[Seen], began: float) -> Stretch:
    """From the first look to the last; of a trial that was over at the first, from its start at `began`.

    Then the cost of starting a process is in it.
    """
    first, last = looks[0], looks[-1]
    if last.cpu <= first.cpu:
        first = Seen(began, 0.0, 0)
    records = last.done - first.done
    return Stretch(records, round((last.cpu - first.cpu) / records * 1e6, 2), round(records / (last.at - first.at), 1))


def _produce(producer: Producer, topic: str, key: bytes, value: bytes, at: int, failed: list[Any]) -> None:
    def report(error: Any, _message: Any) -> None:
        if error is not None:
            failed.append(error)

    give(producer, topic, value, key, timestamp=at, on_delivery=report)
    producer.poll(0)


def shares(before: Mapping[str, float], after: Mapping[str, float], seconds: float) -> dict[str, float]:
    """Cores that processes used on average between two readings of their CPU time."""
    return {name: round((after[name] - used) / seconds, 3) for name, used in before.items()}
