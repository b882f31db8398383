"""What the machine tells: CPU time and memory of a process, what the machine is, and how busy it is."""

import math
import os
import platform
import time
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean, median
from typing import Final, NamedTuple

from msgspec import Struct

TICKS: Final = os.sysconf("SC_CLK_TCK")
SPIN: Final = 2_000_000
"""Rounds of a fixed loop over integers: its time tells how much of a core a run had."""
USED: Final = (13, 14)
"""Places of user and system time in /proc/<pid>/stat, by threads that have ended too."""
AFTER_NAME: Final = 2
KB: Final = 1024
MIB: Final = 1 << 20


class Load(Struct, frozen=True):
    """How busy the machine was: load average of a minute, and milliseconds of CPU and of wall the fixed loop took."""

    average: float
    loop_cpu_ms: float
    loop_wall_ms: float


class Spread(Struct, frozen=True):
    """Median and range of a figure over runs."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        digits = 2 if self.median < 10 else 1 if self.median < 1000 else 0  # noqa: PLR2004 - three figures are enough
        return f"{self.median:,.{digits}f} [{self.least:,.{digits}f} .. {self.most:,.{digits}f}]"


class Machine(Struct, frozen=True):
    processor: str
    cores: int
    memory_gib: float
    system: str
    python: str


class Memory(NamedTuple):
    """Resident memory of a process, MiB: now, and at its most."""

    now: float
    most: float


def cpu_s(pid: int) -> float:
    """User and system time of all threads of a process so far; raises FileNotFoundError when there is none."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(fields[place - AFTER_NAME]) for place in USED) / TICKS


def memory(pid: int) -> Memory:
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    now, most = (int(lines[name].split()[0]) * KB / MIB for name in ("VmRSS", "VmHWM"))
    return Memory(now, most)


def load() -> Load:
    """As of now; takes a tenth of a second of CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    total = 0
    for number in range(SPIN):
        total += number & 7
    return Load(
        round(os.getloadavg()[0], 2),
        round((time.process_time() - cpu) * 1000, 1),
        round((time.perf_counter() - wall) * 1000, 1),
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of figures in order: the least that `share` of them do not exceed."""
    rank = math.ceil(round(share * len(ordered), 6))  # 0.99 of 100 is 99, not the next float
    return ordered[max(1, rank) - 1]


class Line(Struct, frozen=True):
    """A straight line through points: what stands at nothing, what each one more adds, and R2 of the fit."""

    at_zero: float
    slope: float
    fit: float


def fitted(points: Sequence[tuple[float, float]]) -> Line:
    """Least squares; of points that all stand at one place the slope is 0."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    mean_x, mean_y = fmean(xs), fmean(ys)
    along = sum((x - mean_x) ** 2 for x in xs)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / along if along else 0.0
    total = sum((y - mean_y) ** 2 for y in ys)
    left = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in points)
    return Line(mean_y - slope * mean_x, slope, 1 - left / total if total else 1.0)


def spread(figures: Sequence[float]) -> Spread:
    return Spread(median(figures), min(figures), max(figures))


def machine() -> Machine:
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        _processor(),
        os.cpu_count() or 1,
        round(memory_bytes / 2**30, 1),
        platform.platform(),
        platform.python_version(),
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def cores() -> tuple[int, int]:
    """Two cores this process may use: for the broker and who watches, and for what is measured; one if only one."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[1 % len(allowed)]


@contextmanager
def on_cores(wanted: AbstractSet[int]) -> Iterator[None]:
    """Let this thread, and the processes it starts meanwhile, run on these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, wanted)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
