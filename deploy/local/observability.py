"""Exporter, Prometheus and Alertmanager beside the local Kafka and Redis: started once, found again, stopped."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final

import msgspec

from deploy.local.errors import LocalError
from deploy.local.ports import LOOPBACK, PortLease
from deploy.local.process import ServerProcess, stop_all
from deploy.local.watch import PORTS, PROGRAMS, Watch, serves, wait_serving

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

EVERY_S: Final = 5
STOP_S: Final = 20.0
NAMES: Final = ("exporter", *PROGRAMS)


class WatchStatus(msgspec.Struct, frozen=True):
    """`up` is true when all three serve; addresses are empty when nothing was ever started here."""

    up: bool = False
    exporter: str = ""
    prometheus: str = ""
    alertmanager: str = ""


class LocalWatch:
    """The watch over what `nivaran local` runs, in `home/observability`."""

    def __init__(self, home: Path) -> None:
        self.folder = home.resolve() / "observability"

    def up(self, kafka: str, redis: str, scrape: Iterable[str]) -> WatchStatus:
        """Bring up what does not run. `scrape`: `JOB=HOST:PORT`, kept between runs. Raises LocalError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._targets(scrape)
        found = self.status()
        if found.up:
            return found
        self.down()
        lease = PortLease(1, PORTS)
        exporter = self._process("exporter", kafka, redis, lease)
        watch = Watch(
            self.folder, {"nivaran-exporter": [f"{LOOPBACK}:{lease.ports[0]}"]}, every=EVERY_S, detached=True
        )  # fmt: skip
        made = WatchStatus(False, f"http://{LOOPBACK}:{lease.ports[0]}", watch.prometheus, watch.alertmanager)
        # before the start: should we be killed during it, the next call finds what we began
        self._state.write_bytes(msgspec.json.encode(made))
        try:
            exporter.start()
            watch.start()
            wait_serving(exporter, f"{made.exporter}/healthz")
        except BaseException:
            exporter.stop()
            raise
        finally:
            lease.release()
        return self.status()

    def down(self) -> bool:
        """Stop what runs, keep its data; answers whether anything ran."""
        return stop_all([ServerProcess(name, self.folder / name, ()) for name in NAMES], STOP_S)

    def status(self) -> WatchStatus:
        """Look, without changing anything."""
        try:
            kept = msgspec.json.decode(self._state.read_bytes(), type=WatchStatus)
        except (FileNotFoundError, msgspec.DecodeError):
            return WatchStatus()
        alive = all(ServerProcess(name, self.folder / name, ()).alive for name in NAMES)
        answers = (f"{kept.exporter}/healthz", f"{kept.prometheus}/-/ready", f"{kept.alertmanager}/-/ready")
        return msgspec.structs.replace(kept, up=alive and all(map(serves, answers)))

    @property
    def _state(self) -> Path:
        return self.folder / "state.json"

    def _process(self, name: str, kafka: str, redis: str, lease: PortLease) -> ServerProcess:
        folder = self.folder / name
        # known again by its folder in the command line
        command = (sys.executable, "-X", f"watch={folder}", "-m", "deploy.cli", name, "--port", str(lease.ports[0]))
        environ = {"NIVARAN_KAFKA": kafka, "NIVARAN_REDIS_URL": redis, "NIVARAN_DATA_DIR": str(folder)}
        return ServerProcess(name, folder, command, detached=True, environ=environ, inherit=lease.fds)

    def _targets(self, scrape: Iterable[str]) -> None:
        entries = []
        for each in scrape:
            job, _, address = each.partition("=")
            host, _, port = address.rpartition(":")
            if not (job and host and port.isdecimal()):
                raise LocalError(f"--scrape {each}: write JOB=HOST:PORT, as in worker=127.0.0.1:8081")
            entries.append({"targets": [address], "labels": {"job": f"nivaran-{job}"}})
        if entries:
            folder = self.folder / "targets"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "told.json").write_text(json.dumps(entries, indent=2))
