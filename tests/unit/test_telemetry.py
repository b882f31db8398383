"""Metrics: named by rule, each with help and unit; labels that can hold nobody; exemplars that lead to a trace."""

import re

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from agents.gateway.metrics import Metrics as GatewayMetrics
from agents.runtime.fold import Batch
from agents.runtime.metrics import Metrics, StageMeter
from agents.telemetry import families
from agents.telemetry.catalogue import CATALOGUE, SMS_CALLS
from agents.telemetry.families import MOST, OTHER, counters
from agents.telemetry.metric import Metric
from agents.telemetry.trace import begun, trace_id
from tests.agents.records import raw
from tests.live.toy import Add

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
BASE_UNITS = {"seconds", "bytes", "ratio"}
OTHERS_NAMES = "kafka_"
"""kafka_exporter's names are older than the rules."""
TRACE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


class At:
    """A clock that stands."""

    def __init__(self, now: int) -> None:
        self._now = now

    def now(self) -> int:
        return self._now

    def reached(self, due: int) -> int:
        return due

    def start(self) -> None: ...

    def stop(self) -> None: ...


@pytest.mark.parametrize("metric", CATALOGUE.values(), ids=CATALOGUE)
def test_every_metric_has_help_unit_and_a_name_by_the_rules(metric: Metric) -> None:
    assert len(metric.help.split()) > 2 or metric.help.endswith(".")
    assert metric.unit
    assert re.fullmatch(r"(nivaran|kafka)_[a-z0-9_]+", metric.name)
    if not metric.name.startswith(OTHERS_NAMES):
        assert (metric.kind == "counter") == metric.name.endswith("_total")
        bare = metric.name.removesuffix("_total")
        assert metric.unit not in BASE_UNITS or bare.endswith("_" + metric.unit)
        assert not re.search(r"_(ms|millis|milliseconds|minutes|percent|count|sum|bucket)$", bare)
    assert bool(metric.buckets) == (metric.kind == "histogram")
    assert list(metric.buckets) == sorted(set(metric.buckets))
    assert not {"le", "quantile", "job", "instance"} & set(metric.labels)


@pytest.mark.parametrize(("made", "process"), [(Metrics(), "worker"), (GatewayMetrics(), "gateway")])
def test_a_process_exports_what_the_catalogue_says_it_does(made: Metrics | GatewayMetrics, process: str) -> None:
    found = {family.name for family in made.registry.collect()}
    for name in found:
        if name.startswith("nivaran_"):
            metric = CATALOGUE.get(name) or CATALOGUE[name + "_total"]
            assert process in metric.by


@pytest.mark.parametrize(
    "value",
    ["9876543210", "+91 98765 43210", "109763405948883359", "call 9876543210", "मेरा नाम", "x" * 97, "", "a b"],
)
def test_no_label_holds_a_number_an_id_or_a_text(value: str) -> None:
    family = counters(SMS_CALLS)
    before = families.overflow.labels(SMS_CALLS.name)._value.get()
    family.labels(value).inc()
    samples = [sample for metric in family.collect() for sample in metric.samples]
    assert [sample.labels["outcome"] for sample in samples] == [OTHER]
    assert families.overflow.labels(SMS_CALLS.name)._value.get() == before + 1


def test_a_label_has_a_bounded_number_of_values() -> None:
    family = counters(SMS_CALLS)
    for number in range(MOST + 50):
        family.labels(f"v{number}").inc()
    samples = [sample for metric in family.collect() for sample in metric.samples]
    assert len(samples) == MOST + 1
    assert {sample.labels["outcome"]: sample.value for sample in samples}[OTHER] == 50


def test_a_committed_batch_is_counted_once_with_what_was_late_in_it() -> None:
    metrics = Metrics()
    records = [raw(Add(1, 0), offset=n, timestamp=at, headers=(("traceparent", TRACE.encode()),))
               for n, at in enumerate((1_000, 4_000, 9_000))]  # fmt: skip
    batch = Batch(records=3, timers={"toy.reminded": [100, 60_000]})
    batch.dead["invalid"] = 2
    StageMeter(metrics, "toy", At(60_200)).committed([(batch, records)], 0.00002, 0.01)
    StageMeter(metrics, "toy", At(9_500)).committed([(Batch(records=1), records[2:])], 0.00002, 0.01)

    body, content_type = metrics.exposition(OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text")
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }
    values = {name: sample.value for name, sample in samples.items()}
    assert values["nivaran_records_total", "toy"] == 4
    assert values["nivaran_late_records_total", "toy"] == 3
    assert values["nivaran_dead_letters_total", "invalid", "toy"] == 2
    assert values["nivaran_timers_total", "toy", "toy.reminded"] == 2
    assert values["nivaran_late_timers_total", "toy", "toy.reminded"] == 1
    assert values["nivaran_fold_seconds_bucket", "2.5e-05", "toy"] == 2
    marked = samples["nivaran_event_age_seconds_bucket", "60.0", "toy"].exemplar
    assert marked is not None
    assert marked.labels == {"trace_id": "a" * 32}
    assert b"traceparent" not in body

    text, plain = metrics.exposition(None)
    assert plain.startswith("text/plain")
    assert b"trace_id" not in text
    assert b"_created" not in text


@pytest.mark.parametrize("given", [None, "", "nonsense", "00-" + "0" * 32 + "-" + "b" * 16 + "-01"])
def test_a_trace_begins_where_the_caller_names_none(given: str | None) -> None:
    first, second = begun(given), begun(given)
    assert first != second
    assert trace_id(first.encode()) == first[3:35]
    assert begun(TRACE) == TRACE


@pytest.mark.parametrize("context", [None, b"", b"\xff" * 55, b"00-aa-bb-01", TRACE.upper().encode()])
def test_what_is_no_trace_context_leads_to_no_exemplar(context: bytes | None) -> None:
    assert trace_id(context) is None
