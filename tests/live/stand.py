"""A flow under load on a cluster: its workers as processes, brought back when they leave, watched until all is done."""

import random
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import click
from confluent_kafka import KafkaException, Producer

from agents.runtime.producers import give
from deploy.local.kafka import KafkaCluster
from schemas.base import Wake
from schemas.codec import encode
from schemas.topics import CLOCK
from tests.live.audit import Audit, audit
from tests.live.flows import Flow
from tests.live.harness import WorkerProcess, ends, make_topics, producer

SETTLE_S = 240.0
CLOCK_STEP_MS = 3_600_000
SOON_MS = 60_000
"""With wall time, what falls due within this is waited for."""
Place = tuple[str, int]
"""A role and a number within it."""


class Apart(NamedTuple):
    """How a worker is started that runs elsewhere: what is put before its command, and its own settings."""

    launcher: tuple[str, ...]
    environ: dict[str, str]


@dataclass
class Stand:
    """Topics, load and workers of one run."""

    kafka: KafkaCluster
    flow: Flow
    prefix: str
    folder: Path
    per_role: int = 2
    session_s: int = 6
    environ: dict[str, str] = field(default_factory=dict)
    """For every worker that is started from now on."""
    apart: dict[Place, Apart] = field(default_factory=dict)
    static: bool = False
    """Whether workers have names in their group that outlive them."""
    workers: dict[Place, WorkerProcess] = field(default_factory=dict)
    exits: list[int] = field(default_factory=list)
    """Of workers that left by themselves."""
    _clock: int = 0
    """Simulated time: the last instant written to the clock topic."""
    _load: threading.Thread | None = None
    _enough: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        copies = self.copies
        make_topics(self.kafka.bootstrap, set(self.flow.topics) - {CLOCK}, self.flow.partitions, copies)
        if self.flow.simulated:
            make_topics(self.kafka.bootstrap, [CLOCK], 1, copies)

    @property
    def copies(self) -> int:
        return min(3, len(self.kafka.nodes))

    @property
    def places(self) -> list[Place]:
        return [(role, number) for role in self.flow.workers for number in range(self.per_role)]

    # workers

    def start_all(self) -> None:
        for place in self.places:
            self.start(place)
        for place in self.places:
            self.workers[place].wait_ready()

    def start(self, place: Place, **environ: str) -> WorkerProcess:
        role, number = place
        settings = {
            "NIVARAN_KAFKA": self.kafka.bootstrap,
            "NIVARAN_GROUP_PREFIX": self.prefix,
            "NIVARAN_PARTITIONS": str(self.flow.partitions),
            "NIVARAN_REPLICATION": str(self.copies),
            "NIVARAN_SESSION_TIMEOUT": str(self.session_s),
            "NIVARAN_CLOCK": "simulated" if self.flow.simulated else "wall",
            "NIVARAN_STORE_DIR": str(self.folder / f"states-{role}-{number}"),
            **({"NIVARAN_INSTANCE": f"{role}-{number}"} if self.static else {}),
            **self.environ,
            **environ,
        }
        launcher: tuple[str, ...] = ()
        if place in self.apart:
            launcher, own = self.apart[place]
            settings |= own
        log = self.folder / f"{role}-{number}.log"
        self.workers[place] = WorkerProcess((*launcher, *self.flow.workers[role]), settings, log)
        return self.workers[place]

    def restart_those_that_left(self, places: Iterable[Place] | None = None) -> None:
        """As a supervisor does; `places`: only these."""
        for place in list(self.workers) if places is None else places:
            code = self.workers[place].process.poll()
            if code is not None:
                self.exits.append(code)
                say(f"{place} left with {code}")
                self.start(place)

    def end(self) -> None:
        """Stop the load, then every worker in order; how one ends that does not end well is kept."""
        self.stop_load()
        for worker in self.workers.values():
            if worker.process.poll() is None:
                code = worker.stop()
                if code:
                    self.exits.append(code)

    # load

    def start_load(self, seed: int, inputs: int, rate: float) -> None:
        """Write inputs, `rate` a second, of a seed of their own: what is sent does not depend on when things break."""
        self._load = threading.Thread(target=self._feed, args=(seed, inputs, rate), name="load")
        self._load.start()

    @property
    def loading(self) -> bool:
        return self._load is not None and self._load.is_alive()

    def stop_load(self) -> None:
        self._enough.set()
        if self._load is not None:
            self._load.join()

    def _feed(self, seed: int, inputs: int, rate: float) -> None:
        sender, began = producer(self.kafka.bootstrap), time.monotonic()
        for number, (topic, key, value, at) in enumerate(self.flow.inputs(seed, inputs)):
            if self._enough.is_set():
                break
            _write(sender, topic, key, value if isinstance(value, bytes) else encode(value), at)
            if at is not None and at >= self._clock + CLOCK_STEP_MS:
                self._clock = at
                _write(sender, CLOCK, "clock", encode(Wake("clock", at, at)), at)
            ahead = began + number / rate - time.monotonic()
            if ahead > 0.01:
                sender.poll(ahead)
        left = sender.flush(120)
        assert not left, f"{left} inputs were not written"

    # what came of it

    def written(self) -> dict[str, int]:
        """The end of every partition that a stage reads; raises KafkaException while Kafka is away."""
        found: dict[str, int] = {}
        for stage in self.flow.stages:
            found |= ends(self.kafka.bootstrap, stage.reads)
        return found

    def folded(self) -> dict[str, int]:
        """The next offset of every partition that a worker has in hand; of those that answer."""
        found: dict[str, int] = {}
        for worker in self.workers.values():
            try:
                found |= worker.quiesced()["positions"]
            except (OSError, AssertionError):
                continue
        return found

    def settle(self) -> bool:
        """Wait until everything is folded and nothing is due; answer whether that came about."""
        deadline, quiet = time.monotonic() + SETTLE_S, 0
        # twice in a row: what the last look saw written is then folded as well
        while quiet < 2:
            self.restart_those_that_left()
            quiet = quiet + 1 if self._quiet() else 0
            if time.monotonic() > deadline:
                say(f"not settled: {self.folded()}")
                return False
            time.sleep(0.3)
        return True

    def audits(self) -> dict[str, Audit]:
        """Of every stage."""
        return {
            stage.name: audit(self.kafka.bootstrap, stage, f"{self.prefix}-{self.flow.role_of[stage.name]}")
            for stage in self.flow.stages
        }

    def _quiet(self) -> bool:
        positions: dict[str, int] = {}
        try:
            for worker in self.workers.values():
                told = worker.quiesced()
                if not told["ready"] or told["in_flight"] or told["pending_wakes"] or self._more_to_come(told):
                    return False
                positions |= told["positions"]
            return positions == self.written()
        except (OSError, AssertionError, KafkaException):
            return False

    def _more_to_come(self, told: dict[str, Any]) -> bool:
        if self.flow.simulated:
            return bool(told["clock"] is not None and told["clock"] < self._clock)
        soon = time.time_ns() // 1_000_000 + SOON_MS
        return bool(told["next_due"] is not None and told["next_due"] < soon)


def _write(sender: Producer, topic: str, key: str, body: bytes, at: int | None) -> None:
    give(sender, topic, body, key, **({} if at is None else {"timestamp": at}))


def pause(draw: random.Random, least: float, most: float) -> None:
    """Let a while pass that the seed decides: the moments of faults are theirs alone, nothing is waited for."""
    time.sleep(draw.uniform(least, most))


def say(text: str) -> None:
    click.echo(f"{time.strftime('%H:%M:%S')} {text}", err=True)
