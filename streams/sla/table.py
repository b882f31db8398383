"""The SLA table: what windows say of a unit, summed over final results and revisions, rolled up, and as shares."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from schemas.sla import Grain, Measure, SlaWindow
from streams.sla.histogram import Histogram, quantile

K = TypeVar("K")


class Cell(NamedTuple):
    """One window of one unit."""

    system: str
    district: int
    department: str
    level: int
    grain: Grain
    start_at: int


class Line:
    """Sums over any set of windows. Shares are None where nothing was counted that they could be a share of."""

    __slots__ = ("counts", "disposal_ms", "disposals", "finals", "histogram", "open_change")

    def __init__(self) -> None:
        self.counts: dict[Measure, int] = {}
        self.disposals = 0
        self.disposal_ms = 0
        self.histogram: Histogram = {}
        self.open_change = 0
        self.finals = 0
        """How many final results are in it; a single window has exactly one, or none before it closes."""

    def add(self, window: SlaWindow) -> None:
        histogram = {int(index): count for index, count in window.histogram.items()}
        self._sum(window.counts, window.disposals, window.disposal_ms, histogram, window.open_change)
        self.finals += window.result == "final"

    def join(self, other: "Line") -> None:
        self._sum(other.counts, other.disposals, other.disposal_ms, other.histogram, other.open_change)
        self.finals += other.finals

    def _sum(
        self, counts: Mapping[Measure, int], disposals: int, disposal_ms: int, histogram: Histogram, open_change: int
    ) -> None:
        for measure, count in counts.items():
            self.counts[measure] = self.counts.get(measure, 0) + count
        for index, count in histogram.items():
            self.histogram[index] = self.histogram.get(index, 0) + count
        self.disposals += disposals
        self.disposal_ms += disposal_ms
        self.open_change += open_change

    def __getitem__(self, measure: Measure) -> int:
        return self.counts.get(measure, 0)

    def quantile_ms(self, q: float) -> float | None:
        """Age at disposal that the share `q` of disposals does not exceed, ms, to within one percent."""
        return quantile(self.histogram, q)

    @property
    def mean_disposal_ms(self) -> float | None:
        """Mean age at disposal, ms, exact."""
        return _share(self.disposal_ms, self.disposals)

    @property
    def satisfied_share(self) -> float | None:
        """Satisfied of verified, as published (docs/sources.md, S38): the unreachable count on neither side."""
        return _share(self["satisfied"], self["verified"])

    @property
    def in_time_share(self) -> float | None:
        """Disposals, of all disposals and due instants let pass (the definition is ours).

        A case disposed at the last level after its due instant stands on both sides: it was disposed, and it was late.
        """
        return _share(self["disposed"], self["disposed"] + self["defaulters"])


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def fold(windows: Iterable[SlaWindow]) -> dict[Cell, Line]:
    """Final results and revisions added up, per unit and window; their order does not matter."""
    table: defaultdict[Cell, Line] = defaultdict(Line)
    for window in windows:
        table[cell(window)].add(window)
    return dict(table)


def cell(window: SlaWindow) -> Cell:
    return Cell(window.system, window.district, window.department, window.level, window.grain, window.start_at)


def roll_up(table: Mapping[Cell, Line], by: Callable[[Cell], K | None]) -> dict[K, Line]:
    """Sum the lines for which `by` names the same key; those for which it says None stay out.

    Windows of different grains tell the same facts: `by` lets one grain through.
    """
    rolled: defaultdict[K, Line] = defaultdict(Line)
    for each, line in table.items():
        key = by(each)
        if key is not None:
            rolled[key].join(line)
    return dict(rolled)


def pendency(table: Mapping[Cell, Line], grain: Grain) -> Iterator[tuple[Cell, int]]:
    """Cases pending at each unit at the end of each of its windows of `grain`, in order of time."""
    open_now: defaultdict[tuple[str, int, str, int], int] = defaultdict(int)
    for each in sorted((each for each in table if each.grain == grain), key=lambda each: each.start_at):
        open_now[each[:4]] += table[each].open_change
        yield each, open_now[each[:4]]
