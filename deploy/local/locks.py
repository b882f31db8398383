"""Locks that the kernel drops when their holder ends, however it ends."""

from __future__ import annotations

import fcntl
from typing import IO, TYPE_CHECKING, Final

from deploy.local.errors import LocalError, storage_fault

if TYPE_CHECKING:
    from pathlib import Path

LOCK: Final = "owner.lock"


def hold(path: Path) -> IO[bytes] | None:
    """Lock `path`, made when absent; answers nothing when another holds it. Close the file to let go.

    A process that inherits the open file holds the lock as well, until both have closed it.
    """
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    except BaseException:
        file.close()
        raise
    return file


def own(folder: Path, setting: str) -> IO[bytes]:
    """Make `folder` when absent and lock it for one run; raises LocalError when another has it or it takes no write.

    `setting` is the environment variable that moves the folder elsewhere.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = hold(folder / LOCK)
    except OSError as error:
        raise storage_fault(error, folder, setting) or error from error
    if lock is None:
        raise LocalError(f"{folder} is in use by another run. Wait for its end, or set {setting} to another folder.")
    return lock
