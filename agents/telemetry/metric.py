"""What a metric is: name, kind, unit, meaning, labels, buckets; and the buckets in use."""

from typing import Final, Literal, NamedTuple

Kind = Literal["counter", "gauge", "histogram"]
Process = Literal["worker", "gateway", "exporter", "webhooks"]

FAST: Final = (
    0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
    0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
)  # fmt: skip
"""Seconds, for pure work: a fold of one record takes some ten microseconds."""
WAITS: Final = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Seconds, for what waits on a network; 1, 2.5 and 5 are edges of objectives."""
AGES: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21_600, 86_400)
"""Seconds, for delays that are hours when something has stood still; 5 and 60 are edges of objectives."""
SIZES: Final = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)


class Metric(NamedTuple):
    """A metric as it is exported."""

    name: str
    kind: Kind
    unit: str
    """A base unit, the name's own ending where it is seconds, bytes or a ratio; of counters, what is counted."""
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    by: tuple[Process, ...] = ("worker",)


def count(name: str, unit: str, about: str, *labels: str, by: Process = "worker") -> Metric:
    """A counter."""
    return Metric(name, "counter", unit, about, labels, by=(by,))


def level(name: str, unit: str, about: str, *labels: str, by: Process = "worker") -> Metric:
    """A gauge."""
    return Metric(name, "gauge", unit, about, labels, by=(by,))


def spread(
    name: str, unit: str, about: str, buckets: tuple[float, ...], *labels: str, by: Process = "worker"
) -> Metric:
    """A histogram over `buckets`, their upper edges."""
    return Metric(name, "histogram", unit, about, labels, buckets, by=(by,))
