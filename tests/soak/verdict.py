"""Whether a run holds: nothing behind in the end, the audit clean, memory and files flat but for what tables hold."""

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from msgspec import Struct

from tests.soak.sampling import Held, Sample

WARM_S: Final = 120.0
"""Of each process's life: it imports, restores its tables, and its allocator finds its size."""
LEAST_S: Final = 600.0
"""Shorter lives, warm-up apart, say nothing of a leak."""
BYTES_PER_STATE: Final = 1200
"""At most: a case takes 553 in memory (docs/benchmarks.md); and a dict that grows holds its old self as well."""
SLACK_MIB: Final = 24.0
"""Growth that no state explains, over a judged life: heaps breathe."""
SLACK_FILES: Final = 16
MIB: Final = 1 << 20
OF_WORKERS: Final = ("intake", "case", "sla", "sms", "officers", "board", "gateway")
"""Judged; a broker's heap is the Java machine's affair, Redis and the sandbox keep what they are told."""


class Growth(Struct, frozen=True):
    """The longest life of a process, from the end of its warm-up on, by least squares."""

    process: str
    seconds: float
    rss_mib: float
    """In the end."""
    grown_mib: float
    states: int
    """By which its tables grew."""
    explained_mib: float
    """By them, at the most."""
    files: float
    """By which open files grew."""

    @property
    def leaks(self) -> bool:
        return self.grown_mib - self.explained_mib > SLACK_MIB or self.files > SLACK_FILES


class Verdict(Struct, frozen=True):
    lag: int | None
    audit: dict[str, int]
    """Check -> how much of it is wrong."""
    lost: dict[str, int]
    """Topic -> records that were acknowledged and are not in it, or are in it twice."""
    growth: list[Growth]
    unjudged: list[str]
    """Processes none of whose lives was long enough."""
    faults: list[str]
    """What ended the run, the load or the strikes before their time."""

    @property
    def problems(self) -> list[str]:
        found = list(self.faults)
        if self.lag != 0:
            found.append(f"the lag did not come back to zero: {self.lag}")
        found += [f"audit: {wrong} wrong of {check}" for check, wrong in self.audit.items() if wrong]
        found += [f"{topic}: {count} records lost (negative: too many)" for topic, count in self.lost.items() if count]
        for each in self.growth:
            if each.leaks:
                grown = f"{each.grown_mib:.0f} MiB and {each.files:.0f} files in {each.seconds:.0f} s"
                found.append(f"{each.process} grew by {grown}, of which tables explain {each.explained_mib:.0f} MiB")
        return found


def growths(samples: Sequence[Sample]) -> tuple[list[Growth], list[str]]:
    """Each judged process's growth, and those that cannot be judged."""
    names = sorted({name for sample in samples for name in sample.processes if _judged(name)})
    found, unjudged = [], []
    for name in names:
        lives = [_warm(list(life)) for _, life in groupby(_looks(samples, name), key=lambda look: look[1].pid)]
        longest = max(lives, key=_seconds, default=[])
        if _seconds(longest) >= LEAST_S:
            found.append(_growth(name, longest))
        else:
            unjudged.append(name)
    return found, unjudged


Look = tuple[float, Held]


def _judged(name: str) -> bool:
    head, _, number = name.rpartition("-")
    return (head if number.isdigit() else name) in OF_WORKERS


def _looks(samples: Sequence[Sample], name: str) -> list[Look]:
    return [(each.after, each.processes[name]) for each in samples if name in each.processes]


def _warm(life: list[Look]) -> list[Look]:
    return [look for look in life if look[0] >= life[0][0] + WARM_S]


def _seconds(life: list[Look]) -> float:
    return life[-1][0] - life[0][0] if life else 0.0


def _growth(name: str, life: list[Look]) -> Growth:
    at = [after for after, _ in life]
    seconds = _seconds(life)
    known = [(after, held.states) for after, held in life if held.states is not None]
    states = slope([after for after, _ in known], [count for _, count in known]) * seconds
    return Growth(
        process=name,
        seconds=seconds,
        rss_mib=life[-1][1].rss_mib,
        grown_mib=round(slope(at, [held.rss_mib for _, held in life]) * seconds, 1),
        states=round(states),
        explained_mib=round(max(0.0, states) * BYTES_PER_STATE / MIB, 1),
        files=round(slope(at, [held.files for _, held in life]) * seconds, 1),
    )


def slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Of the least-squares line; 0 where there are too few points for one."""
    if len(xs) < 2:
        return 0.0
    middle, level = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - middle) ** 2 for x in xs)
    return sum((x - middle) * (y - level) for x, y in zip(xs, ys, strict=True)) / spread if spread else 0.0
