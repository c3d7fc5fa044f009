"""Sources, storages and a work space that are out of order when a job begins: it waits, and others go on."""

import os
from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import web
from nats.aio.client import Client

from services.fetcher.download.download import SOURCE_FILE
from shared.events import Fetched
from shared.ids import new_job_id, new_org_code
from shared.waiting import Waiting
from tests.support.bus import until
from tests.support.clips import made
from tests.support.faults import Fault, FaultyProxy
from tests.support.fetches import FetchJob, FetchSite
from tests.support.ports import free_port
from tests.support.servers import NatsServer
from tests.support.site import PREFIX
from tests.support.sources import SourceServer, source_server
from tests.support.waits import waiting


@pytest.fixture(scope="module")
def site(nats_server_of_module: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FetchSite]:
    with FetchSite.opened(nats_server_of_module, tmp_path_factory.mktemp("workspace")) as site:
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


@pytest.fixture(scope="module")
def clip() -> bytes:
    """A second of pictures."""
    picture = ("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=1")
    return made("waited-for.mp4", *picture, "-c:v", "libx264", "-preset", "ultrafast").read_bytes()


async def shown(client: Client, job: FetchJob) -> Waiting:
    """What the job is shown to wait for, as soon as it waits."""
    return await until(lambda: waiting(client, job.org, job.id, "admitted"), seconds=30)


async def nothing_shown(client: Client, job: FetchJob) -> None:
    async def nothing() -> bool:
        return await waiting(client, job.org, job.id, "admitted") is None

    await until(nothing)


async def test_whatever_is_out_of_order_is_waited_for_without_a_slot(
    site: FetchSite, client: Client, sources: SourceServer, clip: bytes
) -> None:
    out = True

    async def refuse(_number: int, _request: web.Request) -> Fault | None:
        return "refused" if out else None

    # As another download that has reserved more than the disk has.
    reserved = site.space.source(new_org_code(), new_job_id()) / SOURCE_FILE
    async with FaultyProxy(site.s3.endpoint, refuse) as proxy:
        jobs = {code: FetchJob(client, site) for code in ("input_unreachable", "output_unreachable", "workspace_full")}
        bucket = site.s3.address(site.s3.new_bucket(), f"{PREFIX}/", endpoint=proxy.endpoint)
        await jobs["input_unreachable"].create(sources.host("busy.mp4", clip, always=503))
        await jobs["output_unreachable"].create(sources.host("good.mp4", clip), bucket)
        await jobs["workspace_full"].create(sources.url("good.mp4"))
        with site.fetcher(slots=1) as fetcher:
            for code in ("input_unreachable", "output_unreachable"):
                await jobs[code].admit()
            first = {code: await shown(client, jobs[code]) for code in ("input_unreachable", "output_unreachable")}
            # The only slot is free.
            quick = FetchJob(client, site)
            await quick.create(sources.url("good.mp4"))
            await quick.admit()
            await quick.has_said(Fetched)
            reserved.parent.mkdir(parents=True)
            reserved.touch()
            os.truncate(reserved, site.space.free_bytes() + 2**30)
            await jobs["workspace_full"].admit()
            first["workspace_full"] = await shown(client, jobs["workspace_full"])
            fetcher.kill()
            fetcher.start()
            for code, waits in first.items():
                assert (waits.code, waits.service) == (code, "fetcher")
                assert not await jobs[code].said(Fetched)
            reserved.unlink()
            out = False
            sources.host("busy.mp4", clip)
            for job in jobs.values():
                await job.has_said(Fetched, seconds=60)
                await nothing_shown(client, job)
    hours = {code: round((waits.until - waits.since).total_seconds() / 3600) for code, waits in first.items()}
    assert hours == {"input_unreachable": 1, "output_unreachable": 1, "workspace_full": 24}


async def test_a_source_that_does_not_come_back(site: FetchSite, client: Client) -> None:
    job = FetchJob(client, site)
    await job.create(f"http://127.0.0.1:{free_port()}/film.mp4")
    with site.fetcher(outage_seconds=2):
        await job.admit()
        waits = await shown(client, job)
        failed = await job.failed()
    assert waits.code == failed.code == "input_unreachable"
    assert failed.message == "The specified input URL does not exist or cannot be accessed", "as it is published"
    assert "It was tried again for " in failed.detail and "no connection to 127.0.0.1" in failed.detail
