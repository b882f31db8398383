"""Where tests keep their files: in memory, where the machine has room there for all of them."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

MEMORY: Final = Path("/dev/shm")
NEEDED: Final = 4 << 30
"""Bytes free: several deployments at a time, a few hundred megabytes each."""


def scratch(memory: Path = MEMORY, needed: int = NEEDED) -> Path | None:
    """Return the folder for temporary files; None: the machine's own.

    Kafka asks the disk to be sure of each partition that it creates, and tests create some ten thousand: on a disk that
    is half of a broker's CPU. A process that is killed finds its files again in memory as on a disk.
    """
    if "TMPDIR" in os.environ:
        return None  # somebody has decided
    try:
        return memory if shutil.disk_usage(memory).free >= needed and _runs_programs(memory) else None
    except OSError:
        return None


def _runs_programs(folder: Path) -> bool:
    """Tests write programs and run them; containers mount their shared memory so that none can be."""
    return not os.statvfs(folder).f_flag & os.ST_NOEXEC and os.access(folder, os.W_OK | os.X_OK)


def use_scratch() -> None:
    """Make it the folder of this process and of all that it starts."""
    folder = scratch()
    if folder is not None:
        os.environ["TMPDIR"] = str(folder)
        tempfile.tempdir = None  # looked up anew
