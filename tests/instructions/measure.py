"""Counts instructions with valgrind's cachegrind: the same for the same program and input, however busy the machine."""

import os
import platform
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

FIGURES: Final = Path(__file__).parent / "figures.json"
TOLERANCE: Final = 0.1
"""Of the figure that is kept, either way."""
ROOT: Final = Path(__file__).parents[2]
_SUM: Final = re.compile(r"==(\d+)== I +refs: +([\d,]+)")


class Figure(Struct, frozen=True):
    """`instructions`: of the fold alone; `records`: that it wrote and folded."""

    instructions: int
    records: int

    @property
    def each(self) -> float:
        return self.instructions / self.records

    def against(self, kept: "Figure") -> float:
        """How much more or less a record takes, as a share of what it took."""
        return self.each / kept.each - 1


def build() -> str:
    """What a figure holds for: the same source takes other instructions in another Python, or one built otherwise."""
    optimised = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
    version = ".".join(platform.python_version_tuple()[:2])
    return f"{platform.python_implementation()} {version} {platform.machine()}{' optimised' if optimised else ''}"


def figures() -> dict[str, Figure]:
    """By build."""
    return msgspec.json.decode(FIGURES.read_bytes(), type=dict[str, Figure])


def write(figure: Figure) -> None:
    kept = {**(figures() if FIGURES.exists() else {}), build(): figure}
    FIGURES.write_bytes(msgspec.json.format(msgspec.json.encode(kept, order="sorted"), indent=2) + b"\n")


def measure() -> Figure:
    """What the fold takes; raises RuntimeError with the reason where it fails."""
    said, sums = _counted("tests.instructions.fold")
    if len(sums) != 2:
        raise RuntimeError(f"a parent and a child were to be counted, not {len(sums)} processes")
    return Figure(max(sums.values()) - min(sums.values()), int(said))


def parts() -> dict[str, float]:
    """Instructions a command by part of the case stage's work, see `parts.py`; raises RuntimeError."""
    said, sums = _counted("tests.instructions.parts")
    *children, (parent, commands) = (line.split() for line in said.splitlines())
    found = {part: (sums[child] - sums[parent]) / int(commands) for child, part in children}
    beside = found.pop("nothing")
    return {part: each - beside for part, each in found.items()}


def _counted(module: str) -> tuple[str, dict[str, int]]:
    """What the program said, and the instructions of each of its processes by id."""
    command = [
        "valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null",
        sys.executable, "-m", module,
    ]  # fmt: skip
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{module} could not be counted:\n{done.stderr[-2000:]}")
    return done.stdout, {process: int(each.replace(",", "")) for process, each in _SUM.findall(done.stderr)}
