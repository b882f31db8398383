"""The course of a demonstration: everything up, input step by step, time moved on when all of a step is done."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Self

from agents.settings import Settings
from agents.simulate.generate import Simulation, Together
from agents.simulate.lines import Line
from deploy.demo.http_feed import HttpFeed
from deploy.demo.load_feed import LoadFeed
from deploy.demo.secrets import Secrets
from deploy.fleet import Fleet
from streams.profiles.profile import DAY_MS

ROLES: Final = {"intake": 1, "case": 1, "sla": 1, "sms": 1, "officers": 1, "board": 1}
STEP_MS: Final = DAY_MS
"""Of simulated time. No late news of the simulated input is told within a step of what it comes too late for."""
PARTITIONS: Final = 1
"""One worker of each role on two cores: each partition more is as many more markers of transactions, and no more work
done at a time."""
OWN_SETTINGS: Final = {
    # two cores for everything: few, larger transactions and fetches; nobody waits for a single record here
    "NIVARAN_COMMIT_GAP_MS": "100",
    "NIVARAN_FETCH_WAIT_MS": "100",
    "NIVARAN_WAKE_AHEAD_MS": "1000",
    # citizens of the whole state come from one address here
    "NIVARAN_RATE": "0",
    "NIVARAN_OFFICES": "sandbox",
}


def steps(lines: Iterator[Line], start_at: int, end_at: int) -> Iterator[tuple[int, list[Line]]]:
    """The lines of each step of time, with the instant at which it ends."""
    waiting: list[Line] = []
    at = start_at + STEP_MS
    for line in lines:
        while line.at > at:
            yield at, waiting
            waiting, at = [], at + STEP_MS
        waiting.append(line)
    while at < end_at:
        yield at, waiting
        waiting, at = [], at + STEP_MS
    yield end_at, waiting


def fleet(home: Path, secrets: Secrets, begin: int, roles: dict[str, int] | None = None) -> Fleet:
    """Every process of the demonstration, with its time at `begin` (UTC ms)."""
    return Fleet(
        home,
        roles=roles or ROLES,
        begin=begin,
        partitions=PARTITIONS,
        sandbox=(),
        gateway=True,
        environ={**secrets.environ, **OWN_SETTINGS},
    )


class Demonstration:
    """Feeds a simulation to a fleet that is up; `door` counts what the gateway and the loader made of its lines."""

    def __init__(self, running: Fleet, simulation: Simulation | Together, secrets: Secrets) -> None:
        self.fleet, self.simulation = running, simulation
        self.http = HttpFeed(running.services["gateway"].url, secrets.tokens)
        settings = Settings(kafka=running.kafka.bootstrap, clock="simulated")
        self.loader = LoadFeed(settings, secrets.identity, running.home / "rejects.ndjson")
        self.lines = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self.loader.close()

    @property
    def door(self) -> Counter[str]:
        return self.http.outcomes + self.loader.outcomes

    def run(self, told: Callable[[int], None] = lambda _: None) -> None:
        """Feed everything; `told` hears of each instant that time has come to. Raises FleetError, GatewayError."""
        truth = self.simulation.truth
        for at, lines in steps(iter(self.simulation), truth.start_at, truth.end_at):
            self._feed(lines)
            self.fleet.settle()
            self.fleet.leap(at)
            told(at)
        self.fleet.settle()

    def _feed(self, lines: Sequence[Line]) -> None:
        self.lines += len(lines)
        answers = self.http.send(line for line in lines if line.way == "http")
        self.loader.send(line for line in lines if line.way == "load")
        self.fleet.produce((line.topic or "", line.key, line.payload, line.at) for line in lines if line.way == "wire")
        answers.result()
