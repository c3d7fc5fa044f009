"""The policy of work taken from the bus, through a real FastStream broker and a real server."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import structlog
from nats.aio.client import Client

from shared import events as ev
from shared.bus.ack_wait import AckWaits
from shared.bus.joblog import JobLog
from shared.bus.lease import LeaseRuntime
from shared.bus.topology import JOBS, TRANSCODER, provision
from shared.errors import PermanentError, TransientError
from shared.ids import new_job_id
from tests.support.bus import provisioned, until
from tests.support.samples import ORG, completed
from tests.support.servers import NatsServer, nats_server
from tests.support.working import (
    Attempts,
    begun,
    cancelled,
    dead,
    deliveries,
    failure,
    forever,
    idle,
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
    monkeypatch.setattr("shared.bus.settle.RETRY_DELAYS", (0.2,) * 4)


@pytest.fixture(autouse=True)
def _captured_logs() -> Iterator[None]:
    # Left as it is, structlog paints tracebacks for a terminal, which takes seconds.
    with structlog.testing.capture_logs():
        yield


async def test_done_work_is_acknowledged(server: NatsServer, client: Client, log: JobLog) -> None:
    attempts = Attempts(lambda _: asyncio.sleep(0))
    job = await request_part(log)
    async with worker(server, attempts):
        await until(lambda: settled(client))
    assert attempts.done == 1
    assert await deliveries(client) == 1
    assert await log.end_of(ORG, job) is None


async def test_a_permanent_error_ends_the_job_at_once(server: NatsServer, client: Client, log: JobLog) -> None:
    async def fail(_attempt: int) -> None:
        raise PermanentError("input_empty", "0 bytes")

    attempts = Attempts(fail)
    job = await request_part(log)
    async with worker(server, attempts):
        failed = await until(lambda: failure(log, job))
        await until(lambda: settled(client))
    assert (failed.code, failed.detail, failed.service) == ("input_empty", "0 bytes", "transcoder")
    assert failed.message == "The input is empty. Upload the file again, and check its size."
    assert len(attempts.begun) == 1
    assert await dead(client) is None, "a customer's mistake is no business of the operator's"


async def test_a_transient_error_is_tried_again_and_then_ends_the_job(
    server: NatsServer, client: Client, log: JobLog
) -> None:
    async def fail(_attempt: int) -> None:
        raise TransientError("output_unreachable", "connection refused")

    attempts = Attempts(fail)
    job = await request_part(log)
    async with worker(server, attempts):
        failed = await until(lambda: failure(log, job))
        await until(lambda: settled(client))
    assert failed.code == "output_unreachable"
    assert len(attempts.begun) == 5, "the first try and one after each delay"
    assert all(later - earlier >= 0.19 for earlier, later in zip(attempts.begun, attempts.begun[1:], strict=False))


async def test_a_transient_error_that_passes_leaves_no_trace(server: NatsServer, client: Client, log: JobLog) -> None:
    async def recover(attempt: int) -> None:
        if attempt < 3:
            raise TransientError("workspace_full")

    attempts = Attempts(recover)
    job = await request_part(log)
    async with worker(server, attempts):
        await until(lambda: settled(client))
    assert attempts.done == 1
    assert await log.end_of(ORG, job) is None


async def test_a_bug_is_tried_again_and_then_reported(server: NatsServer, client: Client, log: JobLog) -> None:
    async def fail(_attempt: int) -> None:
        raise ZeroDivisionError("not foreseen")

    attempts = Attempts(fail)
    job = await request_part(log)
    async with worker(server, attempts):
        failed = await until(lambda: failure(log, job))
        await until(lambda: settled(client))
    assert failed.code == "internal_error"
    assert "ZeroDivisionError" in failed.detail
    assert len(attempts.begun) == 4
    letter = await until(lambda: dead(client, job=job))
    assert ev.PartRequested.model_validate_json(letter.data or b"").job == job
    assert letter.headers
    assert letter.headers["Millrace-Subject"] == f"jobs.{ORG}.{job}.part_requested.v0000"
    assert not [name for name in letter.headers if name.startswith("Nats-Expected-Last")]


@pytest.mark.parametrize("end", ["cancelled", "failed"])
async def test_work_stops_when_its_job_ends(server: NatsServer, client: Client, log: JobLog, end: str) -> None:
    attempts = Attempts(forever)
    job = await request_part(log)
    # With so long a lease it is not asked for the end again in the time of this test: it has to hear of it.
    await provision(client.jetstream(), lease_seconds=30)
    async with worker(server, attempts):
        await until(begun(attempts))
        await asyncio.sleep(0.2)
        ended = time.monotonic()
        event: ev.Event = ev.Cancelled(org=ORG, job=job)
        if end == "failed":
            event = ev.Failed(org=ORG, job=job, code="input_empty", message="")
        await log.append(event)
        await until(lambda: settled(client))
    assert attempts.cancelled[0] - ended < 1
    assert len(attempts.begun) == 1


async def test_an_end_that_was_not_heard_is_read(
    server: NatsServer, client: Client, log: JobLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is told over core NATS may be missed."""

    async def deaf(_self: LeaseRuntime, _message: Any) -> None:
        return

    monkeypatch.setattr(LeaseRuntime, "_heard_end", deaf)
    attempts = Attempts(forever)
    job = await request_part(log)
    async with worker(server, attempts):
        await until(begun(attempts))
        await log.append(ev.Cancelled(org=ORG, job=job))
        await until(lambda: settled(client), seconds=2 * LEASE)
    assert len(attempts.cancelled) == 1


async def test_work_is_not_stopped_by_its_jobs_success(server: NatsServer, client: Client, log: JobLog) -> None:
    finish = asyncio.Event()

    async def work(_attempt: int) -> None:
        await finish.wait()

    attempts = Attempts(work)
    job = await request_part(log)
    async with worker(server, attempts):
        await until(begun(attempts))
        await log.append(completed(job))
        await asyncio.sleep(LEASE / 2)
        finish.set()
        await until(lambda: settled(client))
    assert attempts.done == 1


async def test_an_ended_jobs_work_is_dropped(server: NatsServer, client: Client, log: JobLog) -> None:
    attempts = Attempts(forever)
    job = await request_part(log)
    await log.append(ev.Cancelled(org=ORG, job=job))
    async with worker(server, attempts):
        await until(lambda: settled(client))
    assert attempts.done == 0


async def test_side_work_goes_on_after_the_end_and_fails_no_job(
    server: NatsServer, client: Client, log: JobLog
) -> None:
    async def fail(_attempt: int) -> None:
        await asyncio.sleep(0.3)
        raise PermanentError("internal_error", "cannot")

    attempts = Attempts(fail)
    job = await request_part(log)
    async with worker(server, attempts, side_work=True):
        await until(begun(attempts))
        await log.append(ev.Cancelled(org=ORG, job=job))
        await until(lambda: settled(client))
    assert attempts.cancelled == []
    assert await dead(client, job=job)
    end = await log.end_of(ORG, job)
    assert end and isinstance(end.event, ev.Cancelled)


async def test_long_work_keeps_its_lease(server: NatsServer, client: Client, log: JobLog) -> None:
    attempts = Attempts(lambda _: asyncio.sleep(3 * LEASE))
    await request_part(log)
    async with worker(server, attempts, slots=2):
        await until(lambda: settled(client), seconds=5 * LEASE)
    assert attempts.done == 1
    assert await deliveries(client) == 1


async def test_the_servers_ack_wait_is_the_lease(
    server: NatsServer, client: Client, log: JobLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The api was started anew with a shorter lease than the one that a worker had begun with: nobody else gets the message."""
    monkeypatch.setattr("shared.bus.ack_wait.REFRESH_SECONDS", 0.1)
    finish = asyncio.Event()

    async def work(_attempt: int) -> None:
        await finish.wait()

    attempts = Attempts(work)
    await provision(client.jetstream(), lease_seconds=600)
    await request_part(log)
    beats = await client.subscribe(f"$JS.ACK.{JOBS}.{TRANSCODER.name}.>")
    async with worker(server, attempts, slots=2) as leases:
        await until(begun(attempts))
        assert leases._ack_waits.of(TRANSCODER.name) == 600
        await provision(client.jetstream(), lease_seconds=5)
        # By the lease that it began with, the second heartbeat would be due after 200 s. Seven make two of the new ones.
        for _ in range(7):
            assert (await beats.next_msg(timeout=15)).data == b"+WPI"
        assert leases._ack_waits.of(TRANSCODER.name) == 5
        finish.set()
        await until(lambda: settled(client), seconds=5 * LEASE)
    assert attempts.cancelled == []
    assert await deliveries(client) == 1


async def test_a_bus_that_does_not_say_how_long_leases_are_is_waited_for(
    server: NatsServer, client: Client, log: JobLog
) -> None:
    await client.jetstream().delete_consumer(JOBS, TRANSCODER.name)
    waits = AckWaits(client)
    waits.watch(TRANSCODER)
    reading = asyncio.create_task(waits.read_first())
    done, _ = await asyncio.wait({reading}, timeout=0.3)
    assert not done
    await provision(client.jetstream(), lease_seconds=17)
    await asyncio.wait_for(reading, 5)
    assert waits.of(TRANSCODER.name) == 17


async def test_a_lost_lease_stops_the_work(client: Client, log: JobLog, server: NatsServer) -> None:
    """The server hangs for longer than a lease: by the time it hands the message to another, nobody works on it any more."""
    attempts = Attempts(forever)
    await request_part(log)
    async with worker(server, attempts) as leases:
        await until(begun(attempts))
        await asyncio.sleep(LEASE / 2)
        pid = server._process.pid if server._process else 0
        os.kill(pid, signal.SIGSTOP)
        stopped = time.monotonic()
        try:
            await until(cancelled(attempts), seconds=2 * LEASE)
            assert attempts.cancelled[0] - stopped < LEASE
            await until(idle(leases), seconds=LEASE / 4)
            await asyncio.sleep(max(0.0, stopped + 1.3 * LEASE - time.monotonic()))
        finally:
            os.kill(pid, signal.SIGCONT)
        # And then somebody takes it up again.
        await until(begun(attempts, 2), seconds=3 * LEASE)
        assert attempts.begun[1] > attempts.cancelled[0]


async def test_a_worker_that_is_told_to_stop_hands_its_work_back(
    server: NatsServer, client: Client, log: JobLog
) -> None:
    first, second = Attempts(forever), Attempts(lambda _: asyncio.sleep(0))
    await request_part(log)
    async with worker(server, first) as leases:
        await until(begun(first))
        async with worker(server, second):
            stopped = time.monotonic()
            await leases.drain(0.2)
            await until(lambda: settled(client))
            assert second.begun[0] - stopped < 1
    assert len(first.cancelled) == 1
    assert second.done == 1
    assert await deliveries(client) == 2


async def test_work_that_ends_within_the_grace_is_not_handed_back(
    server: NatsServer, client: Client, log: JobLog
) -> None:
    attempts = Attempts(lambda _: asyncio.sleep(0.5))
    await request_part(log)
    async with worker(server, attempts) as leases:
        await until(begun(attempts))
        await leases.drain(5)
        assert attempts.done == 1
        await until(lambda: settled(client))
    assert await deliveries(client) == 1


async def test_a_stopping_worker_does_not_churn_messages(server: NatsServer, client: Client, log: JobLog) -> None:
    """Its idle slots still have requests out; what comes must not go round and round until its deliveries are used up."""
    busy = Attempts(lambda _: asyncio.sleep(2))
    await request_part(log)
    async with worker(server, busy, slots=3) as leases:
        await until(begun(busy))
        draining = asyncio.create_task(leases.drain(5))
        await asyncio.sleep(0.1)
        await request_part(log)
        await asyncio.sleep(1)
        assert not draining.done()
        # One for each idle slot, beside the delivery that is at work.
        assert await deliveries(client) <= 1 + 2
        assert len(busy.begun) == 1
        await draining
    taken = Attempts(lambda _: asyncio.sleep(0))
    async with worker(server, taken):
        await until(lambda: settled(client))
    assert taken.done == 1


@pytest.mark.parametrize("poison", [b"\x00\xff not json", b"{}", b'{"type": "part_requested", "v": 1}', b""])
async def test_poison_goes_to_the_dead_letters_once(
    server: NatsServer, client: Client, log: JobLog, poison: bytes
) -> None:
    attempts = Attempts(lambda _: asyncio.sleep(0))
    job = new_job_id()
    await client.jetstream().publish(f"jobs.{ORG}.{job}.part_requested.v0000", poison, stream=JOBS)
    async with worker(server, attempts):
        letter = await until(lambda: dead(client, job=job))
        assert (letter.data or b"") == poison
        await until(lambda: settled(client))
        await request_part(log)
        await until(lambda: settled(client))
    assert attempts.done == 1, "the next message was not worked on"
    assert await deliveries(client) == 2


async def test_a_server_that_dies_interrupts_nothing_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL of the server while one slot works and another waits: afterwards both go on, and nothing is lost."""
    async with nats_server() as server, provisioned(server, lease_seconds=LEASE) as client:
        log = JobLog(client)
        attempts = Attempts(lambda attempt: asyncio.sleep(3600 if attempt == 1 else 0))
        await request_part(log)
        async with worker(server, attempts, slots=2):
            await until(begun(attempts))
            await asyncio.to_thread(server.kill)
            await asyncio.sleep(1.2 * LEASE)
            await asyncio.to_thread(server.start)
            await until(lambda: settled(client), seconds=20)
            assert attempts.done == 1
            await request_part(log)

            async def both_done() -> bool:
                return attempts.done == 2

            # A server that was just started may not have counted the message yet when it is asked what is left.
            await until(both_done, seconds=10)
            await until(lambda: settled(client), seconds=10)
