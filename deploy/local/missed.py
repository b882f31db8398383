"""After every broker of a cluster died at once, the controllers alone declare them dead before any comes back.

A broker that comes back while the cluster's metadata still name it as leader loads the transactions that were being
committed and begins to write their markers. Some seconds later it is missed, its partitions have no leader for a
moment, and brokers from 4.3.0 on (4.4.0 is no better) take a marker that finds no leader then for done: part of a
transaction stays open, and the next one of its producer decides what becomes of it (KAFKA-20734;
docs/decisions/0005). Where they have been missed before they start there is nothing to load until all have leaders.
They start sooner, too: a controller that takes one for alive refuses to register it again.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

from deploy.local.errors import LocalError
from deploy.local.process import ServerProcess, stop_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

METADATA: Final = "__cluster_metadata-0"
MISSED_AFTER: Final = {"broker.session.timeout.ms": "1000", "broker.heartbeat.interval.ms": "500"}
"""Nobody sends heartbeats while this lasts."""
_TIMEOUT_S: Final = 60.0
_STOP_TIMEOUT_S: Final = 20.0
_ACTIVE: Final = "Performing controller activation"
_REGISTRATION: Final = re.compile(r"Replayed .*(?:Register|RegistrationChange).*\(brokerId=(\d+),.* fenced=([^,)]+)")
_FENCED: Final = {"true": True, "false": False, "1": True, "-1": False}
"""What a record says of its broker; 0: nothing new."""
_BROKER_ONLY: Final = ("advertised.listeners", "inter.broker.listener.name")


def died(data: Path) -> bool:
    """Whether a broker ran on `data` and did not take its leave."""
    return any((data / METADATA).glob("*.log")) and not (data / ".kafka_cleanshutdown").exists()


def controller_alone(told: Mapping[str, str]) -> dict[str, str]:
    """Return the properties of a node that is controller only, from those of one that is both."""
    own = next(each for each in told["listeners"].split(",") if each.startswith("CONTROLLER:"))
    kept = {name: value for name, value in told.items() if name not in _BROKER_ONLY}
    return kept | {"process.roles": "controller", "listeners": own} | MISSED_AFTER


def let_be_missed(nodes: Mapping[int, tuple[Path, Sequence[str]]]) -> None:
    """Run the controllers of all `nodes` (by id: folder, command) until they take every broker for dead.

    Raises LocalError when they do not within a minute, or end.
    """
    controllers = [ServerProcess("controller", folder, command) for folder, command in nodes.values()]
    try:
        for controller in controllers:
            controller.start()
        _wait(controllers, lambda: all_missed([each.tail(10_000) for each in controllers]))
    finally:
        stop_all(controllers, _STOP_TIMEOUT_S)


def _wait(controllers: Sequence[ServerProcess], done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while not done():
        ended = next((each for each in controllers if not each.alive), None)
        if ended is not None or time.monotonic() > deadline:
            said = ended or controllers[0]
            what = "ended" if ended else f"took nobody for dead in {_TIMEOUT_S:.0f} s"
            raise LocalError(f"Kafka's controller {what}. Log: {said.log_file}\n{said.tail(15)}")
        time.sleep(0.05)


def all_missed(logs: Iterable[str]) -> bool:
    """Whether one that has become active knows no broker that is not fenced.

    It becomes active when it has read all that was written before. A broker that it has not read of by then died
    before it was registered: nobody misses it, and no partition names it.
    """
    return any(_ACTIVE in log and all(_fenced(log).values()) for log in logs)


def _fenced(log: str) -> dict[int, bool]:
    """By broker, the last word of its registration."""
    fenced: dict[int, bool] = {}
    for found in _REGISTRATION.finditer(log):
        word = _FENCED.get(found[2])
        if word is not None:
            fenced[int(found[1])] = word
    return fenced
