"""The export of spans over OTLP: beside the work, and never in its way.

A thread takes what has ended out of a bounded queue, and sends it at once, so that a process that is killed takes little with
it; what ends while a request is under way goes together into the next one. What the other side does not take in time is dropped
and counted.
"""

import asyncio
import logging
import os
import queue
import socket
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

import structlog

from shared.metrics import SPANS_DROPPED
from shared.settings import CommonSettings
from shared.tracing.spans import Span, recording_with

MOST_WAITING = 2048
"""Spans that wait for their export; further ones are dropped."""

MOST_AT_ONCE = 256
PAUSE_SECONDS = 0.05
"""Between two requests, so that what comes in a row goes together."""

CLOSE_SECONDS = 2.0
"""How long the end of a process may wait for its last spans."""


class Exporter(Protocol):
    """Sends spans; called in the thread of the recorder only."""

    def export(self, spans: Sequence[Span]) -> bool:
        """Send some; returns whether they have arrived. May take its time."""

    def close(self) -> None:
        """Stop sending."""


class QueueRecorder:
    """Takes spans and has them exported by a thread.

    Args:
        ratio: share of the traces that are recorded, 0 to 1.

    Attributes:
        dropped: how many spans were not exported.
    """

    def __init__(self, exporter: Exporter, *, ratio: float = 1.0, pause: float = PAUSE_SECONDS) -> None:
        self.ratio = ratio
        self.dropped = 0
        self._exporter = exporter
        self._pause = pause
        self._waiting: queue.Queue[Span | None] = queue.Queue(MOST_WAITING)
        self._failing = False
        self._closing = threading.Event()
        # A daemon, so that one that hangs in the export does not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
        self._thread.start()

    def record(self, span: Span) -> None:
        """Take a span that has ended."""
        try:
            self._waiting.put_nowait(span)
        except queue.Full:
            self._drop(1)

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Export what waits, for so many seconds at most. Blocks."""
        self._closing.set()
        # Wakes the thread, which waits only where the queue is empty.
        with suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(seconds)
        self._exporter.close()

    def _run(self) -> None:
        while not (self._closing.is_set() and self._waiting.empty()):
            if batch := self._next_batch():
                self._export(batch)
                self._closing.wait(self._pause)

    def _next_batch(self) -> list[Span]:
        batch: list[Span] = []
        span = self._waiting.get()
        with suppress(queue.Empty):
            while span and len(batch) < MOST_AT_ONCE - 1:
                batch.append(span)
                span = self._waiting.get_nowait()
            return [*batch, span] if span else batch
        return batch

    def _export(self, batch: list[Span]) -> None:
        try:
            arrived = self._exporter.export(batch)
        except Exception as error:
            arrived = False
            structlog.get_logger().debug("spans not exported", error=repr(error))
        if not arrived:
            self._drop(len(batch))
        if arrived == self._failing:
            self._failing = not arrived
            log = structlog.get_logger()
            if self._failing:
                log.warning("traces not exported", dropped=self.dropped)
            else:
                log.info("traces are exported again", dropped=self.dropped)

    def _drop(self, spans: int) -> None:
        self.dropped += spans
        SPANS_DROPPED.inc(spans)


@asynccontextmanager
async def traces(settings: CommonSettings) -> AsyncIterator[None]:
    """Record spans while the block lasts, if an endpoint is set."""
    endpoint = settings.otlp_endpoint
    if not endpoint:
        yield
        return
    # Loading OpenTelemetry takes longer than an event loop should stand still.
    exporter = await asyncio.to_thread(_otlp_exporter, settings.service, endpoint.get_secret_value())
    recorder = QueueRecorder(exporter, ratio=settings.trace_ratio)
    try:
        with recording_with(recorder):
            yield
    finally:
        await asyncio.to_thread(recorder.close)


def _otlp_exporter(service: str, endpoint: str) -> Exporter:
    from shared.tracing.otlp import OtlpExporter

    # It writes a line for each failure; ours are enough.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    attributes: dict[str, Any] = {
        "service.namespace": "millrace",
        "service.name": service,
        "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
    }
    return OtlpExporter(endpoint, attributes)
