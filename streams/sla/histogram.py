"""A fixed logarithmic histogram of ages: merges and subtracts exactly, and answers quantiles to within one percent."""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Final

Histogram = dict[int, int]
"""Bucket -> how many; no zero entries."""

RELATIVE_ERROR: Final = 0.01
"""Most by which a quantile may differ from the exact one, as a share of it. Ages below 100 ms are exact."""
_LONGEST_MS: Final = 253_402_300_800_000


def _edges() -> tuple[int, ...]:
    # integers only: the same buckets on every machine, which a logarithm of the C library does not promise
    edges = [0]
    while edges[-1] < _LONGEST_MS:
        edges.append(max(edges[-1] + 1, edges[-1] * 102 // 100))
    return tuple(edges)


_EDGES: Final = _edges()


def bucket(age_ms: int) -> int:
    """The bucket of an age in milliseconds, 0 or more: bucket i holds the ages from edge i up to edge i + 1."""
    return bisect_right(_EDGES, age_ms) - 1


def middle(index: int) -> float:
    """The age, in ms, that stands for a bucket: no age in it is further away than RELATIVE_ERROR."""
    low, high = _EDGES[index], _EDGES[index + 1] - 1
    return float(low) if low == high else 2 * low * high / (low + high)


def merge(*histograms: Mapping[int, int]) -> Histogram:
    """The sum; a histogram of differences may hold negative entries."""
    total: Histogram = {}
    for histogram in histograms:
        for index, count in histogram.items():
            total[index] = total.get(index, 0) + count
    return {index: count for index, count in total.items() if count}


def negated(histogram: Mapping[int, int]) -> Histogram:
    """To subtract by `merge`."""
    return {index: -count for index, count in histogram.items()}


def quantile(histogram: Mapping[int, int], q: float) -> float | None:
    """The smallest age, in ms, that at least the share `q` of all do not exceed (nearest rank); None when empty."""
    total = sum(histogram.values())
    if total <= 0:
        return None
    rank = max(1, -(-round(q * 1_000_000) * total // 1_000_000))
    for index in sorted(histogram):
        rank -= histogram[index]
        if rank <= 0:
            return middle(index)
    return None
