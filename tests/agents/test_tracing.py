"""One trace from a citizen's request through every topic to the SMS gateway, with spans in memory and without any."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agents.gateway.log import Entry
from agents.runtime.effects import Effects
from agents.runtime.fold import Fold
from agents.runtime.metrics import Metrics, StageMeter
from agents.runtime.wakes import LaneWakes, Waker
from agents.runtime.window import Window
from agents.settings import Settings, SettingsError
from agents.sms.generic import HttpGateway
from agents.sms.sender import SmsSender
from agents.sms.settings import SmsSettings
from agents.telemetry.spans import Spans, spans_of
from agents.telemetry.trace import TRACEPARENT, trace_id
from schemas.codec import encode
from schemas.topics import CASE_COMMANDS, INTAKE_SUBMITTED, SMS_OUTBOX, SMS_REQUESTED
from streams.case.stage import CASE
from streams.intake.stage import INTAKE
from streams.sms.stage import SMS
from tests.agents.records import Raw
from tests.gateway.conftest import COMPLAINT, KEY, NOW, running
from tests.unit.test_telemetry import At

SAMPLED = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
NOT_SAMPLED = SAMPLED[:-1] + "0"


@pytest.fixture
def exported() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def spans(exported: InMemorySpanExporter) -> Iterator[Spans]:
    made = Spans("test", exported, at_once=True)
    yield made
    made.close()


async def submitted(spans: Spans | None, **headers: str) -> Entry:
    """What the gateway writes for a complaint."""
    async with running() as gateway:
        gateway.services.spans = spans
        status, _, _ = await gateway.post("/v1/complaints", COMPLAINT, **headers)
        assert status == 202
        [entry] = gateway.log.entries
        return entry


def folded(stage: Any, metrics: Metrics, records: list[Raw]) -> list[Raw]:
    batch = Fold(stage, "g")(0, records, {}.get, NOW)
    StageMeter(metrics, stage.name, At(NOW)).committed([(batch, records)], 0.001, 0.002)
    return [Raw(each.value, each.key, number, each.at, each.topic, 0, tuple(each.headers))
            for number, each in enumerate(batch.outputs)]  # fmt: skip


def through(entry: Entry, metrics: Metrics) -> dict[str, list[Raw]]:
    """Everything that follows from a submission up to the handover of its messages, by topic."""
    assert entry.traceparent is not None
    headers = ((TRACEPARENT, entry.traceparent.encode()),)
    first = Raw(encode(entry.value), entry.key.encode(), 0, NOW, INTAKE_SUBMITTED, 0, headers)
    written: dict[str, list[Raw]] = {INTAKE_SUBMITTED: [first]}
    for stage, reads in ((INTAKE, INTAKE_SUBMITTED), (CASE, CASE_COMMANDS), (SMS, SMS_REQUESTED)):
        for record in folded(stage, metrics, written[reads]):
            written.setdefault(record.topic, []).append(record)
    return written


async def test_every_record_and_the_call_of_the_sms_gateway_carry_the_trace(
    spans: Spans, exported: InMemorySpanExporter
) -> None:
    metrics = Metrics()
    metrics.spans = spans
    entry = await submitted(spans)
    written = through(entry, metrics)
    trace = trace_id((entry.traceparent or "").encode())
    assert trace is not None
    assert len(written) > 5
    for records in written.values():
        assert {trace_id(dict(record.headers)[TRACEPARENT]) for record in records} == {trace}

    asked: list[str] = []

    async def take(request: web.Request) -> web.Response:
        asked.append(request.headers[TRACEPARENT])
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/messages", take)
    async with TestServer(app) as server:
        settings = SmsSettings(contact_key=KEY, sms_url=str(server.make_url("/messages")), offices="sandbox")
        gateway = HttpGateway(settings.sms_url, timeout=5, bound=2)
        sender = SmsSender(settings, At(NOW), gateway)
        await sender.open()
        effects = Effects(sender, "g", settings, metrics, At(NOW))
        outcome = await effects._one(written[SMS_OUTBOX][0])
        await sender.close()
    assert asked == [entry.traceparent]
    assert dict(outcome.headers)[TRACEPARENT].decode() == entry.traceparent

    found = exported.get_finished_spans()
    assert {span.context.trace_id for span in found} == {int(trace, 16)}
    [root] = [span for span in found if span.parent is None]
    assert root.name == "POST /v1/complaints"
    assert {span.parent.span_id for span in found if span.parent is not None} == {root.context.span_id}
    names = {span.name for span in found}
    assert {f"send {INTAKE_SUBMITTED}", f"process {INTAKE_SUBMITTED}", f"process {CASE_COMMANDS}",
            f"process {SMS_REQUESTED}"} <= names  # fmt: skip
    for span in found:
        assert span.end_time >= span.start_time
        text = str(dict(span.attributes or {})) + span.name
        assert COMPLAINT["mobile"] not in text
        assert COMPLAINT["text"] not in text


async def test_a_callers_trace_goes_on_and_its_wish_not_to_be_sampled_holds(
    spans: Spans, exported: InMemorySpanExporter
) -> None:
    assert (await submitted(spans, traceparent=NOT_SAMPLED)).traceparent == NOT_SAMPLED
    assert exported.get_finished_spans() == ()
    assert (await submitted(spans, traceparent=SAMPLED)).traceparent == SAMPLED
    assert [span.name for span in exported.get_finished_spans()] == [f"send {INTAKE_SUBMITTED}"], (
        "the root is the caller's"
    )


async def test_records_are_the_same_with_spans_and_without(spans: Spans) -> None:
    entry = await submitted(None, traceparent=SAMPLED)
    plain, traced = Metrics(), Metrics()
    traced.spans = spans
    assert through(entry, plain) == through(entry, traced)


def test_it_is_off_unless_asked_for_and_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert spans_of(Settings(), "x") is None
    asked = spans_of(Settings(tracing="otlp", tracing_url="http://127.0.0.1:1"), "x")
    assert asked is not None
    asked.close()
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(SettingsError, match=r"nivaran\[tracing\]"):
        spans_of(Settings(tracing="otlp"), "x")


async def test_what_a_due_instant_begins_is_a_trace_of_its_own(spans: Spans, exported: InMemorySpanExporter) -> None:
    metrics = Metrics()
    metrics.spans = spans
    commands = through(await submitted(None), Metrics())[CASE_COMMANDS]
    fold = Fold(CASE, "g")
    registered = fold(0, commands, {}.get, NOW)
    states = {key: value for key, value in registered.changes if value is not None}
    [(due, key)] = registered.dues

    def woken(metrics: Metrics) -> Raw:
        """The wake that is written when its instant has come."""
        out: list[Raw] = []

        class Written:
            def produce(self, topic: str, value: bytes, key: bytes, partition: int, **more: Any) -> None:
                out.append(Raw(value, key, 1, more["timestamp"], topic, partition, tuple(more["headers"])))

            def poll(self, _: float) -> None: ...

        lane = LaneWakes(CASE_COMMANDS, 0, lambda key: fold.due(states[key]))
        lane.index.note(due, key)
        Waker("case", At(due + 500), cast("Any", Written()), metrics, Window(10, 1.0)).fire(lane)
        [wake] = out
        return wake

    wake = woken(metrics)
    context = dict(wake.headers)[TRACEPARENT]
    assert dict(woken(Metrics()).headers)[TRACEPARENT] == context, "the same, whoever writes it, with spans and without"
    trace = trace_id(context)
    assert trace is not None
    followed = fold(0, [wake], states.get, due).outputs
    assert followed
    assert {trace_id(dict(each.headers)[TRACEPARENT]) for each in followed} == {trace}
    StageMeter(metrics, "case", At(due)).committed([(registered, [wake])], 0.001, 0.002)
    root, below = exported.get_finished_spans()
    assert (root.name, root.parent, below.parent.span_id) == ("wake case", None, root.context.span_id)
