"""A broker on one core and, on another, the process that is measured; topics of a deployment and their readers."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from agents.kafka_admin import connected, specs
from agents.positions import Place, committed, onlooker
from agents.runtime.changelogs import CHANGELOG, COMING
from agents.runtime.producers import client_config, give, producer_config
from agents.settings import Settings
from deploy.bench import tally
from deploy.bench.meter import cores, cpu_s, on_core
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
LOOK_S: Final = 0.05
STILL_S: Final = 120.0
"""A process that commits nothing for so long is stuck."""


class BenchError(RuntimeError):
    """A measurement cannot be made or is void; the message says why."""


class Seen(NamedTuple):
    """A look at a process: when (seconds, monotonic), its CPU time so far, and the records it has committed."""

    at: float
    cpu: float
    done: int


class Lab:
    """`with Lab(home) as lab`: Kafka and the topics, nothing else; `begin` (UTC ms) is where simulated time stands."""

    def __init__(self, home: Path, begin: int) -> None:
        self.home, self._begin = home.resolve(), begin
        self.broker_core, self.core = cores()
        self._onlookers: dict[str, Consumer] = {}

    def __enter__(self) -> Self:
        self._lease = PortLease(1, PORTS)
        try:
            with on_core(self.broker_core):
                self.kafka = KafkaCluster(self.home / "kafka", heap_mb=HEAP_MB, lasting=True).start()
        except BaseException:
            self._lease.release()
            raise
        self._before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {self.broker_core})
        self.settings = Settings(kafka=self.kafka.bootstrap, partitions=PARTITIONS, replication=1, clock="simulated")
        self.admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap, "log_level": 2})
        with connected(self.kafka.bootstrap, START_S) as admin:
            admin.apply(specs(departments(), partitions=PARTITIONS, replication=1, expire=False))
        # nothing falls due while it is measured: both sides see the same records and no others
        self.write(CLOCK, [(b"clock", encode(Wake("clock", self._begin, self._begin)), self._begin)])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.sched_setaffinity(0, self._before)
        for asking in self._onlookers.values():
            asking.close()
        self.kafka.stop()
        self._lease.release()

    def write(self, topic: str, records: Iterable[tuple[bytes, bytes, int]], **config: Any) -> int:
        """Write key, value and timestamp of each record; answers how many, when Kafka has them all."""
        with on_core(self.core):  # nothing is measured meanwhile, and a broker that has just started needs its own
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
        name = f"{group}-{stage}-changelog"
        made = self.admin.create_topics([NewTopic(name, PARTITIONS, 1, config=CHANGELOG)], operation_timeout=ASK_S)
        made[name].result(ASK_S)
        return name

    def worker(self, prefix: str, role: str, module: str = "deploy.cli") -> Service:
        """The product's worker, not started yet; its group is `<prefix>-<role>`."""
        folder = self.home / prefix
        command = (sys.executable, "-X", f"bench={folder}", "-m", module, "worker", role)
        port = self._lease.ports[0]
        environ = self._environ() | {"NIVARAN_GROUP_PREFIX": prefix, "NIVARAN_HTTP_PORT": str(port)}
        return Service(prefix, folder, command, port, environ, "/readyz")

    def program(self, name: str, module: str, *arguments: str) -> Service:
        """Another program on the same topics; it has no endpoints."""
        folder = self.home / name
        command = (sys.executable, "-X", f"bench={folder}", "-m", module, *arguments)
        return Service(name, folder, command, 0, self._environ(), "")

    def _environ(self) -> dict[str, str]:
        return {
            "NIVARAN_KAFKA": self.kafka.bootstrap,
            "NIVARAN_PARTITIONS": str(PARTITIONS),
            "NIVARAN_REPLICATION": "1",
            "NIVARAN_CLOCK": "simulated",
        }

    def start(self, service: Service) -> int:
        """Start it on the core that is measured; answers its process id."""
        with on_core(self.core):
            service.start()
        deadline = time.monotonic() + START_S
        while (pid := service.process.pid) is None:
            if time.monotonic() > deadline or service.process.ended_with is not None:
                raise BenchError(f"{service.name} did not start:\n{service.process.tail()}")
            time.sleep(LOOK_S)
        return pid

    def ends(self, topics: Iterable[str]) -> dict[Place, int]:
        """The next offset to be written of every partition."""
        return tally.ends(self.admin, [(name, partition) for name in topics for partition in range(PARTITIONS)])

    def committed(self, group: str, topic: str) -> int:
        """Records of `topic` before the offsets that `group` has committed; 0 while nobody knows."""
        asking = self._onlookers.get(group)
        if asking is None:
            asking = self._onlookers[group] = onlooker(client_config(self.settings), group)
        try:
            return sum(committed(asking, topic, range(PARTITIONS), ASK_S).values())
        except KafkaException as fault:
            if fault.args[0].code() not in COMING:
                raise
            return 0

    def watch(self, service: Service, pid: int, done: Callable[[], int], total: int) -> list[Seen]:
        """Look at a process until all is done; the first look is the first at which something was."""
        looks: list[Seen] = []
        changed = time.monotonic()
        while not looks or looks[-1].done < total:
            time.sleep(LOOK_S)
            count, now = done(), time.monotonic()
            if service.process.ended_with is not None:
                raise BenchError(f"{service.name} ended:\n{service.process.tail()}")
            if count and (not looks or looks[-1].done < count):
                looks.append(Seen(now, cpu_s(pid), count))
                changed = now
            elif now - changed > STILL_S:
                raise BenchError(f"{service.name}: {count} of {total} done, and no more:\n{service.process.tail()}")
        return looks


def _produce(producer: Producer, topic: str, key: bytes, value: bytes, at: int, failed: list[Any]) -> None:
    def report(error: Any, _message: Any) -> None:
        if error is not None:
            failed.append(error)

    give(producer, topic, value, key, timestamp=at, on_delivery=report)
    producer.poll(0)


def shares(before: Mapping[str, float], after: Mapping[str, float], seconds: float) -> dict[str, float]:
    """Cores that processes used on average between two readings of their CPU time."""
    return {name: round((after[name] - used) / seconds, 3) for name, used in before.items()}
