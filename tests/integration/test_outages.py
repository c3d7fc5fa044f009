"""Outages are waited for by age: no slot is held, no try is used up, and everybody can see what is waited for."""

import asyncio
import errno
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
import structlog
from nats.aio.client import Client

from shared.bus.headway import made_headway
from shared.bus.joblog import JobLog
from shared.bus.settle import BUG_TRIES, MAX_DELIVERIES
from shared.errors import Outage, Postponed
from shared.waiting import Waiting
from tests.support.bus import provisioned, until
from tests.support.samples import ORG
from tests.support.servers import NatsServer
from tests.support.waits import waiting
from tests.support.working import Attempts, begun, dead, failure, request_part, settled, worker

PART = "part_requested.v0000"


@pytest.fixture
async def server(nats_server_of_module: NatsServer) -> NatsServer:
    return nats_server_of_module


@pytest.fixture
async def client(server: NatsServer) -> AsyncIterator[Client]:
    async with provisioned(server, lease_seconds=2) as client:
        yield client


@pytest.fixture(autouse=True)
def _short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.bus.outages.SHORTEST_DELAY", 0.02)
    monkeypatch.setattr("shared.bus.outages.LONGEST_DELAY", 0.02)


@pytest.fixture(autouse=True)
def _captured_logs() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


def shown(client: Client, job: str) -> Callable[[], Awaitable[Waiting | None]]:
    """What the job's part is shown to wait for."""
    return lambda: waiting(client, ORG, job, PART)


def not_shown(client: Client, job: str) -> Callable[[], Awaitable[bool]]:
    """Condition: the job's part is shown to wait for nothing."""

    async def nothing() -> bool:
        return await waiting(client, ORG, job, PART) is None

    return nothing


async def test_an_outage_uses_up_no_tries_and_is_shown_while_it_lasts(
    server: NatsServer, client: Client, log: JobLog
) -> None:
    over = asyncio.Event()

    async def refused(_attempt: int) -> None:
        if not over.is_set():
            raise Outage("output_unreachable", "connection refused")

    attempts = Attempts(refused)
    job = await request_part(log)
    async with worker(server, attempts):
        first = await until(shown(client, job))
        # More often than failures are borne, and than deliveries of which nothing was told.
        await until(begun(attempts, MAX_DELIVERIES + 5), seconds=20)
        later = await until(shown(client, job))
        over.set()
        await until(lambda: settled(client))
        await until(not_shown(client, job))
    assert attempts.done == 1
    assert await log.end_of(ORG, job) is None
    assert (first.code, first.service) == ("output_unreachable", "transcoder")
    assert first.since == later.since
    assert abs((later.until - first.until).total_seconds()) < 1, "the end of the wait does not move"


async def test_an_outage_that_lasts_too_long_ends_the_job_and_says_how_long_it_was(
    server: NatsServer, client: Client, log: JobLog
) -> None:
    async def refused(_attempt: int) -> None:
        raise Outage("output_unreachable", "connection refused")

    attempts = Attempts(refused)
    job = await request_part(log)
    async with worker(server, attempts, outage_seconds=1):
        failed = await until(lambda: failure(log, job))
        await until(not_shown(client, job))
    assert failed.code == "output_unreachable"
    assert failed.message.endswith("It was tried again for 1 seconds. Check its endpoint and region.")
    assert "connection refused" in failed.detail
    assert len(attempts.begun) > 9
    assert await dead(client, job=job) is None, "its owner mends it, and not the operator"


async def test_a_work_space_whose_disk_is_gone_is_no_bug(server: NatsServer, client: Client, log: JobLog) -> None:
    async def unreadable(attempt: int) -> None:
        if attempt <= BUG_TRIES:
            raise OSError(errno.ESTALE, "Stale file handle")

    attempts = Attempts(unreadable)
    job = await request_part(log)
    async with worker(server, attempts):
        shown_then = await until(shown(client, job))
        await until(lambda: settled(client))
    assert shown_then.code == "workspace_unreachable"
    assert attempts.done == 1 and await log.end_of(ORG, job) is None


async def test_who_waits_holds_no_slot(
    server: NatsServer, client: Client, log: JobLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.bus.outages.SHORTEST_DELAY", 60)
    monkeypatch.setattr("shared.bus.outages.LONGEST_DELAY", 60)

    async def refused_at_first(attempt: int) -> None:
        if attempt == 1:
            raise Outage("output_unreachable")

    attempts = Attempts(refused_at_first)
    waits = await request_part(log)
    async with worker(server, attempts, slots=1):
        await until(shown(client, waits))
        await request_part(log)
        await until(begun(attempts, 2))
    assert attempts.done == 1


async def test_the_age_outlives_its_worker(server: NatsServer, client: Client, log: JobLog) -> None:
    async def refused(_attempt: int) -> None:
        raise Outage("output_unreachable")

    job, attempts = await request_part(log), Attempts(refused)
    async with worker(server, attempts):
        first = await until(shown(client, job))
        await until(begun(attempts, 10))
    again = Attempts(refused)
    async with worker(server, again):
        await until(begun(again, 3))
        later = await until(shown(client, job))
    assert later.since == first.since


@pytest.mark.parametrize("kept", [True, False])
async def test_headway_ends_a_wait(server: NatsServer, client: Client, log: JobLog, kept: bool) -> None:
    """For good, if something was done for good; else only what is shown of it."""
    hidden, goes_on = asyncio.Event(), asyncio.Event()

    async def act(attempt: int) -> None:
        if attempt == 2:
            await made_headway("input", kept=True)
            assert await waiting(client, ORG, job, PART), "another thing is waited for"
            await made_headway("output", kept=kept)
            hidden.set()
            await goes_on.wait()
        raise Outage("output_unreachable")

    job, attempts = await request_part(log), Attempts(act)
    async with worker(server, attempts):
        first = await until(shown(client, job))
        await until(begun(attempts, 2))
        async with asyncio.timeout(10):
            await hidden.wait()
        assert await waiting(client, ORG, job, PART) is None
        goes_on.set()
        again = await until(shown(client, job))
    assert (again.since > first.since) is kept


async def test_reasons_are_waited_for_each_by_itself(server: NatsServer, client: Client, log: JobLog) -> None:
    """An hour without room is none without storage."""
    done = asyncio.Event()

    async def act(attempt: int) -> None:
        if done.is_set():
            return
        raise Postponed("workspace_full") if attempt < 10 else Outage("output_unreachable")

    job, attempts = await request_part(log), Attempts(act)
    async with worker(server, attempts):
        no_room = await until(shown(client, job))
        await until(begun(attempts, 12))
        no_storage = await until(shown(client, job))
        done.set()
        await until(lambda: settled(client))
        await until(not_shown(client, job))
    assert (no_room.code, no_storage.code) == ("workspace_full", "output_unreachable")
    assert no_storage.since > no_room.since
    assert (
        (no_room.until - no_room.since).total_seconds() > 80_000 > (no_storage.until - no_storage.since).total_seconds()
    )
    assert await waiting(client, ORG, job, PART) is None
