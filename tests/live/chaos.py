"""Workers killed, frozen past their session, brokers killed: at moments drawn from a seed, under load; then the audit.

`python -m tests.live.chaos --seed 7` prints what it did and found; exit code 0: nothing lost, repeated or wrong.
"""

import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import click

from agents.settings import StateStore
from deploy.local.kafka import KafkaCluster
from tests.live.audit import Audit
from tests.live.flows import FLOWS, Flow
from tests.live.stand import Stand, pause, say

Event = Callable[[], None]


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
    store: str = "memory"
    """Where workers keep their states."""
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
        self._report = Report(plan)

    def run(self) -> Report:
        began, plan, report = time.monotonic(), self._plan, self._report
        settings = {"group.min.session.timeout.ms": "3000"}
        cluster = KafkaCluster(
            self._folder / "kafka", brokers=plan.brokers, heap_mb=384, settings=settings, keep=plan.keep
        )
        with cluster as self._kafka:
            self._stand = stand = Stand(
                self._kafka, self._flow, self._prefix, self._folder, plan.per_role, plan.session_s,
                {"NIVARAN_STORE": plan.store},
            )  # fmt: skip
            try:
                self._under_load()
                report.settled = stand.settle()
            finally:
                stand.end()
            report.exits = stand.exits
            report.audits = stand.audits()
        report.seconds = time.monotonic() - began
        return report

    def _under_load(self) -> None:
        stand = self._stand
        stand.start_all()
        stand.start_load(self._plan.seed, self._plan.inputs, self._plan.rate)
        for event in self._events():
            pause(self._draw, 1.5, 4.5)
            stand.restart_those_that_left()
            event()
            say(f"{event.__name__.strip('_')}")
        while stand.loading:
            pause(self._draw, 0.3, 0.5)
            stand.restart_those_that_left()

    def _events(self) -> list[Event]:
        plan = self._plan
        events: list[Event] = [self._kill] * plan.kills + [self._freeze] * plan.zombies
        events += [self._kill_broker] * plan.broker_kills
        self._draw.shuffle(events)
        return events

    def _kill(self) -> None:
        place = self._draw.choice(self._stand.places)
        self._stand.workers[place].kill()
        self._report.done["worker kill -9"] += 1
        self._stand.start(place)

    def _freeze(self) -> None:
        # past the session: others take over, then it wakes up believing that it still owns its partitions
        worker = self._stand.workers[self._draw.choice(self._stand.places)]
        worker.signal(signal.SIGSTOP)
        time.sleep(self._plan.session_s * 2)
        worker.signal(signal.SIGCONT)
        self._report.done["zombie"] += 1

    def _kill_broker(self) -> None:
        node = self._draw.choice(self._kafka.nodes)
        node.kill()
        pause(self._draw, 1, 3)
        node.start()
        self._kafka.wait_ready()
        self._report.done["broker kill -9"] += 1


def run(plan: Plan, flow_name: str, folder: Path) -> Report:
    prefix = f"chaos-{plan.seed}"
    return Chaos(plan, FLOWS[flow_name](prefix), prefix, folder).run()


@click.command()
@click.option("--seed", type=int, default=1)
@click.option("--flow", type=click.Choice(sorted(FLOWS)), default="toy")
@click.option("--inputs", type=int, default=30_000)
@click.option("--rate", type=int, default=900, help="Inputs per second.")
@click.option("--kills", type=int, default=8)
@click.option("--store", type=click.Choice(get_args(StateStore)), default="memory", help="Where states are kept.")
@click.option("--brokers", type=click.Choice(["1", "3"]), default="1")
@click.option(
    "--keep",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder for the workers' logs and, to be kept, the brokers' data.",
)
def main(seed: int, flow: str, inputs: int, rate: int, kills: int, store: str, brokers: str, keep: Path | None) -> None:
    """Let chaos loose on a flow, audit it, say what was found."""
    plan = Plan(
        seed, inputs, rate, kills, store=store, brokers=int(brokers), broker_kills=1 if brokers == "1" else 3,
        keep=keep is not None,
    )  # fmt: skip
    folder = keep or Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    report = run(plan, flow, folder)
    click.echo(str(report))
    click.echo(f"logs: {folder}", err=True)
    sys.exit(0 if report.clean else 1)


if __name__ == "__main__":
    main()
