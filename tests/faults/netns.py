"""A network of its own for a worker, on a cable that can be cut: packets are lost in silence, nobody is told.

`python -m tests.faults.netns NAME MODULE ...` runs a module in the namespace of that name. Needs root and `ip`.
"""

import os
import shutil
import subprocess
import sys
from types import TracebackType
from typing import Final, Self

HERE: Final = "10.213.77.1"
"""This machine's end of the cable; the brokers are reached here from both sides."""
THERE: Final = "10.213.77.2"
PREFIX: Final = 30


class Cable:
    """`with Cable() as cable`: a namespace and the pair of devices that join it to this machine, gone afterwards."""

    def __init__(self) -> None:
        self.name = f"nivaran-{os.getpid()}"
        # a device's name has at most 15 characters
        self._near, self._far = f"nvn{os.getpid()}", f"nvf{os.getpid()}"

    def __enter__(self) -> Self:
        _ip("netns", "add", self.name)
        try:
            _ip("link", "add", self._near, "type", "veth", "peer", "name", self._far, "netns", self.name)
            _ip("address", "add", f"{HERE}/{PREFIX}", "dev", self._near)
            _ip("link", "set", self._near, "up")
            for words in (
                ("address", "add", f"{THERE}/{PREFIX}", "dev", self._far),
                ("link", "set", self._far, "up"),
                ("link", "set", "lo", "up"),
            ):
                _ip("-netns", self.name, *words)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # the pair goes with the namespace of one of its ends, once no process is left in there
        subprocess.run(["ip", "link", "delete", self._near], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "delete", self.name], capture_output=True, check=False)

    def cut(self) -> None:
        _ip("link", "set", self._near, "down")

    def mend(self) -> None:
        _ip("link", "set", self._near, "up")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], capture_output=True, check=True)


def no_netns() -> str:
    """Why there can be none on this machine; empty where there can."""
    if os.geteuid() != 0:
        return "only root can make a network namespace"
    if shutil.which("ip") is None:
        return "no ip (Debian package iproute2)"
    try:
        with Cable():
            return ""
    except subprocess.CalledProcessError as error:
        return f"no network namespaces here: {error.stderr.decode().strip()}"


if __name__ == "__main__":
    os.execvp("ip", ["ip", "netns", "exec", sys.argv[1], sys.executable, "-m", *sys.argv[2:]])
