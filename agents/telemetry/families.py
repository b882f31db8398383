"""Makes metrics of the catalogue, and keeps ids, numbers and free text out of their labels."""

import importlib.metadata
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client import Metric as Exported
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from agents.telemetry import catalogue
from agents.telemetry.metric import Metric

M = TypeVar("M", Counter, Gauge, Histogram)

disable_created_metrics()  # type: ignore[no-untyped-call] # they double the counters and nobody reads them

OTHER: Final = "other"
WORD: Final = re.compile(r"(?!.*\d{7})[A-Za-z0-9_./{}:+*-]{1,96}")
"""A label value: no spaces, and no run of digits long enough to be a telephone number, a case id or an Aadhaar."""
MOST: Final = 500
"""Values of one label of one metric."""
overflow: Final = Counter(
    catalogue.OVERFLOW.name, catalogue.OVERFLOW.help, catalogue.OVERFLOW.labels, registry=None
)  # fmt: skip


class Guard:
    """Lets plain words into the labels of one metric, `MOST` of them each.

    What is no plain word, or one too many, becomes `other`, and is counted in the overflow counter.
    """

    def __init__(self, metric: Metric) -> None:
        self._name = metric.name
        self._seen: list[set[str]] = [set() for _ in metric.labels]

    def __call__(self, values: Iterable[str]) -> tuple[str, ...]:
        return tuple(map(self._kept, self._seen, values))

    def _kept(self, seen: set[str], value: str) -> str:
        if value in seen:
            return value
        if len(seen) >= MOST or not WORD.fullmatch(value):
            overflow.labels(self._name).inc()
            return OTHER
        seen.add(value)
        return value


class Family(Generic[M]):
    """A metric with guarded labels: `family.labels("case")` is the child to count on."""

    def __init__(self, metric: Metric, made: M) -> None:
        self._made: M = made
        self._guard = Guard(metric)
        self._children: dict[tuple[str, ...], M] = {}

    def labels(self, *values: str) -> M:
        child = self._children.get(values)
        if child is None:
            kept = self._guard(values)
            child = self._made.labels(*kept)
            if kept == values:
                self._children[values] = child
        return child

    def collect(self) -> Iterable[Exported]:
        return self._made.collect()

    def describe(self) -> Iterable[Exported]:
        return self._made.describe()


Rows = Mapping[tuple[str, ...], float]
"""Label values -> value."""


class Snapshot:
    """Metrics whose values were looked up elsewhere: each look takes the place of the one before."""

    def __init__(self) -> None:
        self._shown: dict[Metric, Rows] = {}
        self._guards: dict[Metric, Guard] = {}

    def put(self, metric: Metric, rows: Rows) -> None:
        guard = self._guards.setdefault(metric, Guard(metric))
        kept: defaultdict[tuple[str, ...], float] = defaultdict(float)
        for values, value in rows.items():
            kept[guard(values)] += value
        self._shown = {**self._shown, metric: kept}  # a new one: a scrape may be reading the old

    def forget(self, metrics: Iterable[Metric]) -> None:
        """Show nothing rather than what was: a source does not answer."""
        gone = set(metrics)
        self._shown = {metric: rows for metric, rows in self._shown.items() if metric not in gone}

    def collect(self) -> Iterator[Exported]:
        for metric, rows in self._shown.items():
            kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            family = kind(metric.name, metric.help, labels=metric.labels)
            for values, value in rows.items():
                family.add_metric(values, value)
            yield family


def counter(metric: Metric) -> Counter:
    """A counter without labels, on no registry yet."""
    return Counter(metric.name, metric.help, registry=None)


def gauge(metric: Metric) -> Gauge:
    return Gauge(metric.name, metric.help, registry=None)


def histogram(metric: Metric) -> Histogram:
    return Histogram(metric.name, metric.help, buckets=metric.buckets, registry=None)


def counters(metric: Metric) -> Family[Counter]:
    """A counter with labels, on no registry yet."""
    return Family(metric, Counter(metric.name, metric.help, metric.labels, registry=None))


def gauges(metric: Metric) -> Family[Gauge]:
    return Family(metric, Gauge(metric.name, metric.help, metric.labels, registry=None))


def histograms(metric: Metric) -> Family[Histogram]:
    return Family(metric, Histogram(metric.name, metric.help, metric.labels, buckets=metric.buckets, registry=None))


def registry(*collectors: Collector) -> CollectorRegistry:
    """A process's registry: these metrics, its version, its CPU, memory and files."""
    made = CollectorRegistry()
    ProcessCollector(registry=made)
    build = gauges(catalogue.BUILD)
    build.labels(importlib.metadata.version("nivaran")).set(1)
    own: tuple[Collector, ...] = (build, overflow)
    for collector in (*own, *collectors):
        made.register(collector)
    return made
