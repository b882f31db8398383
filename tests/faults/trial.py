"""One row of the matrix under way: load, workers, what strikes them, and how soon all that was written is folded."""

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from deploy.local.kafka import KafkaCluster, KafkaNode
from schemas.codec import decoder
from tests.faults.netns import Cable
from tests.faults.proxy import Proxy
from tests.live.audit import Audit
from tests.live.flows import Flow
from tests.live.harness import records
from tests.live.stand import Stand
from tests.live.toy import Reminded
from tests.live.toy import topics as toy_topics
from tests.waiting import until

RECOVERED_S = 240.0
TAKEN_OVER_S = 60.0
_reminded = decoder(Reminded)


@dataclass
class Trial:
    """What a strike works with; it counts each time that it really struck."""

    stand: Stand
    kafka: KafkaCluster
    draw: random.Random
    times: int
    """How often it shall strike."""
    proxy: Proxy | None = None
    cable: Cable | None = None
    struck: int = 0
    recovered_s: list[float] = field(default_factory=list)
    """From a strike (or the end of one that lasts) until everything written before was folded."""

    def recovers(self) -> None:
        """Wait until all that is written by now is folded."""
        began = time.monotonic()
        wanted = until(self.stand.written, RECOVERED_S, what="Kafka says what is written")

        def reached() -> bool:
            self.stand.restart_those_that_left()
            folded = self.stand.folded()
            return all(folded.get(place, -1) >= end for place, end in wanted.items() if end)

        until(reached, RECOVERED_S, every=0.1, what="what was written is folded")
        self.recovered_s.append(time.monotonic() - began)

    def partitions_of(self, places: list[tuple[str, int]]) -> int:
        """How many partitions these workers have in hand together."""
        found: set[str] = set()
        for place in places:
            try:
                found |= self.stand.workers[place].quiesced()["positions"].keys()
            except (OSError, AssertionError):
                continue
        return len(found)

    def controller(self) -> KafkaNode:
        """The node that became the active controller last."""
        said = {_activated(node): node for node in self.kafka.nodes if node.alive}
        return said[max(said)]


def _activated(node: KafkaNode) -> str:
    lines = [line for line in node.tail(100_000).splitlines() if "Performing controller activation" in line]
    return lines[-1][:23] if lines else ""


class Row(NamedTuple):
    """A fault: how it strikes, how often, on what."""

    name: str
    strike: Callable[[Trial], None]
    times: int
    brokers: int = 1
    workers: int = 2
    flow: str = "toy"
    proxied: bool = False
    cabled: bool = False
    """Whether there is a network of its own for a worker; brokers are reached through the proxy then."""
    static: bool = False
    small_disk: bool = False
    """Whether the brokers are on a disk that can be filled."""
    fits: Callable[[], str] = lambda: ""
    """Why it cannot be done on this machine; empty where it can."""


class Outcome(NamedTuple):
    """What a row came to; `void` where it did not strike as often as it should have."""

    row: str
    struck: int
    wanted: int
    audit: Audit
    settled: bool
    latest_s: float | None
    """The latest firing after its due instant, where wall time says so."""
    recovered_s: float | None
    """The longest recovery."""
    seconds: float
    why: str = ""
    """Why it could not be done."""
    error: str = ""
    """What ended it before its audit."""

    @property
    def verdict(self) -> str:
        if self.error:
            return f"ENDED EARLY: {self.error}"
        if self.why:
            return f"void: {self.why}"
        if self.struck < self.wanted:
            return f"void: struck {self.struck} of {self.wanted} times"
        if not self.settled:
            return "NOT SETTLED"
        return "holds" if self.audit.clean else "BROKEN"


def latest_firing(bootstrap: str, prefix: str) -> float:
    """Seconds after its due instant at which the latest wake of the toy was written."""
    told = (_reminded(message.value()) for message in records(bootstrap, toy_topics(prefix).reminders))
    return max(((each.now_at - each.due_at) / 1000 for each in told), default=0.0)


def together(audits: dict[str, Audit]) -> Audit:
    """The audits of all stages as one."""
    whole = Audit()
    for each in audits.values():
        whole.inputs += each.inputs
        whole.outputs += each.outputs
        whole.states += each.states
        whole.lost += each.lost
        whole.repeated += each.repeated
        whole.wrong += each.wrong
        whole.states_wrong += each.states_wrong
        whole.uncommitted_repeats += each.uncommitted_repeats
    return whole


def as_json(outcome: Outcome) -> str:
    audit = outcome.audit
    found = {
        "row": outcome.row, "verdict": outcome.verdict, "struck": outcome.struck, "inputs": audit.inputs,
        "lost": len(audit.lost), "repeated": len(audit.repeated), "wrong": len(audit.wrong),
        "states_wrong": len(audit.states_wrong), "aborted": audit.uncommitted_repeats,
        "latest_s": outcome.latest_s, "recovered_s": outcome.recovered_s, "seconds": round(outcome.seconds, 1),
    }  # fmt: skip
    return json.dumps(found)


def flow_of_points(flow: Flow, prefix: str) -> Flow:
    """The toy with workers that can be told to die at a point."""
    return replace(flow, workers={"toy": ("tests.faults.points", prefix)})
