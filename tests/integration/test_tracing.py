"""Spans of work that is taken from a real bus, and what events say of them."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import structlog
from nats.aio.client import Client

from shared import events as ev
from shared.bus.joblog import JobLog
from shared.bus.topology import JOBS, provision
from shared.errors import PermanentError, TransientError
from shared.ids import new_job_id
from shared.tracing.context import TraceContext, read_context
from shared.tracing.otlp import OtlpExporter
from shared.tracing.recorder import MOST_WAITING, QueueRecorder
from shared.tracing.spans import Span, entered, recording_with, span
from tests.support.bus import until
from tests.support.otlp import OtlpReceiver
from tests.support.samples import ORG, created, transcoded
from tests.support.servers import NatsServer
from tests.support.spans import KeptSpans
from tests.support.working import Attempts, failure, settled, worker


@pytest.fixture
async def kept(client: Client, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KeptSpans]:
    monkeypatch.setattr("shared.bus.settle.RETRY_DELAYS", (0.05,) * 4)
    await provision(client.jetstream(), lease_seconds=2)
    recorder = KeptSpans()
    with recording_with(recorder):
        yield recorder


async def _context(client: Client, job: str, token: str) -> TraceContext:
    message = await client.jetstream().get_last_msg(JOBS, f"jobs.{ORG}.{job}.{token}")
    found = read_context(message.headers)
    assert found
    return found


async def _request_part(log: JobLog) -> str:
    job = new_job_id()
    with span("POST", "server"):
        await log.append(created(job))
        await log.append(ev.PartRequested(org=ORG, job=job, part="v0000"))
    return job


async def test_tries_are_siblings_and_what_they_publish_names_the_one_that_settles(
    nats_server_of_module: NatsServer, client: Client, log: JobLog, kept: KeptSpans
) -> None:
    job = await _request_part(log)

    async def act(attempt: int) -> None:
        if attempt == 1:
            await log.append(transcoded(job, "v0000"))
            raise TransientError("encode_failed", "https://secret.example.com")

    async with worker(nats_server_of_module, Attempts(act)):
        await until(lambda: settled(client))
        await until(_several(kept, 2))
    first, second = kept.of_work()
    (posted,) = [span for span in kept.spans if span.kind == "server"]
    assert first.parent == second.parent == posted.context
    assert (first.attributes["millrace.outcome"], first.error) == ("tried_again", "encode_failed")
    assert (second.attributes["millrace.outcome"], second.error) == ("done", None)
    assert first.context != second.context
    assert await _context(client, job, "part_transcoded.v0000") == second.context
    assert second.attributes["millrace.delivery"] == 2
    assert second.attributes["messaging.destination.template"] == "jobs.{organization}.{job}.part_requested.{part}"
    assert "secret" not in str(kept.spans)


async def test_the_span_of_work_that_is_given_up_has_the_code_of_the_job(
    nats_server_of_module: NatsServer, client: Client, log: JobLog, kept: KeptSpans
) -> None:
    job = await _request_part(log)

    async def act(_attempt: int) -> None:
        raise PermanentError("input_empty", "0 bytes")

    async with worker(nats_server_of_module, Attempts(act)):
        await until(lambda: failure(log, job))
        await until(_several(kept, 1))
    (tried,) = kept.of_work()
    assert (tried.attributes["millrace.outcome"], tried.error) == ("failed", "input_empty")
    assert await _context(client, job, "end.failed") == tried.context


async def test_events_stay_in_the_trace_of_their_job_whoever_publishes_them(
    client: Client, log: JobLog, kept: KeptSpans
) -> None:
    job = await _request_part(log)
    (posted,) = kept.spans
    # Admission and such, which have no span of their own.
    await log.append(ev.Admitted(org=ORG, job=job))
    assert await _context(client, job, "admitted") == posted.context
    with span("DELETE", "server"):
        await log.append(ev.Cancelled(org=ORG, job=job))
    assert await _context(client, job, "end.cancelled") == posted.context
    assert kept.spans[-1].links == [posted.context]
    assert await log.trace_of(ORG, job) == posted.context


async def test_a_service_that_records_nothing_passes_the_trace_on(
    nats_server_of_module: NatsServer, client: Client, log: JobLog
) -> None:
    asked, job = TraceContext.root(), new_job_id()
    with entered(Span("POST", "server", asked, parent=asked, recorded=False)):
        await log.append(created(job))
    await log.append(ev.PartRequested(org=ORG, job=job, part="v0000"))

    async def act(_attempt: int) -> None:
        await log.append(transcoded(job, "v0000"))

    async with worker(nats_server_of_module, Attempts(act)):
        await until(lambda: settled(client))
    assert await _context(client, job, "part_transcoded.v0000") == asked


def _several(kept: KeptSpans, count: int) -> Callable[[], Awaitable[bool]]:
    async def enough() -> bool:
        return len(kept.of_work()) >= count

    return enough


async def test_a_collector_that_hangs_or_refuses_costs_spans_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")
    count = 3 * MOST_WAITING
    with OtlpReceiver() as collector, structlog.testing.capture_logs() as lines:
        collector.hold.set()
        recorder = QueueRecorder(OtlpExporter(collector.url, {"service.name": "test"}), pause=0)
        for number in range(count):
            recorder.record(Span("x", "internal", TraceContext(1, number + 1), ended=1))
        assert recorder.dropped >= count - 2 * MOST_WAITING
        await asyncio.to_thread(_until, lambda: bool(lines))
        collector.hold.clear()
        # What had not been given up meanwhile arrives, and what comes from now on.
        recorder.record(Span("last", "internal", TraceContext(2, 1), ended=1))
        await collector.wait_for(lambda spans: any(span.name == "last" for span in spans), "the last one")
        collector.status = 503
        recorder.record(Span("refused", "internal", TraceContext(3, 1), ended=1))
        await asyncio.to_thread(recorder.close, 20)
    # A request that was given up may have arrived all the same.
    assert recorder.dropped + len({span.id for span in collector.spans} | {"last"}) >= count
    assert "refused" not in {span.name for span in collector.spans}
    told = [line["event"] for line in lines if line["log_level"] in ("warning", "info")]
    assert told == ["traces not exported", "traces are exported again", "traces not exported"]


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_nothing_of_the_sdk_is_loaded_where_no_endpoint_is_set() -> None:
    program = "import sys, shared.worker; print([n for n in sys.modules if n.startswith(('opentelemetry.sdk', 'opentelemetry.exporter', 'google.protobuf'))])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
