"""Ports of 127.0.0.1, leased: one given to a server stays that server's even while the server is down."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from deploy.local.errors import LocalError
from deploy.local.locks import hold

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LOOPBACK = "127.0.0.1"
KAFKA_PORTS = range(23092, 23292)
REDIS_PORTS = range(26379, 26479)


class PortLease:
    """Ports held by a lock file each.

    A killed broker's port is free until the broker is back; without the lock another run would take it meanwhile.
    Pass `fds` to a server that must outlive this process: it then carries the lease on.
    """

    def __init__(self, count: int, among: Sequence[int], *, first_try: Iterable[int] = ()) -> None:
        """Lease `count` ports, those of `first_try` before the others; raises LocalError when too few are free."""
        self._held: dict[int, IO[bytes]] = {}
        for port in (*first_try, *among):
            if len(self._held) == count:
                break
            if port not in self._held and (lock := _lease(port)):
                self._held[port] = lock
        if len(self._held) < count:
            self.release()
            raise LocalError(
                f"{count} free ports are needed between {among[0]} and {among[-1]} on {LOOPBACK}, and fewer are free. "
                "`ss -ltnp` shows who listens; end what is not needed (`nivaran local down`)."
            )

    @property
    def ports(self) -> tuple[int, ...]:
        return tuple(self._held)

    @property
    def fds(self) -> tuple[int, ...]:
        return tuple(lock.fileno() for lock in self._held.values())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        for lock in self._held.values():
            lock.close()
        self._held.clear()


def _lease(port: int) -> IO[bytes] | None:
    lock = hold(_folder() / str(port))
    if lock is not None and not _free(port):
        lock.close()
        return None
    return lock


def _free(port: int) -> bool:
    with socket.socket() as probe:
        # as servers do: a port whose last connections are still in TIME_WAIT counts as free
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"nivaran-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
