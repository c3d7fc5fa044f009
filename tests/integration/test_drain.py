"""Workers that leave: a real fetcher finishes what it is at, takes nothing new, and ends."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from nats.aio.client import Client

from services.api.operator.drain import NoSuchWorker, choose_workers, drain, known_workers, living_workers
from shared.bus.roster import Roster, Worker
from shared.bus.topology import FETCHER, JOBS
from shared.events import Fetched, Started
from tests.support.bus import until
from tests.support.clips import made
from tests.support.fetches import FetchJob, FetchSite
from tests.support.servers import nats_server
from tests.support.service import Service
from tests.support.sources import SourceServer, source_server


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FetchSite]:
    with nats_server() as nats, FetchSite.opened(nats, tmp_path_factory.mktemp("workspace")) as site:
        yield site


@pytest.fixture
async def client(site: FetchSite) -> AsyncIterator[Client]:
    client = await site.nats.connect()
    yield client
    await client.close()


@pytest.fixture
async def sources() -> AsyncIterator[SourceServer]:
    async with source_server() as server:
        yield server


def _clip() -> bytes:
    return made(
        "leaving.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=8", "-c:v", "libx264", "-preset", "ultrafast"),
        *("-movflags", "+faststart"),
    ).read_bytes()


@asynccontextmanager
async def _at_work(
    site: FetchSite, client: Client, sources: SourceServer, *, slots: int = 2
) -> AsyncIterator[tuple[Service, FetchJob, Worker]]:
    """A fetcher in the middle of a download, with what it says of itself."""
    async with site.fetcher(slots=slots, chunk_bytes=64 * 1024, connections=1) as fetcher:
        job = FetchJob(client, site)
        await job.create(sources.host("slow.mp4", _clip(), pause=0.3))
        await job.admit()
        await job.has_said(Started)
        yield fetcher, job, await until(lambda: _working(client, fetcher), seconds=20)


async def _entry(client: Client, fetcher: Service) -> Worker | None:
    return next((one for one in await known_workers(client) if one.pid == fetcher.pid), None)


async def _working(client: Client, fetcher: Service) -> Worker | None:
    entry = await _entry(client, fetcher)
    return entry if entry and entry.running else None


async def _waiting(client: Client) -> int:
    info = await client.jetstream().consumer_info(JOBS, FETCHER.name)
    return (info.num_pending or 0) + (info.num_ack_pending or 0)


async def _ended(fetcher: Service) -> bool:
    return not fetcher.running


async def test_a_drained_worker_finishes_takes_nothing_new_and_ends(
    site: FetchSite, client: Client, sources: SourceServer
) -> None:
    async with _at_work(site, client, sources) as (fetcher, job, entry):
        assert [work.subject for work in entry.running] == [f"jobs.{job.org}.{job.id}.admitted"]
        assert (entry.service, entry.slots, entry.draining) == ("fetcher", 2, False)
        assert await living_workers(client) == [entry]
        # A process that cannot hear the order at the time finds it later.
        os.kill(fetcher.pid, signal.SIGSTOP)
        following = drain(client, await choose_workers(client, ["fetcher"]))
        assert [worker.id for worker in (await anext(following)).left] == [entry.id]
        os.kill(fetcher.pid, signal.SIGCONT)

        async def draining() -> bool:
            found = await _entry(client, fetcher)
            return bool(found and found.draining and found.running)

        await until(draining, seconds=20, what="it drains, and works still")
        further = FetchJob(client, site)
        await further.create(sources.host("further.mp4", _clip()))
        await further.admit()
        sources.hurry("slow.mp4")
        told = [state async for state in following]
        await until(lambda: _ended(fetcher), seconds=20)
        assert [worker.id for worker in told[-1].drained] == [entry.id]
        assert await job.said(Fetched)
        assert await job.requested()
        assert await further.said(Started) == []
        assert await known_workers(client) == []
        assert '"event": "stopped"' in fetcher.log()
        assert '"event": "work handed back"' not in fetcher.log()
        # Nobody has to wait for a lease to run out.
        assert await _waiting(client) == 1


async def test_it_is_the_clock_of_the_bus_that_tells_who_lives(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    roster, begun = Roster(client), datetime.now(UTC)
    wrong = [
        Worker(
            id=f"wrong-{hours}",
            service="notifier",
            host="h",
            pid=1,
            started=begun,
            slots=1,
            at=begun + timedelta(hours=hours),
        )
        for hours in (-2, 2)
    ]
    for worker in wrong:
        await roster.write(worker)
    assert {worker.id for worker in await choose_workers(client, ["notifier"])} == {"wrong--2", "wrong-2"}
    monkeypatch.setattr("shared.bus.roster.ALIVE_SECONDS", 0.0)
    with pytest.raises(NoSuchWorker):
        await choose_workers(client, ["notifier"])
    states = [state async for state in drain(client, wrong)]
    assert {worker.id for worker in states[-1].lost} == {"wrong--2", "wrong-2"}
    for worker in wrong:
        await roster.leave(worker)


async def test_one_that_stays_does_nothing_until_it_is_stopped(
    site: FetchSite, client: Client, sources: SourceServer
) -> None:
    async with _at_work(site, client, sources) as (fetcher, job, entry):
        sources.hurry("slow.mp4")
        states = [state async for state in drain(client, [entry], stay=True)]
        assert [worker.id for worker in states[-1].drained] == [entry.id]
        assert await job.said(Fetched)
        assert fetcher.running
        with pytest.raises(NoSuchWorker, match="no living worker transcoder"):
            await choose_workers(client, ["transcoder"])
        fetcher.stop()
        assert await known_workers(client) == []
        assert '"event": "drained"' in fetcher.log()
