"""A whole deployment on this machine: Kafka, Redis, topics, workers, gateway, sandbox; supervised, ended together."""

import sys
import threading
import time
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from agents.app import consumed
from agents.kafka_admin import connected, specs
from agents.runtime.producers import give
from deploy.fleet.service import FleetError, Service, end_all
from deploy.fleet.settle import NotAnsweredError, ends, positions, unsettled
from deploy.local.kafka import HEAP_MB, KafkaCluster
from deploy.local.ports import PortLease
from deploy.local.redis import RedisServer
from schemas.base import Wake
from schemas.codec import encode
from schemas.topics import CLOCK
from streams.profiles.load import departments

PORTS: Final = range(23_300, 23_500)
START_S: Final = 180.0
SETTLE_S: Final = 180.0
LOOK_S: Final = 0.02
SUPERVISE_S: Final = 0.2
PARTITIONS_A_MB: Final = 8
"""Of the broker's heap, beyond HEAP_MB: with 4,800 partitions in 256 MB it does nothing but collect garbage."""
Message = tuple[str, str, bytes, int]
"""Topic, key, value, event time (UTC ms)."""


class Fleet:
    """`with Fleet(home, roles={"case": 1}) as fleet`: everything up on entry, nothing left behind on exit.

    `begin` (UTC ms) makes time simulated, from there on; None leaves it to the machine's clock. `webhooks`: file of the
    subscribers to call.
    """

    def __init__(
        self,
        home: Path,
        *,
        roles: Mapping[str, int],
        begin: int | None = None,
        partitions: int = 4,
        brokers: int = 1,
        lasting: bool = False,
        sandbox: tuple[str, ...] | None = None,
        gateway: bool = False,
        exporter: bool = False,
        webhooks: Path | None = None,
        keep: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.home, self.partitions, self.now = home.resolve(), partitions, begin
        self._brokers, self._lasting, self._keep, self._roles = brokers, lasting, keep, dict(roles)
        self._sandbox, self._gateway, self._exporter = sandbox, gateway, exporter
        self._webhooks = webhooks
        self._environ = dict(environ or {})
        self.services: dict[str, Service] = {}
        self._fault: FleetError | None = None
        self._ended = threading.Event()

    # life

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Bring everything up; returns when every process says that it is ready."""
        replication = 3 if self._brokers == 3 else 1  # noqa: PLR2004 - one or three brokers, one or three copies
        wanted = specs(departments(), partitions=self.partitions, replication=replication, expire=self.now is None)
        heap_mb = HEAP_MB + sum(spec.partitions for spec in wanted.values()) // PARTITIONS_A_MB
        self.kafka = KafkaCluster(
            self.home / "kafka", brokers=self._brokers, heap_mb=heap_mb, lasting=self._lasting, keep=self._keep
        ).start()
        self.redis = RedisServer(self.home / "redis", keep=self._keep).start()
        with connected(self.kafka.bootstrap, START_S) as admin:
            admin.apply(wanted)
        self._topics = {name: spec.partitions for name, spec in wanted.items()}
        self.admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap, "log_level": 2})
        self.producer = Producer({
            "bootstrap.servers": self.kafka.bootstrap,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
            "linger.ms": 5,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 500_000,
            "log_level": 2,
        })  # fmt: skip
        if self.now is not None:
            self._tell_time(self.now, self.now)
        self._describe(replication)
        for service in self.services.values():
            service.start()
        self._supervisor = threading.Thread(target=self._supervise, name="fleet", daemon=True)
        self._supervisor.start()
        self._wait(
            lambda: next((f"{each.name} is not ready" for each in self.services.values() if not each.ready), ""),
            START_S,
        )

    def stop(self) -> None:
        """End everything, the readers before what they read from."""
        self._ended.set()
        end_all(self.services.values())
        for server in (getattr(self, "redis", None), getattr(self, "kafka", None)):
            if server is not None:
                server.stop()
        lease = getattr(self, "_lease", None)
        if lease is not None:
            lease.release()

    def _describe(self, replication: int) -> None:
        names = [f"{role}-{number}" for role, count in self._roles.items() for number in range(1, count + 1)]
        names += ["sms-sandbox"] if self._sandbox is not None else []
        names += ["gateway"] if self._gateway else []
        names += ["exporter"] if self._exporter else []
        names += ["webhooks"] if self._webhooks is not None else []
        self._lease = PortLease(len(names), PORTS)
        ports = dict(zip(names, self._lease.ports, strict=True))
        shared = {
            "NIVARAN_KAFKA": self.kafka.bootstrap,
            "NIVARAN_REDIS_URL": self.redis.url,
            "NIVARAN_PARTITIONS": str(self.partitions),
            "NIVARAN_REPLICATION": str(replication),
            "NIVARAN_HTTP_HOST": "127.0.0.1",
            "NIVARAN_CLOCK": "wall" if self.now is None else "simulated",
            **(
                {"NIVARAN_SMS_URL": f"http://127.0.0.1:{ports['sms-sandbox']}/messages"}
                if self._sandbox is not None
                else {}
            ),
            **({"NIVARAN_WEBHOOKS": str(self._webhooks)} if self._webhooks is not None else {}),
            **self._environ,
        }
        for name, port in ports.items():
            self.services[name] = self._service(name, port, {**shared, "NIVARAN_HTTP_PORT": str(port)})

    def _service(self, name: str, port: int, environ: Mapping[str, str]) -> Service:
        folder = self.home / name
        # a leftover of a killed run is known by its folder in the command line
        python = (sys.executable, "-X", f"fleet={folder}", "-m", "deploy.cli")
        match name:
            case "gateway" | "exporter":
                return Service(name, folder, (*python, name), port, environ, "/readyz")
            case "webhooks":
                return Service(name, folder, (*python, name, "run"), port, environ, "/readyz")
            case "sms-sandbox":
                options = ("--port", str(port), "--ledger", str(folder / "ledger.ndjson"), *(self._sandbox or ()))
                return Service(name, folder, (*python, "sms-sandbox", *options), port, environ, "/ledger")
            case _:
                return Service(name, folder, (*python, "worker", name.rpartition("-")[0]), port, environ, "/readyz")

    def _supervise(self) -> None:
        while not self._ended.wait(SUPERVISE_S):
            try:
                for service in self.services.values():
                    service.supervise()
            except FleetError as fault:
                self._fault = fault
                return

    # work

    @property
    def workers(self) -> list[Service]:
        # "sms-sandbox" is no worker of the role "sms"
        return [each for name, each in self.services.items() if name.rpartition("-")[2].isdigit()]

    @property
    def restarts(self) -> dict[str, list[int]]:
        """Exit codes after which processes were started again, by name."""
        return {name: service.restarts for name, service in self.services.items() if service.restarts}

    def produce(self, messages: Iterable[Message]) -> int:
        """Write records and wait until Kafka has them all; answers how many."""
        failed: list[Any] = []

        def report(error: Any, _message: Any) -> None:
            if error is not None:
                failed.append(error)

        count = 0
        for topic, key, value, at in messages:
            give(self.producer, topic, value, key.encode(), timestamp=at, on_delivery=report)
            self.producer.poll(0)
            count += 1
        left = self.producer.flush(60)
        if left or failed:
            raise FleetError(f"{left + len(failed)} of {count} records were not written: {failed[:1]}")
        return count

    def settle(self, timeout: float = SETTLE_S, *roles: str) -> None:
        """Wait until nothing is left to do for `roles` (default: all) at the present instant; raises FleetError."""
        self._wait(lambda: self.left(None, *roles), timeout)

    def advance(self, to: int, timeout: float = SETTLE_S) -> None:
        """Move simulated time on (UTC ms), and wait until all that fell due has been dealt with."""
        self.leap(to, timeout)
        self.settle(timeout)

    def leap(self, to: int, timeout: float = SETTLE_S) -> None:
        """Move simulated time on, and wait for all but those who wait for the world outside: they are told last.

        What has been handed over meanwhile is answered by then; the next `settle` waits for them too.
        """
        before = self._time()
        self.now = max(before, to)
        self._tell_time(self.now, before)
        self._wait(partial(self.left, before), timeout)
        self._tell_time(self.now, self.now)

    def move(self, to: int) -> None:
        """Move simulated time on (UTC ms), and do not wait."""
        self.now = max(self._time(), to)
        self._tell_time(self.now, self.now)

    def _time(self) -> int:
        if self.now is None:
            raise FleetError("time is the machine's own here: a fleet with `begin` has simulated time")
        return self.now

    def written(self) -> int:
        """How many offsets of all topics are taken: records, and a marker per transaction and partition.

        Raises NotAnsweredError.
        """
        return sum(ends(self.admin, self._topics).values())

    def lag(self, *roles: str) -> int:
        """Offsets the workers (default: of all roles) have still to read, fold and commit. Raises NotAnsweredError."""
        of = roles or tuple(self._roles)
        reached = positions(worker.get("/quiesced") for worker in self._of(of))
        return sum(max(0, end - reached.get(place, 0)) for place, end in self._ends(of).items())

    def left(self, settled: int | None = None, *roles: str) -> str:
        """What `roles` (default: all) have left to do at the present instant, in words; empty when nothing is.

        `settled` (UTC ms): until where those who wait for the world outside have been told; default: the present.
        """
        of = roles or tuple(self._roles)
        try:
            before = self._ends(of)
            answers = [worker.get("/quiesced") for worker in self._of(of)]
            found = unsettled(answers, before, self.now, self.now if settled is None else settled)
            return found or ("" if self._ends(of) == before else "records are still being written")
        except NotAnsweredError as away:
            return str(away)

    def _of(self, roles: Iterable[str]) -> list[Service]:
        return [worker for worker in self.workers if worker.name.rpartition("-")[0] in roles]

    def _ends(self, roles: Iterable[str]) -> dict[str, int]:
        return ends(self.admin, {topic: self._topics[topic] for role in roles for topic in consumed(role)})

    def _tell_time(self, now: int, settled: int) -> None:
        self.produce([(CLOCK, "clock", encode(Wake("clock", settled, now)), now)])

    def _wait(self, look: Any, timeout: float) -> None:
        """Look again and again until there is nothing to say, or the time is up."""
        deadline, pause = time.monotonic() + timeout, LOOK_S
        while found := look():
            if self._fault is not None:
                raise self._fault
            if time.monotonic() > deadline:
                raise FleetError(f"after {timeout:.0f} s: {found}\n{self._tails()}")
            time.sleep(pause)
            pause = min(0.2, pause * 1.5)

    def _tails(self) -> str:
        return "\n".join(f"--- {each.name}\n{each.process.tail(5)}" for each in self.services.values())
