"""Kafka and Redis that stay up for people: started once, kept between runs, found again, stopped on request."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import msgspec

from deploy.local.errors import LocalError, storage_fault
from deploy.local.kafka import KafkaCluster, brokers_seen
from deploy.local.locks import own
from deploy.local.paths import HOME_SETTING, local_home
from deploy.local.ports import LOOPBACK
from deploy.local.process import ServerProcess, stop_all
from deploy.local.redis import RedisServer, answers
from deploy.local.state import StackState, read_state, write_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_STOP_TIMEOUT_S = 20.0


class ServerStatus(msgspec.Struct, frozen=True):
    name: str
    pid: int | None
    """Nothing when it does not run."""
    address: str
    log: str


class StackStatus(msgspec.Struct, frozen=True):
    """`up` is true when every server runs; addresses are empty when nothing was ever started here."""

    up: bool
    kafka: str
    redis: str
    home: str
    servers: tuple[ServerStatus, ...]


class LocalStack:
    """Kafka and Redis in `home`, which belongs to them alone (default: `local_home()`)."""

    def __init__(self, home: Path | None = None) -> None:
        self.home = (home or local_home()).resolve()

    def up(
        self, *, brokers: int | None = None, fresh: bool = False, tell: Callable[[str], None] = lambda _: None
    ) -> StackStatus:
        """Bring up whatever does not run; do nothing when all does.

        `brokers`: 1 or 3; default: as many as the kept data has, else 1. `fresh`: stop and wipe first.
        Raises LocalError; then nothing is left running.
        """
        with self._alone():
            if fresh:
                self._stop()
                self._wipe()
            kept = self._kept()
            if kept and brokers not in (None, kept.brokers):
                raise LocalError(
                    f"{self.home} holds the data of {kept.brokers} broker(s), not {brokers}. "
                    f"`--fresh` wipes it; `--brokers {kept.brokers}` goes on with it."
                )
            found = self.status()
            if not found.up:
                self._stop()  # what a killed run or a broken server left: the whole is started again, or nothing
                self._start(kept, brokers or 1, tell)
                found = self.status()
        return found

    def down(self) -> bool:
        """Stop what runs, keep the data; answers whether anything ran."""
        with self._alone():
            return self._stop()

    def status(self) -> StackStatus:
        """Look, without changing anything; a server that runs and does not serve is not up."""
        kept = self._kept()
        if kept is None:
            return StackStatus(up=False, kafka="", redis="", home=str(self.home), servers=())
        clients = kept.kafka_ports[::2]
        servers = tuple(_described(*pair) for pair in zip(self._processes(), (*clients, kept.redis_port), strict=False))
        redis = f"redis://{LOOPBACK}:{kept.redis_port}/0"
        running = len(servers) == kept.brokers + 1 and all(server.pid for server in servers)
        return StackStatus(
            up=running and answers(redis) and all(brokers_seen(port) == kept.brokers for port in clients),
            kafka=",".join(f"{LOOPBACK}:{port}" for port in clients),
            redis=redis,
            home=str(self.home),
            servers=servers,
        )

    def _start(self, kept: StackState | None, brokers: int, tell: Callable[[str], None]) -> None:
        with ExitStack() as undo:
            kafka = KafkaCluster(
                self._kafka,
                brokers=kept.brokers if kept else brokers,
                keep=True,
                detached=True,
                first_ports=kept.kafka_ports if kept else (),
                tell=tell,
            )
            undo.callback(kafka.stop)
            redis = RedisServer(self._redis, keep=True, detached=True, first_ports=(kept.redis_port,) if kept else ())
            undo.callback(redis.stop)
            # before the start: should we be killed during it, the next call finds what we began
            write_state(self._state_file, StackState(len(kafka.nodes), kafka.ports, redis.port))
            redis.start()
            kafka.start()
            undo.pop_all()

    def _stop(self) -> bool:
        return stop_all(tuple(self._processes()), _STOP_TIMEOUT_S)

    def _wipe(self) -> None:
        self._state_file.unlink(missing_ok=True)
        for folder in (self._kafka, self._redis):
            if folder.exists():
                shutil.rmtree(folder)

    def _processes(self) -> list[ServerProcess]:
        """Whatever was started here, brokers first: found by its folders, so that a lost state file hides nothing."""
        nodes = sorted(self._kafka.glob("node*"))
        return [
            *(ServerProcess("kafka", node, ()) for node in nodes),
            *([ServerProcess("redis", self._redis, ())] if self._redis.exists() else []),
        ]

    def _kept(self) -> StackState | None:
        try:
            return read_state(self._state_file)
        except OSError as error:
            raise storage_fault(error, self.home, HOME_SETTING) or error from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = own(self.home, HOME_SETTING)
        try:
            yield
        except OSError as error:
            raise storage_fault(error, self.home, HOME_SETTING) or error from error
        finally:
            lock.close()

    @property
    def _state_file(self) -> Path:
        return self.home / "state.json"

    @property
    def _kafka(self) -> Path:
        return self.home / "kafka"

    @property
    def _redis(self) -> Path:
        return self.home / "redis"


def _described(process: ServerProcess, port: int) -> ServerStatus:
    return ServerStatus(
        name=process.name if process.name == "redis" else f"{process.name} {process.folder.name.removeprefix('node')}",
        pid=process.pid,
        address=f"{LOOPBACK}:{port}",
        log=str(process.log_file),
    )
