"""Workers killed, frozen past their session, brokers killed: at moments drawn from a seed, under load; then the audit.

`python -m tests.live.chaos --seed 7` prints what it did and found; exit code 0: nothing lost, repeated or wrong.
"""

import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from confluent_kafka import KafkaException, Producer

from deploy.local.kafka import KafkaCluster
from schemas.base import Wake
from schemas.codec import encode
from schemas.topics import CLOCK
from tests.live.audit import Audit, audit
from tests.live.flows import FLOWS, Flow
from tests.live.harness import WorkerProcess, ends, make_topics, producer

Event = Callable[[], None]
SETTLE_S = 240.0
CLOCK_STEP_MS = 3_600_000
SOON_MS = 60_000
"""With wall time, what falls due within this is waited for."""


@dataclass
class Plan:
    """How much of what; the moments come from the seed."""

    seed: int
    inputs: int = 30_000
    rate: int = 900
    kills: int = 8
    zombies: int = 1
    broker_kills: int = 1
    brokers: int = 1
    per_role: int = 2
    session_s: int = 6
    keep: bool = False
    """Whether the brokers' data outlive the run."""


@dataclass
class Report:
    plan: Plan
    done: Counter[str] = field(default_factory=Counter)
    exits: list[int] = field(default_factory=list)
    audits: dict[str, Audit] = field(default_factory=dict)
    settled: bool = True
    seconds: float = 0.0

    @property
    def clean(self) -> bool:
        return self.settled and all(found.clean for found in self.audits.values())

    def __str__(self) -> str:
        verdict = "clean" if self.clean else "NOT CLEAN"
        head = f"seed {self.plan.seed}: {verdict} after {self.seconds:.0f} s; {dict(self.done)}"
        lines = [f"{head}; workers that left by themselves: {self.exits}"]
        return "\n".join(lines + [f"  {stage}: {found}" for stage, found in self.audits.items()])


class Chaos:
    """One run on a cluster of its own."""

    def __init__(self, plan: Plan, flow: Flow, prefix: str, folder: Path) -> None:
        self._plan, self._flow, self._prefix, self._folder = plan, flow, prefix, folder
        self._draw = random.Random(plan.seed)
        self._places = [(role, number) for role in flow.workers for number in range(plan.per_role)]
        self._workers: dict[tuple[str, int], WorkerProcess] = {}
        self._report = Report(plan)
        self._clock = 0
        """Simulated time: the last instant written to the clock topic."""

    def run(self) -> Report:
        began = time.monotonic()
        settings = {"group.min.session.timeout.ms": "3000"}
        cluster = KafkaCluster(
            self._folder / "kafka", brokers=self._plan.brokers, heap_mb=384, settings=settings, keep=self._plan.keep
        )
        with cluster as kafka:
            self._kafka = kafka
            copies = min(3, self._plan.brokers)
            make_topics(kafka.bootstrap, set(self._flow.topics) - {CLOCK}, self._flow.partitions, copies)
            if self._flow.simulated:
                make_topics(kafka.bootstrap, [CLOCK], 1, copies)
            try:
                self._under_load()
                self._settle()
            finally:
                self._end()
            for stage in self._flow.stages:
                group = f"{self._prefix}-{self._flow.role_of[stage.name]}"
                self._report.audits[stage.name] = audit(kafka.bootstrap, stage, group)
        self._report.seconds = time.monotonic() - began
        return self._report

    def _under_load(self) -> None:
        for place in self._places:
            self._start(place)
        for place in self._places:
            self._workers[place].wait_ready()
        load = threading.Thread(target=self._load)
        load.start()
        for event in self._events():
            time.sleep(self._draw.uniform(1.5, 4.5))
            self._restart_those_that_left()
            event()
            say(f"{event.__name__.strip('_')}")
        while load.is_alive():
            load.join(0.5)
            self._restart_those_that_left()

    def _events(self) -> list[Event]:
        plan = self._plan
        events: list[Event] = [self._kill] * plan.kills + [self._freeze] * plan.zombies
        events += [self._kill_broker] * plan.broker_kills
        self._draw.shuffle(events)
        return events

    def _load(self) -> None:
        # of its own seed: what is sent does not depend on when things break
        sender, began = producer(self._kafka.bootstrap), time.monotonic()
        for number, (topic, key, value, at) in enumerate(self._flow.inputs(self._plan.seed, self._plan.inputs)):
            self._write(sender, topic, key, value if isinstance(value, bytes) else encode(value), at)
            if at is not None and at >= self._clock + CLOCK_STEP_MS:
                self._clock = at
                self._write(sender, CLOCK, "clock", encode(Wake("clock", at, at)), at)
            ahead = began + number / self._plan.rate - time.monotonic()
            if ahead > 0.01:
                sender.poll(ahead)
        left = sender.flush(60)
        assert not left, f"{left} inputs were not written"

    def _write(self, sender: Producer, topic: str, key: str, body: bytes, at: int | None) -> None:
        stamp = {} if at is None else {"timestamp": at}
        while True:
            try:
                sender.produce(topic, body, key, **stamp)
            except BufferError:
                sender.poll(0.1)
            else:
                return

    def _start(self, place: tuple[str, int]) -> None:
        role, number = place
        settings = {
            "NIVARAN_KAFKA": self._kafka.bootstrap,
            "NIVARAN_GROUP_PREFIX": self._prefix,
            "NIVARAN_PARTITIONS": str(self._flow.partitions),
            "NIVARAN_REPLICATION": str(min(3, self._plan.brokers)),
            "NIVARAN_SESSION_TIMEOUT": str(self._plan.session_s),
            "NIVARAN_CLOCK": "simulated" if self._flow.simulated else "wall",
        }
        log = self._folder / f"{role}-{number}.log"
        self._workers[place] = WorkerProcess(self._flow.workers[role], settings, log)

    def _kill(self) -> None:
        place = self._draw.choice(self._places)
        self._workers[place].kill()
        self._report.done["worker kill -9"] += 1
        self._start(place)

    def _freeze(self) -> None:
        # past the session: others take over, then it wakes up believing that it still owns its partitions
        worker = self._workers[self._draw.choice(self._places)]
        worker.signal(signal.SIGSTOP)
        time.sleep(self._plan.session_s * 2)
        worker.signal(signal.SIGCONT)
        self._report.done["zombie"] += 1

    def _kill_broker(self) -> None:
        node = self._draw.choice(self._kafka.nodes)
        node.kill()
        time.sleep(self._draw.uniform(1, 3))
        node.start()
        self._kafka.wait_ready()
        self._report.done["broker kill -9"] += 1

    def _restart_those_that_left(self) -> None:
        for place, worker in self._workers.items():
            code = worker.process.poll()
            if code is not None:
                self._report.exits.append(code)
                say(f"{place} left with {code}")
                self._start(place)

    def _settle(self) -> None:
        deadline = time.monotonic() + SETTLE_S
        reads = [stage.reads for stage in self._flow.stages]
        quiet = 0
        # twice in a row: what the last look saw written is then folded as well
        while quiet < 2:
            self._restart_those_that_left()
            quiet = quiet + 1 if self._quiet(reads) else 0
            if time.monotonic() > deadline:
                self._report.settled = False
                say(f"not settled: {[worker.quiesced() for worker in self._workers.values()]}")
                return
            time.sleep(0.3)

    def _quiet(self, reads: list[str]) -> bool:
        positions: dict[str, int] = {}
        try:
            for worker in self._workers.values():
                told = worker.quiesced()
                if not told["ready"] or told["in_flight"] or told["pending_wakes"] or self._more_to_come(told):
                    return False
                positions |= told["positions"]
            wanted: dict[str, int] = {}
            for topic in reads:
                wanted |= ends(self._kafka.bootstrap, topic)
        except (OSError, AssertionError, KafkaException):
            return False
        return positions == wanted

    def _more_to_come(self, told: dict[str, Any]) -> bool:
        if self._flow.simulated:
            return bool(told["clock"] is not None and told["clock"] < self._clock)
        soon = time.time_ns() // 1_000_000 + SOON_MS
        return bool(told["next_due"] is not None and told["next_due"] < soon)

    def _end(self) -> None:
        for worker in self._workers.values():
            if worker.process.poll() is None:
                code = worker.stop()
                if code:
                    self._report.exits.append(code)


def say(text: str) -> None:
    click.echo(f"{time.strftime('%H:%M:%S')} {text}", err=True)


def run(plan: Plan, flow_name: str, folder: Path) -> Report:
    prefix = f"chaos-{plan.seed}"
    return Chaos(plan, FLOWS[flow_name](prefix), prefix, folder).run()


@click.command()
@click.option("--seed", type=int, default=1)
@click.option("--flow", type=click.Choice(sorted(FLOWS)), default="toy")
@click.option("--inputs", type=int, default=30_000)
@click.option("--rate", type=int, default=900, help="Inputs per second.")
@click.option("--kills", type=int, default=8)
@click.option("--brokers", type=click.Choice(["1", "3"]), default="1")
@click.option(
    "--keep",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder for the workers' logs and, to be kept, the brokers' data.",
)
def main(seed: int, flow: str, inputs: int, rate: int, kills: int, brokers: str, keep: Path | None) -> None:
    """Let chaos loose on a flow, audit it, say what was found."""
    plan = Plan(
        seed, inputs, rate, kills, brokers=int(brokers), broker_kills=1 if brokers == "1" else 3, keep=keep is not None
    )
    folder = keep or Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    report = run(plan, flow, folder)
    click.echo(str(report))
    click.echo(f"logs: {folder}", err=True)
    sys.exit(0 if report.clean else 1)


if __name__ == "__main__":
    main()
