"""Tries are used up by failures alone, counted by their kind: not by restarts of workers, nor by a bus that is away."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import structlog
from nats.aio.client import Client
from nats.errors import NoRespondersError
from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError

from shared import events as ev
from shared.bus.errors import BusUnavailable
from shared.bus.joblog import JobLog
from shared.bus.settle import MAX_DELIVERIES, Settlement
from shared.bus.topology import ATTEMPTS_BUCKET, JOBS, TRANSCODER
from shared.errors import PermanentError, Postponed, TransientError
from shared.ids import new_job_id
from tests.support.bus import provisioned, tell, until
from tests.support.samples import ORG, created, transcoded
from tests.support.servers import NatsServer
from tests.support.working import (
    Attempts,
    begun,
    dead,
    deliveries,
    failure,
    forever,
    request_part,
    settled,
    worker,
)

LEASE = 2.0


@pytest.fixture
async def server(nats_server_of_module: NatsServer) -> NatsServer:
    return nats_server_of_module


@pytest.fixture
async def client(server: NatsServer) -> AsyncIterator[Client]:
    async with provisioned(server, lease_seconds=LEASE) as client:
        yield client


@pytest.fixture(autouse=True)
def _short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.bus.settle.RETRY_DELAYS", (0.1,) * 4)


@pytest.fixture(autouse=True)
def _captured_logs() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


async def entries(client: Client) -> int:
    """How many messages have something told of them."""
    info = await client.jetstream().stream_info(f"KV_{ATTEMPTS_BUCKET}")
    return info.state.messages


async def writes(client: Client) -> int:
    """How often anything was written to the bucket of attempts since it was made."""
    info = await client.jetstream().stream_info(f"KV_{ATTEMPTS_BUCKET}")
    return info.state.last_seq


async def counted(client: Client, kind: str) -> int:
    """How many ends of a kind are told of the newest message that has an entry."""
    try:
        message = await client.jetstream().get_last_msg(f"KV_{ATTEMPTS_BUCKET}", f"$KV.{ATTEMPTS_BUCKET}.>")
    except NotFoundError:
        return 0
    found = f'"{kind}":'.encode()
    return int((message.data or b"").partition(found)[2].split(b"}")[0].split(b",")[0] or 0)


@pytest.mark.parametrize("restarts", [8, 50])
async def test_restarts_of_workers_are_no_failures(
    server: NatsServer, client: Client, log: JobLog, restarts: int
) -> None:
    """Every worker that took the part was told to stop, then the disk was full once: the job goes on."""
    attempts = Attempts(forever)
    job = await request_part(log)
    for number in range(restarts):
        async with worker(server, attempts):
            await until(begun(attempts, number + 1))
    assert await counted(client, "handed_back") == restarts

    async def full_once(attempt: int) -> None:
        if attempt == 1:
            raise TransientError("workspace_full")

    last = Attempts(full_once)
    async with worker(server, last):
        await until(lambda: settled(client))
    assert last.done == 1
    assert await log.end_of(ORG, job) is None
    assert await deliveries(client) == restarts + 2


async def test_full_disks_are_counted_across_workers(server: NatsServer, client: Client, log: JobLog) -> None:
    async def fail(_attempt: int) -> None:
        raise TransientError("workspace_full")

    attempts = Attempts(fail)
    job = await request_part(log)
    async with worker(server, attempts):
        await until(begun(attempts, 2))
    async with worker(server, attempts):
        failed = await until(lambda: failure(log, job))
    assert failed.code == "workspace_full"
    # Between the two workers one try may have been cut off before it was counted.
    assert 5 <= len(attempts.begun) <= 6


async def test_waiting_for_room_uses_up_no_tries(
    server: NatsServer, client: Client, log: JobLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.bus.outages.SHORTEST_DELAY", 0.02)
    monkeypatch.setattr("shared.bus.outages.LONGEST_DELAY", 0.02)

    async def full(attempt: int) -> None:
        # More often than failures are borne, and than deliveries of which nothing was told.
        if attempt <= MAX_DELIVERIES + 5:
            raise Postponed("workspace_full", "others are here")

    attempts = Attempts(full)
    job = await request_part(log)
    async with worker(server, attempts):
        await until(lambda: settled(client), seconds=20)
    assert attempts.done == 1
    assert await log.end_of(ORG, job) is None


async def test_room_is_not_waited_for_without_end(
    server: NatsServer, client: Client, log: JobLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.bus.outages.SHORTEST_DELAY", 0.02)
    monkeypatch.setattr("shared.bus.outages.LONGEST_POSTPONEMENT", 0.3)

    async def full(_attempt: int) -> None:
        raise Postponed("workspace_full", "others are here")

    attempts = Attempts(full)
    job = await request_part(log)
    async with worker(server, attempts, outage_seconds=0.1):
        failed = await until(lambda: failure(log, job))
    assert failed.code == "workspace_full" and "tried again for" in failed.message
    assert await until(lambda: dead(client, job=job)), "the operator has to know"


async def test_kinds_are_counted_apart(server: NatsServer, client: Client, log: JobLog) -> None:
    """Three bugs and four full disks: neither is over its limit, both together would be."""

    async def alternate(attempt: int) -> None:
        if attempt > 7:
            return
        if attempt % 2 == 0:
            raise ZeroDivisionError
        raise TransientError("workspace_full")

    attempts = Attempts(alternate)
    job = await request_part(log)
    async with worker(server, attempts):
        await until(lambda: settled(client))
    assert attempts.done == 1
    assert len(attempts.begun) == 8
    assert await log.end_of(ORG, job) is None


async def test_work_that_goes_well_writes_nothing(server: NatsServer, client: Client, log: JobLog) -> None:
    before = await writes(client)
    attempts = Attempts(lambda _: asyncio.sleep(0))
    for _ in range(5):
        await request_part(log)
    async with worker(server, attempts):
        await until(lambda: settled(client))
    assert attempts.done == 5
    assert await writes(client) == before


async def test_what_was_counted_goes_when_the_message_is_settled(
    server: NatsServer, client: Client, log: JobLog
) -> None:
    async def fail_once(attempt: int) -> None:
        if attempt == 1:
            raise TransientError("workspace_full")

    await request_part(log)
    async with worker(server, Attempts(fail_once)):

        async def counted_once() -> bool:
            return await counted(client, "transient") == 1

        await until(counted_once)
        await until(lambda: settled(client))

        async def forgotten() -> bool:
            message = await client.jetstream().get_last_msg(f"KV_{ATTEMPTS_BUCKET}", f"$KV.{ATTEMPTS_BUCKET}.>")
            return (message.headers or {}).get("KV-Operation") == "PURGE"

        await until(forgotten)


async def test_counts_of_a_stream_that_is_gone_are_of_another_message(
    server: NatsServer, client: Client, log: JobLog
) -> None:
    """The stream was made anew, so its sequences begin again; the entry of the old message is still there."""
    async with provisioned(server, lease_seconds=LEASE) as again:
        attempts = Attempts(forever)
        await request_part(log)
        async with worker(server, attempts):
            await until(begun(attempts))
        assert await counted(again, "handed_back") == 1
    async with provisioned(server, lease_seconds=LEASE) as again:
        log = JobLog(again)
        await request_part(log)
        async with worker(server, attempts):
            await until(begun(attempts, 2))
        assert await counted(again, "handed_back") == 1


def _unavailable() -> list[Exception]:
    return [
        TimeoutError(),
        NoRespondersError(),
        ServiceUnavailableError(code=503, err_code=10008),
        APIError(code=503, err_code=10008, description="JetStream system temporarily unavailable"),
        NoRespondersError(),
        ServiceUnavailableError(code=503, err_code=10009),
        ConnectionResetError(),
        APIError(code=500, err_code=10011),
    ]


async def test_a_bus_that_is_away_is_waited_for(
    server: NatsServer, client: Client, log: JobLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than the tries of anything else last, however it is spelled, and though a worker_lost would be due by then."""
    troubles = _unavailable()
    other = JobLog(client)

    async def raising(*_: Any) -> Any:
        raise troubles.pop(0)

    monkeypatch.setattr(other, "_js", type("Away", (), {"get_last_msg": raising})())

    async def work(_attempt: int) -> None:
        if troubles:
            await other.end_of(ORG, new_job_id())

    attempts = Attempts(work)
    job = await request_part(log)
    async with worker(server, attempts):
        await until(lambda: settled(client), seconds=20)
    assert attempts.done == 1
    assert len(attempts.begun) == 9
    assert await log.end_of(ORG, job) is None
    assert await dead(client) is None


async def test_a_log_that_does_not_get_far_enough_is_waited_for(
    server: NatsServer, client: Client, log: JobLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.bus.joblog.PUBLISH_TIMEOUT", 0.1)

    async def work(attempt: int) -> None:
        await log.read(ORG, job, at_least=10**9 if attempt <= 6 else 0)

    attempts = Attempts(work)
    job = await request_part(log)
    async with worker(server, attempts, side_work=True):
        await until(lambda: settled(client), seconds=20)
    assert (attempts.done, len(attempts.begun)) == (1, 7)
    assert await dead(client) is None, "a webhook would have been buried"


async def test_a_time_out_of_anything_else_is_a_bug(server: NatsServer, client: Client, log: JobLog) -> None:
    async def work(_attempt: int) -> None:
        async with asyncio.timeout(0):
            await asyncio.sleep(1)

    attempts = Attempts(work)
    job = await request_part(log)
    async with worker(server, attempts):
        failed = await until(lambda: failure(log, job))
    assert failed.code == "internal_error"
    assert "TimeoutError" in failed.detail
    assert len(attempts.begun) == 4


async def _append_what_the_client_refuses(client: Client, log: JobLog, job: str) -> None:
    big = transcoded(job, "v0000").model_copy(update={"encoder": "x" * client.max_payload})
    await log.append(big)


async def _append_what_only_headers_make_too_large(client: Client, log: JobLog, job: str) -> None:
    event = transcoded(job, "v0000")
    room = client.max_payload - len(event.model_dump_json()) - 20
    await log.append(event.model_copy(update={"encoder": event.encoder + "x" * room}))


async def _append_what_the_stream_refuses(client: Client, log: JobLog, job: str) -> None:
    js = client.jetstream()
    await js.update_stream((await js.stream_info(JOBS)).config.evolve(max_msg_size=20_000))
    await log.append(transcoded(job, "v0000").model_copy(update={"encoder": "x" * 30_000}))


@pytest.mark.parametrize(
    "append",
    [_append_what_the_client_refuses, _append_what_only_headers_make_too_large, _append_what_the_stream_refuses],
)
async def test_what_the_bus_refuses_for_its_size_fails_at_once(
    server: NatsServer, client: Client, log: JobLog, append: Callable[[Client, JobLog, str], Awaitable[None]]
) -> None:
    async def work(_attempt: int) -> None:
        await append(client, log, job)

    attempts = Attempts(work)
    job = await request_part(log)
    async with worker(server, attempts):
        failed = await until(lambda: failure(log, job))
        assert await until(lambda: dead(client, job=job))
    assert failed.code == "event_too_large"
    assert len(attempts.begun) == 1


async def test_an_outage_is_told_once_it_is_over(
    server: NatsServer, client: Client, log: JobLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it lasts nothing can be counted, and without the count it would look like a worker that was killed."""
    book = Settlement(client, log, service="transcoder")._book
    counting, failures = type(book).count, 3

    async def not_yet(self: Any, message: Any, kind: Any) -> Any:
        nonlocal failures
        if failures > 0:
            failures -= 1
            raise BusUnavailable("no responders")
        return await counting(self, message, kind)

    monkeypatch.setattr(type(book), "count", not_yet)
    monkeypatch.setattr("shared.bus.settle._REPORT_PAUSE", 0.05)

    async def work(_attempt: int) -> None:
        raise ServiceUnavailableError(code=503, err_code=10008)

    await request_part(log)
    async with worker(server, Attempts(work)):

        async def told() -> bool:
            return await counted(client, "bus_unavailable") >= 1

        await until(told)


async def test_lost_leases_are_told(server: NatsServer, client: Client, log: JobLog) -> None:
    """The consumer has forgotten this delivery, so that no heartbeat is confirmed; the rest of the bus works."""
    attempts = Attempts(forever)
    await tell(log, [created(job := new_job_id()), ev.PartRequested(org=ORG, job=job, part="v0000")])
    async with worker(server, attempts):
        await until(begun(attempts))
        await client.jetstream().delete_consumer(JOBS, TRANSCODER.name)

        async def told() -> bool:
            return await counted(client, "lease_lost") == 1

        await until(told, seconds=4 * LEASE)


async def test_what_fails_after_the_end_of_its_job_is_no_failure(client: Client, log: JobLog) -> None:
    """A job is cancelled, and its files are removed while an encoder still writes them."""
    job = await request_part(log)
    subscription = await client.jetstream().pull_subscribe_bind(consumer=TRANSCODER.name, stream=JOBS)
    (message,) = await subscription.fetch(1)
    await tell(log, [ev.Cancelled(org=ORG, job=job)])
    settlement = Settlement(client, log, service="transcoder")
    await settlement.failed(message, ORG, job, PermanentError("encode_failed", "no such folder"), side_work=False)
    assert await settled(client)
    assert await dead(client, job=job) is None
    await settlement.close()


async def test_what_work_comes_to_tells_of_its_attempt(server: NatsServer, client: Client, log: JobLog) -> None:
    tries = 0

    async def succeed_at_the_third(request: ev.PartRequested) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise TransientError("output_unreachable")
        await log.append(transcoded(request.job, request.part))
        await log.append(ev.PartRequested(org=ORG, job=request.job, part="v0001"))

    job = await request_part(log)
    async with worker(server, succeed_at_the_third) as leases:
        await until(lambda: settled(client))
        own = leases.begun.worker
    found = {recorded.event.token(): recorded.event for recorded in await log.read(ORG, job)}
    done = found["part_transcoded.v0000"]
    assert isinstance(done, ev.PartTranscoded)
    assert done.attempt
    assert (done.attempt.worker, done.attempt.number, done.attempt.failures) == (own, 3, {"output_unreachable": 2})
    assert found["part_requested.v0000"].at < done.attempt.began <= done.at
    assert "attempt" not in found["part_requested.v0001"].model_dump()
