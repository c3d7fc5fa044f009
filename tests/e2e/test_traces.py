"""The trace of a job, read back from a collector: one, and whole, from the request to the webhooks."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace

import aiohttp
import pytest

from shared.tracing.context import TraceContext, read_context
from stack.client import Client
from tests.support.jobs import Api, long_clip
from tests.support.observe import eventually, job_events
from tests.support.otlp import OtlpReceiver, SpanSeen
from tests.support.receiver import WebhookReceiver
from tests.support.sources import source_server
from tests.support.stack import RunningStack, running_stack

POSTED = "POST /api/v1/{org}/transcoding_jobs/"
FETCHED = "process jobs.{organization}.{job}.admitted"
PART = "process jobs.{organization}.{job}.part_requested.{part}"
UPLOADED = "process jobs.{organization}.{job}.part_transcoded.{part}"
TOLD = "process webhooks.attempt.{organization}.{job}.{webhook}.{status}"


def _event(token: str) -> str:
    return f"process jobs.{{organization}}.{{job}}.{token}"


PARENTS = {
    _event("created"): {POSTED},
    FETCHED: {POSTED},
    _event("started"): {FETCHED},
    PART: {FETCHED, UPLOADED},
    UPLOADED: {PART},
    _event("end.completed"): {UPLOADED},
    # The attempts of a status are put in line by what announces it, or by an attempt before.
    TOLD: {_event("created"), _event("started"), _event("end.completed"), TOLD},
    "download": {FETCHED},
    "plan": {FETCHED},
    "ffmpeg": {PART},
    "finish": {UPLOADED},
    "POST": {TOLD},
}
"""Of each kind of span in a job's trace, what may be the parent."""


@pytest.fixture(scope="module")
def collector() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def traced(collector: OtlpReceiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    settings = {"MILLRACE_OTLP_ENDPOINT": collector.url, "MILLRACE_TRANSCODER_SLOTS": "1"}
    with running_stack(tmp_path_factory.mktemp("traced"), transcoders=1, env=settings) as stack:
        yield stack


async def _post(stack: RunningStack, path: str, body: object, context: TraceContext | None = None) -> dict[str, object]:
    headers = {"Authorization": f"Token {stack.env['API_TOKEN']}"}
    if context:
        headers |= context.headers
    url = f"{stack.env['API_URL']}/api/v1/{stack.env['ORG_ID']}/transcoding_jobs/{path}"
    async with aiohttp.ClientSession(headers=headers) as http, http.post(url, json=body) as response:
        assert response.status == 201, await response.text()
        found = await response.json()
        assert isinstance(found, dict)
        return found


async def _with_hook(stack: RunningStack, receiver: WebhookReceiver) -> None:
    assert (await Api(stack.env).call("POST", "webhooks/", {"url": f"{receiver.url}/traced"}))[0] == 201


async def test_one_trace_from_the_request_to_the_webhooks_though_workers_were_killed(
    collector: OtlpReceiver, traced: RunningStack
) -> None:
    clip, asked = long_clip(), replace(TraceContext.root(), state="vendor=of@the,client=1")
    org, bus = traced.env["ORG_ID"], traced.env["NATS_URL"]
    async with WebhookReceiver() as receiver, source_server() as source, Client(traced.env) as client:
        await _with_hook(traced, receiver)
        body = {
            "input_url": source.host(clip.name, clip.read_bytes(), pause=0.01) + "?signature=verysecret",
            "output_path": client.location("traces/one/", with_keys=True),
            "resolutions": ["144p"],
        }
        job = str((await _post(traced, "", body, asked))["id"])

        await collector.wait_for(lambda spans: POSTED in _names(spans, asked), "the request")
        await eventually(lambda: source.sent(clip.name) > 500_000, "a part of the source is fetched")
        # What they have published in spans that nobody will ever see has its parent in the trace all the same.
        assert "started" in [event.token() for event in await job_events(bus, org, job)]
        former = [(victim, traced.kill(victim)) for victim in ("fetcher", "api")]
        for victim, process in former:
            await asyncio.to_thread(traced.wait_restarted, victim, process)
        await collector.wait_for(lambda spans: PART in _names(spans, asked), "a part", seconds=90)
        traced.kill("transcoder-1")
        await receiver.wait_for(1, seconds=120, where=lambda payload: payload.status == "completed")
        told = {payload.status: read_context(payload.headers) for payload in receiver.payloads}
    # What was told of a status is sent before the span around it.
    spans = await collector.wait_for(
        lambda spans: (
            {_event("end.completed"), "finish"} <= _names(spans, asked)
            and all(context and context.span_hex in {span.id for span in spans} for context in told.values())
            and not _orphans([span for span in spans if span.trace == asked.trace_hex])
        ),
        "the end of the job, what its webhooks were told, and the parent of every span",
        seconds=60,
    )
    spans = [span for span in spans if span.trace == asked.trace_hex]
    assert set(told) == {"queued", "transcoding", "completed"}
    assert {(context.trace_hex, context.state) for context in told.values() if context} == {
        (asked.trace_hex, asked.state)
    }
    assert {span.state for span in spans} == {asked.state}
    _is_whole(spans, asked)
    assert _names(spans, asked) == {POSTED, *PARENTS}
    # Each part is encoded and uploaded in the trace, and what was begun anew has not become a second one.
    events = await job_events(bus, org, job)
    parts = {event.token().partition(".")[2] for event in events if event.token().startswith("part_transcoded")}
    for name in (PART, UPLOADED):
        done = [span for span in spans if span.name == name and span.attributes["millrace.outcome"] == "done"]
        assert {str(span.attributes["millrace.part"]) for span in done} == parts
    again = {span.name for span in spans if span.attributes.get("millrace.delivery", 1) != 1}
    assert {FETCHED, PART} <= again, "nothing was killed in the middle"
    assert {span.service for span in spans} == {"api", "fetcher", "transcoder", "uploader", "notifier"}
    shown = str(spans)
    assert "verysecret" not in shown
    assert "http:" not in shown
    assert traced.env["S3_SECRET_KEY"] not in shown
    assert {span.attributes.get("millrace.job", job) for span in spans} == {job}
    # Whoever has a line of a log finds the trace.
    assert f'"trace_id": "{asked.trace_hex}"' in traced.log("transcoder-1")


async def test_a_failed_job_says_why_and_its_retry_is_linked(collector: OtlpReceiver, traced: RunningStack) -> None:
    first, second = TraceContext.root(), TraceContext.root()
    async with source_server() as source, Client(traced.env) as client:
        body = {
            "input_url": source.host("broken.mp4", b"no film" * 1000),
            "output_path": client.location("traces/two/", with_keys=True),
            "resolutions": ["240p"],
        }
        job = str((await _post(traced, "", body, first))["id"])
        async for _ in client.follow(job):
            pass
        again = {"input_url": body["input_url"], "output_path": body["output_path"]}
        retried = await _post(traced, f"{job}/retry/", again, second)
        assert retried["retry_of"] == job
    failed = await collector.wait_for(lambda spans: bool(_failed(spans, first)), "the failure")
    (span,) = _failed(failed, first)
    assert span.name == FETCHED
    assert span.attributes["error.type"] == (await client_error(traced, job))
    name = "POST /api/v1/{org}/transcoding_jobs/{job}/retry/"
    linked = await collector.wait_for(lambda spans: name in _names(spans, second), "the retry")
    (retry,) = [span for span in linked if span.name == name and span.trace == second.trace_hex]
    assert [link.partition("-")[0] for link in retry.links] == [first.trace_hex]
    assert retry.links[0].partition("-")[2] in {span.id for span in collector.of(first.trace_hex)}


async def client_error(stack: RunningStack, job: str) -> str:
    return str((await Api(stack.env).call("GET", f"transcoding_jobs/{job}/"))[1]["error_code"])


def _names(spans: Sequence[SpanSeen], trace: TraceContext) -> set[str]:
    return {span.name for span in spans if span.trace == trace.trace_hex}


def _failed(spans: Sequence[SpanSeen], trace: TraceContext) -> list[SpanSeen]:
    return [span for span in spans if span.trace == trace.trace_hex and span.error and span.kind == "consumer"]


def _orphans(spans: Sequence[SpanSeen]) -> list[SpanSeen]:
    ids = {span.id for span in spans}
    return [span for span in spans if span.parent not in ids and span.name != POSTED]


def _is_whole(spans: Sequence[SpanSeen], asked: TraceContext) -> None:
    """Every span has its parent in the trace, of the right kind; only that of the client is elsewhere."""
    by_id = {span.id: span for span in spans}
    assert len(by_id) == len(spans), "two spans with one id"
    for span in spans:
        if span.name == POSTED:
            assert span.parent == asked.span_hex
            continue
        assert span.parent in by_id, f"the parent of {span.name} is nowhere"
        parent = by_id[span.parent]
        assert parent.name in PARENTS[span.name], f"{span.name} within {parent.name}"
