"""Spans as OpenTelemetry has them, sent by its exporter over HTTP. Import it only where spans are exported."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import requests
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

from shared.tracing.context import TraceContext
from shared.tracing.spans import Span

_KINDS = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "consumer": SpanKind.CONSUMER,
}
_PATH = "/v1/traces"


class OtlpExporter:
    """Sends spans to a collector.

    Headers, certificates, compression and the time that a request may take are read from the environment as OpenTelemetry
    has it: ``OTEL_EXPORTER_OTLP_HEADERS`` and so on.

    Args:
        endpoint: of OTLP over HTTP; ``/v1/traces`` is added unless it stands there.
        attributes: of the process.
    """

    def __init__(self, endpoint: str, attributes: dict[str, Any]) -> None:
        session = requests.Session()
        # No client of Millrace uses proxies of the environment.
        session.trust_env = False
        self._exporter = OTLPSpanExporter(traces_url(endpoint), session=session)
        self._ids = _GivenIds()
        self._ended = _Ended()
        provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource.create(attributes),
            shutdown_on_exit=False,
            id_generator=self._ids,
        )
        provider.add_span_processor(self._ended)
        self._tracer = provider.get_tracer("millrace")

    def export(self, spans: Sequence[Span]) -> bool:
        """Send some; blocks until they have arrived, or the time for that is over."""
        for span in spans:
            self._translate(span)
        ended, self._ended.spans = self._ended.spans, []
        return self._exporter.export(ended) is SpanExportResult.SUCCESS

    def close(self) -> None:
        """Stop sending; an export under way is not repeated."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def _translate(self, span: Span) -> None:
        self._ids.given = span.context
        parent = trace.set_span_in_context(NonRecordingSpan(_context(span.parent))) if span.parent else None
        made = self._tracer.start_span(
            span.name,
            context=parent or trace.set_span_in_context(trace.INVALID_SPAN),
            kind=_KINDS[span.kind],
            attributes=span.attributes | ({"error.type": span.error} if span.error else {}),
            links=[Link(_context(link)) for link in span.links],
            start_time=span.begun,
        )
        if span.error:
            made.set_status(Status(StatusCode.ERROR, span.error))
        made.end(span.ended)


def traces_url(endpoint: str) -> str:
    """Where spans are sent to, from the address of a collector."""
    parts = urlsplit(endpoint)
    path = parts.path.rstrip("/")
    return parts._replace(path=path if path.endswith(_PATH) else path + _PATH).geturl()


class _GivenIds(IdGenerator):
    """The ids that our spans have already."""

    given = TraceContext(1, 1)

    def generate_span_id(self) -> int:
        return self.given.span_id

    def generate_trace_id(self) -> int:
        return self.given.trace_id


class _Ended(SpanProcessor):
    """Collects what is translated."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


def _context(context: TraceContext) -> SpanContext:
    flags, state = TraceFlags(int(context.sampled)), TraceState.from_header([context.state])
    return SpanContext(context.trace_id, context.span_id, is_remote=True, trace_flags=flags, trace_state=state)
