"""A storage that is out of order: its jobs wait, others go on, and what was uploaded stays so."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from nats.aio.client import Client

from shared.events import Completed, Failed
from shared.waiting import Waiting
from tests.support.bus import until
from tests.support.faults import Fault, FaultyProxy, seen
from tests.support.uploads import Job, Site, expected_objects
from tests.support.waits import waiting


@pytest.fixture
async def client(site: Site) -> AsyncIterator[Client]:
    client = await site.nats.connect()
    yield client
    await client.close()


class Outage:
    """Trouble for a proxy: from the request of a number on everything fails, until it is over."""

    def __init__(self, fault: Fault, *, first: int = 1) -> None:
        self._fault: Fault = fault
        self._first = first
        self.over = False

    async def __call__(self, number: int, _request: web.Request) -> Fault | None:
        return self._fault if number >= self._first and not self.over else None


async def shown(client: Client, job: Job) -> Waiting | None:
    return await waiting(client, job.org, job.id)


async def test_a_storage_that_refuses_connections_for_a_while(client: Client, site: Site) -> None:
    outage = Outage("refused", first=3)
    async with FaultyProxy(site.s3.endpoint, outage) as proxy, site.uploader(slots=1) as uploader:
        job = await site.begin(client, endpoint=proxy.endpoint)
        await job.transcode("v0000")
        first = await until(lambda: shown(client, job), seconds=30)
        assert (first.code, first.service) == ("output_unreachable", "uploader")

        # The only slot is free for others, whom their own storage serves.
        other = await site.begin(client)
        await other.transcode()
        assert isinstance(await other.end(), Completed)

        uploader.kill()
        await asyncio.to_thread(uploader.start)
        told = uploader.log().count('"event": "waiting"')
        await seen(lambda: uploader.log().count('"event": "waiting"') > told)
        later = await until(lambda: shown(client, job))
        assert later == first, "neither its beginning nor its end moves, whoever waits"
        assert not await job.said(Failed)

        outage.over = True
        await job.transcode(*(part for part in job.plan.release_order if part != "v0000"))
        assert isinstance(await job.end(), Completed)

        async def nothing() -> bool:
            return await shown(client, job) is None

        await until(nothing)
        segments = [path for path in proxy.of("PUT") if path.endswith(".m4s")]
        assert len(segments) == len(set(segments)), "what had arrived before the outage stays"
    assert set(job.objects) == expected_objects(job.plan)


async def test_a_storage_that_stays_busy_for_too_long(client: Client, site: Site) -> None:
    async with FaultyProxy(site.s3.endpoint, Outage("unavailable")) as proxy, site.uploader(outage_seconds=3):
        job = await site.begin(client, endpoint=proxy.endpoint)
        await job.transcode(job.plan.release_order[0])
        failed = await job.end()
    assert isinstance(failed, Failed)
    assert failed.code == "output_unreachable" and "503" in failed.detail
    assert failed.message.startswith("The storage of output_path cannot be reached.")
    assert "It was tried again for " in failed.message and failed.message.endswith("Check its endpoint and region.")
