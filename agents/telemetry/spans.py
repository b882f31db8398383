"""Spans for a collector, where somebody asked for them: what each process did with a record of a sampled trace.

Trace context is passed on unchanged, whether spans are written or not: records are the same with and without. So all
spans of a complaint hang below the request that began it, in order of time.
"""

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from agents.runtime.ports import Received
from agents.settings import Settings, SettingsError
from agents.telemetry.trace import TRACEPARENT, VALID

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

Kind = Literal["server", "producer", "consumer", "client"]
NS: Final = 1_000_000_000
WITHOUT: Final = "NIVARAN_TRACING: otlp needs the extra `tracing` (pip install 'nivaran[tracing]')"


class Spans:
    """Writes spans through OpenTelemetry's SDK; durations in seconds, ending now."""

    def __init__(self, service: str, exporter: "SpanExporter", *, at_once: bool = False) -> None:
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an optional extra
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor  # noqa: PLC0415

        self._ids = _ids()
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": service, "service.namespace": "nivaran"}),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(SimpleSpanProcessor(exporter) if at_once else BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("nivaran")

    def root(self, context: str, name: str, took: float, kind: Kind = "server") -> None:
        """The span that a context which began here names as parent of all that follows."""
        found = VALID.fullmatch(context)
        if found is not None and _sampled(found[3]):
            self._ids.preset(int(found[1], 16), int(found[2], 16))
            self._write(name, kind, None, took, {})

    def below(self, context: str | None, name: str, kind: Kind, took: float, about: Mapping[str, Any]) -> None:
        """A span below the one a context names; nothing where there is none, or it is not sampled."""
        found = VALID.fullmatch(context or "")
        if found is not None and _sampled(found[3]):
            self._write(name, kind, _parent(found[1], found[2], found[3]), took, about)

    def took(self, part: str, records: Iterable[Received], took: float) -> None:
        """A span for each sampled record that a part has processed."""
        for record in records:
            context = next((value for name, value in record.headers if name == TRACEPARENT), None)
            if context is not None:
                self.below(context.decode("ascii", "replace"), f"process {record.topic}", "consumer", took, {
                    "messaging.system.name": "kafka",
                    "messaging.operation.name": "process",
                    "messaging.destination.name": record.topic,
                    "messaging.destination.partition.id": str(record.partition),
                    "messaging.kafka.offset": record.offset,
                    "nivaran.part": part,
                })  # fmt: skip

    def close(self) -> None:
        """Send what waits."""
        self._provider.shutdown()

    def _write(self, name: str, kind: Kind, parent: Any, took: float, about: Mapping[str, Any]) -> None:
        from opentelemetry.context import Context  # noqa: PLC0415
        from opentelemetry.trace import SpanKind  # noqa: PLC0415

        now = time.time_ns()
        span = self._tracer.start_span(
            name,
            context=Context() if parent is None else parent,
            kind=SpanKind[kind.upper()],
            attributes=dict(about),
            start_time=now - int(took * NS),
        )
        span.end(now)


def _sampled(flags: str) -> bool:
    return bool(int(flags, 16) & 1)


def _parent(trace: str, span: str, flags: str) -> Any:
    from opentelemetry.trace import (  # noqa: PLC0415
        NonRecordingSpan,
        SpanContext,
        TraceFlags,
        set_span_in_context,
    )

    context = SpanContext(int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
    return set_span_in_context(NonRecordingSpan(context))


def _ids() -> Any:
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator  # noqa: PLC0415

    class Ids(RandomIdGenerator):
        """Random, but for a root whose ids are in records already."""

        def __init__(self) -> None:
            self._preset: tuple[int, int] | None = None

        def preset(self, trace: int, span: int) -> None:
            self._preset = trace, span

        def generate_trace_id(self) -> int:
            return super().generate_trace_id() if self._preset is None else self._preset[0]

        def generate_span_id(self) -> int:
            preset, self._preset = self._preset, None
            return super().generate_span_id() if preset is None else preset[1]

    return Ids()


def spans_of(settings: Settings, service: str) -> Spans | None:
    """What `settings.tracing` asks for; raises SettingsError when it cannot be had."""
    match settings.tracing:
        case "off":
            return None
        case "otlp":
            try:
                from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
            except ImportError:
                raise SettingsError(WITHOUT) from None
            return Spans(service, OTLPSpanExporter(endpoint=f"{settings.tracing_url.rstrip('/')}/v1/traces"))
