"""A collector of traces for tests: it takes what OTLP sends over HTTP, and shows it as what it means.

with OtlpReceiver() as receiver:               # receiver.url is for MILLRACE_OTLP_ENDPOINT
    spans = await receiver.wait_for(lambda spans: len(spans) >= 3, "three spans")
"""

import asyncio
import gzip
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status


@dataclass(frozen=True)
class SpanSeen:
    """A span as it arrived. Ids are hex digits; ``parent`` is empty for a root."""

    service: str
    name: str
    kind: str
    trace: str
    state: str
    id: str
    parent: str
    links: tuple[str, ...]
    attributes: dict[str, object]
    error: bool
    begun: int
    ended: int

    @property
    def work(self) -> str:
        """The last word of its name."""
        return self.name.rpartition(".")[2]


class OtlpReceiver:
    """Listens on a free loopback port while the block lasts, in a thread of its own.

    Attributes:
        spans: what has arrived.
        hold: while it is set, requests are left without an answer.
        status: what requests are answered.
        requests: how many came.
    """

    def __init__(self) -> None:
        self.spans: list[SpanSeen] = []
        self.hold = threading.Event()
        self.status = 200
        self.requests = 0
        self._over = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.requests += 1
                body = self.rfile.read(int(self.headers["Content-Length"]))
                while outer.hold.is_set() and not outer._over.wait(0.02):
                    pass
                if outer.status == 200:
                    if self.headers.get("Content-Encoding") == "gzip":
                        body = gzip.decompress(body)
                    assert self.path == "/v1/traces", self.path
                    outer.spans += spans_in(body)
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def of(self, trace: str) -> list[SpanSeen]:
        """The spans of a trace."""
        return [span for span in self.spans if span.trace == trace]

    async def wait_for(
        self, condition: Callable[[Sequence[SpanSeen]], bool], what: str, *, seconds: float = 30
    ) -> list[SpanSeen]:
        """All spans, as soon as a condition holds of them.

        Raises:
            AssertionError: it does not within the time.
        """
        deadline = time.monotonic() + seconds
        while not condition(list(self.spans)):
            seen = sorted(f"{span.service}: {span.name}" for span in self.spans)
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}; there are {seen}"
            await asyncio.sleep(0.05)
        return list(self.spans)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()


def spans_in(body: bytes) -> list[SpanSeen]:
    """The spans of a request's body."""
    request = ExportTraceServiceRequest.FromString(body)
    return [
        _seen(str(_values(resource.resource.attributes)["service.name"]), span)
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _seen(service: str, span: Span) -> SpanSeen:
    return SpanSeen(
        service=service,
        name=span.name,
        kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        trace=span.trace_id.hex(),
        state=span.trace_state,
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        links=tuple(f"{link.trace_id.hex()}-{link.span_id.hex()}" for link in span.links),
        attributes=_values(span.attributes),
        error=span.status.code == Status.STATUS_CODE_ERROR,
        begun=span.start_time_unix_nano,
        ended=span.end_time_unix_nano,
    )


def _values(attributes: Sequence[KeyValue]) -> dict[str, object]:
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in attributes}
