"""The one error of the embedded services: what went wrong and what to do about it."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class LocalError(RuntimeError):
    """An embedded service cannot be had; the message names the cause and the remedy."""


_STORAGE = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file is larger than this user may write (see `ulimit -f`)",
    errno.EACCES: "this user may not write there",
    errno.EPERM: "this user may not write there",
    errno.EROFS: "the file system is read-only",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
}


def storage_fault(error: OSError, folder: Path, setting: str) -> LocalError | None:
    """Explain a failed write into `folder`, or answer nothing when `error` is not the storage's.

    `setting` is the environment variable that moves the folder elsewhere.
    """
    cause = _STORAGE.get(error.errno) if error.errno is not None else None
    if cause is None:
        return None
    return LocalError(f"cannot write to {folder}: {cause}. Make room there, or set {setting} to another folder.")
