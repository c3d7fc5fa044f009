"""Sources and storages that take their time: deadlines end them, and they keep no other organization waiting."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from nats.aio.client import Client
from pydantic import SecretStr

from services.fetcher.download.download import SPENT_FILE, Download, DownloadLimits
from services.fetcher.download.http_source import HttpSource, http_session
from services.fetcher.download.patience import PatienceLimits
from services.fetcher.download.punctual import PunctualRemote
from services.fetcher.download.remote import Remote
from services.fetcher.download.s3_source import S3Source
from shared.errors import MillraceError, Outage, PermanentError
from shared.events import Fetched, Started
from shared.locations import S3Location
from shared.storage import s3_client
from tests.support.bus import until
from tests.support.clips import made
from tests.support.fetches import FetchJob, FetchSite
from tests.support.hangs import contentless_server, silent_server, trickling_server
from tests.support.policies import LOOPBACK
from tests.support.servers import nats_server
from tests.support.sources import SourceServer, source_server

LIMITS = DownloadLimits(
    max_bytes=2**30,
    keep_free=0,
    chunk_bytes=2**18,
    connections=2,
    patience=PatienceLimits(total=30, without_progress=1, bytes_per_second=1000),
)


@pytest.fixture
async def sources() -> AsyncIterator[SourceServer]:
    async with source_server() as server:
        yield server


async def _failure(remote: Remote, folder: Path, kind: type[MillraceError] = Outage) -> MillraceError:
    async def ignore(_fraction: float) -> None:
        return

    download = Download(
        PunctualRemote(remote, 0.5),
        folder,
        LIMITS,
        free_bytes=lambda: 2**50,
        on_head=lambda _: None,
        on_progress=ignore,
    )
    with pytest.raises(kind) as caught:
        async with asyncio.timeout(20):
            await download.run()
    return caught.value


async def test_headers_that_trickle_are_given_up(tmp_path: Path) -> None:
    # The time-out for silence never comes to bear.
    async with trickling_server() as address, http_session(policy=LOOPBACK, stall_seconds=5) as session:
        error = await _failure(HttpSource(session, f"{address}/film.mp4"), tmp_path)
    assert error.code == "input_timeout"
    assert "did not begin to send" in error.detail


async def test_a_storage_whose_headers_trickle_is_given_up(tmp_path: Path) -> None:
    async with trickling_server() as address:
        location = S3Location(
            bucket="bucket", key="film.mp4", access_key="key", secret_key=SecretStr("secret"), endpoint=address
        )
        async with s3_client(location, policy=LOOPBACK, read_timeout=5, attempts=1) as client:
            error = await _failure(S3Source(client, location), tmp_path)
    assert error.code == "input_timeout"


async def test_content_that_does_not_begin_is_given_up(tmp_path: Path) -> None:
    async with contentless_server() as address, http_session(policy=LOOPBACK, stall_seconds=5) as session:
        error = await _failure(HttpSource(session, f"{address}/film.mp4"), tmp_path)
    assert error.code == "input_timeout"


async def test_earlier_attempts_count_towards_the_whole(sources: SourceServer, tmp_path: Path) -> None:
    """What is handed back whenever others wait would otherwise never come to an end."""
    (tmp_path / SPENT_FILE).write_text("31.0")
    async with http_session(policy=LOOPBACK, stall_seconds=5) as session:
        source = HttpSource(session, sources.host("film.mp4", bytes(100_000)))
        error = await _failure(source, tmp_path, PermanentError)
    assert error.code == "input_timeout" and "not finished after 31 s" in error.detail


# From here on as a process, on a real bus.


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FetchSite]:
    with nats_server() as nats, FetchSite.opened(nats, tmp_path_factory.mktemp("workspace")) as site:
        yield site


@pytest.fixture
async def client(site: FetchSite) -> AsyncIterator[Client]:
    client = await site.nats.connect()
    yield client
    await client.close()


async def test_what_never_ends_leaves_slots_to_another_organization(
    site: FetchSite, client: Client, sources: SourceServer
) -> None:
    picture = ("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=2")
    clip = made("quick.mp4", *picture, "-c:v", "libx264", "-preset", "ultrafast").read_bytes()
    async with AsyncExitStack() as stack:
        trickling = await stack.enter_async_context(trickling_server())
        silent = await stack.enter_async_context(silent_server())
        slow = sources.host("slow.mp4", clip + bytes(2**22), pause=1)
        hung = site.s3.address("bucket", "films/", endpoint=silent)
        bad = [FetchJob(client, site)]
        bad += [FetchJob(client, site, org=bad[0].org) for _ in range(3)]
        inputs = ((slow, ""), (f"{trickling}/a.mp4", ""), (slow, hung), (slow, ""))
        for job, (source, output) in zip(bad, inputs, strict=True):
            await job.create(source, output)
            await job.admit()
        # So patient that none of them ends by itself.
        with site.fetcher(slots=2, grace_seconds=0, response_seconds=600, patience_seconds=600, stall_seconds=600):

            async def both_slots_are_taken() -> bool:
                return sum([len(await job.said(Started)) for job in bad]) >= 2

            await until(both_slots_are_taken)
            good = [FetchJob(client, site)]
            good.append(FetchJob(client, site, org=good[0].org))
            for number, job in enumerate(good):
                await job.create(sources.host(f"good-{number}.mp4", clip))
                await job.admit()
            for job in good:
                await job.has_said(Fetched, seconds=60)
            assert not [job for job in bad if await job.log.end_of(job.org, job.id)]
