"""A disk of limited size that a drill can fill, and give more room: a mounted tmpfs, hence for root alone."""

import os
import subprocess
from pathlib import Path
from typing import Final, Self

SIZE_MB: Final = 20
MORE_MB: Final = 80
MB: Final = 1 << 20


class Disk:
    """`with Disk(folder) as disk: disk.fill(0.7)`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    @staticmethod
    def possible() -> bool:
        return os.geteuid() == 0

    def fill(self, share: float) -> None:
        """Let this share of its first size be taken."""
        with self._ballast.open("wb") as sink:
            sink.write(b"\0" * int(SIZE_MB * MB * share))

    def grow(self) -> None:
        """More room, as an operator gives it to a volume."""
        self._mount("-o", f"remount,size={MORE_MB}m")

    def shrink(self) -> None:
        """As it was, and empty."""
        self._ballast.unlink(missing_ok=True)
        self._mount("-o", f"remount,size={SIZE_MB}m")

    def _mount(self, *options: str) -> None:
        subprocess.run(["mount", *options, str(self.folder)], check=True)

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        self._mount("-t", "tmpfs", "-o", f"size={SIZE_MB}m", "nivaran-drills")
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", str(self.folder)], check=True)
