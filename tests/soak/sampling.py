"""What every process holds, every few seconds: memory, open files, states; and how far all of them are behind."""

import threading
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

from deploy.bench.meter import memory
from deploy.fleet import Fleet, FleetError

ASK_S: Final = 5.0


class Held(Struct, frozen=True):
    """One process at one instant. `states`: of its tables; None where it has none, or did not answer."""

    pid: int
    rss_mib: float
    files: int
    states: int | None = None


class Sample(Struct, frozen=True):
    """One look at everything, `after` seconds from the beginning; `lag` None: Kafka or a worker did not answer."""

    after: float
    lag: int | None
    processes: dict[str, Held]


class Sampler:
    """Looks in a thread of its own until told to end."""

    def __init__(self, fleet: Fleet, every_s: float) -> None:
        self._fleet, self._every_s = fleet, every_s
        self.samples: list[Sample] = []
        self._began = time.monotonic()
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def start(self) -> None:
        self._began = time.monotonic()
        self._thread.start()

    def end(self) -> None:
        self._enough.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._enough.wait(self._every_s):
            self.look()

    def look(self) -> None:
        fleet = self._fleet
        pids = {name: each.process.pid for name, each in fleet.services.items()}
        pids |= {f"broker-{node.node_id}": node.pid for node in fleet.kafka.nodes}
        pids |= {"redis": fleet.redis.process.pid}
        workers = {each.name: each.url for each in fleet.workers}
        held = {
            name: each
            for name, pid in pids.items()
            if pid is not None and (each := _held(pid, workers.get(name))) is not None
        }
        try:
            lag: int | None = fleet.lag()
        except FleetError:
            lag = None
        self.samples.append(Sample(round(time.monotonic() - self._began, 1), lag, held))


def _held(pid: int, url: str | None) -> Held | None:
    """None for one that has just ended."""
    with suppress(OSError, KeyError):
        files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        return Held(pid, round(memory(pid).now, 2), files, None if url is None else states(url))
    return None


def states(url: str) -> int | None:
    """All states in a worker's memory; None while it does not say."""
    with suppress(OSError, ValueError):
        with urllib.request.urlopen(f"{url}/metrics", timeout=ASK_S) as answer:
            families = text_string_to_metric_families(answer.read().decode())
        return round(
            sum(each.value for family in families if family.name == "nivaran_table_states" for each in family.samples)
        )
    return None
