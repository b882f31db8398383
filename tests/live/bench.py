"""A toy flow on topics of its own, its workers as processes."""

import signal
import uuid
from pathlib import Path

from confluent_kafka import Producer

from schemas.codec import encode
from tests.live.harness import WorkerProcess, ends, make_topics, producer
from tests.live.toy import Add, toy
from tests.live.toy import topics as toy_topics
from tests.waiting import until

PARTITIONS = 4


class Bench:
    """Topics, a producer and workers of one test."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.prefix = f"toy-{uuid.uuid4().hex[:8]}"
        self.bootstrap, self.folder = bootstrap, folder
        self.topics = toy_topics(self.prefix)
        self.stage = toy(self.prefix)
        self.group = f"{self.prefix}-toy"
        self.changelog = f"{self.group}-toy-changelog"
        self.workers: list[WorkerProcess] = []
        self.store = "memory"
        self.producer: Producer = producer(bootstrap)

    def make_topics(self) -> "Bench":
        make_topics(self.bootstrap, self.topics.all, PARTITIONS)
        return self

    def start(self, program: str = "tests.live.toy", **environ: str) -> WorkerProcess:
        """Start a worker; with states on disk in the first folder that no running one has."""
        taken = {worker.store_dir for worker in self.workers if worker.process.poll() is None}
        free = next(each for number in range(9) if (each := str(self.folder / f"states-{number}")) not in taken)
        settings = {
            "NIVARAN_STORE": self.store,
            "NIVARAN_STORE_DIR": free,
            "NIVARAN_KAFKA": self.bootstrap,
            "NIVARAN_GROUP_PREFIX": self.prefix,
            "NIVARAN_PARTITIONS": str(PARTITIONS),
            **environ,
        }
        worker = WorkerProcess([program, self.prefix], settings, self.folder / f"worker-{len(self.workers)}.log")
        self.workers.append(worker)
        return worker

    def send(self, key: str | bytes | None, value: object, at: int | None = None) -> None:
        body = value if isinstance(value, bytes) or value is None else encode(value)
        stamp = {} if at is None else {"timestamp": at}
        self.producer.produce(self.topics.reads, body, key, **stamp)

    def add(self, count: int, *, keys: int = 50, at: int = 0, remind_after: int = 0) -> None:
        for number in range(count):
            self.send(f"key-{number % keys}", Add(1 + number % 12, at, remind_after), at or None)
        self.producer.flush(20)

    def settled(self, clock: int | None = None) -> None:
        """Wait until the workers that run have taken everything and nothing is due."""

        def done() -> bool:
            positions: dict[str, int] = {}
            for worker in self.workers:
                if worker.process.poll() is None:
                    told = worker.quiesced()
                    if not told["ready"] or told["in_flight"] or told["pending_wakes"]:
                        return False
                    if clock is not None and told["clock"] != clock:
                        return False
                    positions |= told["positions"]
            return positions == ends(self.bootstrap, self.topics.reads)

        until(done, 60, what="everything is folded")

    def end(self) -> None:
        """Kill what still runs."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.signal(signal.SIGCONT)
                worker.kill()
