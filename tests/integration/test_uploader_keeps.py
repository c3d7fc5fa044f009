"""What the janitor keeps of ended jobs for their retries, and for how long."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from nats.aio.client import Client

from services.uploader.bucket.buckets import Buckets
from services.uploader.cleanup import CleanUp
from services.uploader.early import EarlyPlayback
from services.uploader.finish import Finish
from services.uploader.withdraw import Withdraw
from shared.addresses import AddressPolicy
from shared.bus.vault import Vault
from shared.events import Cancelled, Completed, Failed, now
from shared.s3_clients import S3Clients
from shared.sealing import Sealer
from shared.workspace.inheritance import DOWNLOAD_STATE
from shared.workspace.shared_folder import SharedFolder
from tests.support.bus import until
from tests.support.servers import NatsServer
from tests.support.uploads import Job, Site

HOUR = 3600


@pytest.fixture
def site(nats_server_of_module: NatsServer, tmp_path: Path) -> Iterator[Site]:
    with Site.opened(nats_server_of_module, tmp_path / "workspace") as site:
        yield site


@pytest.fixture
async def client(site: Site) -> AsyncIterator[Client]:
    client = await site.nats.connect()
    yield client
    await client.close()


async def begun(client: Client, site: Site) -> Job:
    """A job with its source and a finished part."""
    job = await site.begin(client)
    with site.space.fetching(job.org, job.id) as folder:
        (folder / "source.bin").write_bytes(b"x" * 1000)
        (folder / DOWNLOAD_STATE).write_text("{}")
    await job.leave("v0000")
    return job


def janitor(client: Client, site: Site, job: Job, **limits: int) -> CleanUp:
    """Of this process."""
    vault = Vault(client, Sealer([site.key]))
    space, buckets = SharedFolder(site.space.root.as_uri()), Buckets(vault, S3Clients(AddressPolicy()))
    early = EarlyPlayback(job.log, buckets, space, Finish(job.log, buckets, space, parallel=1), parallel=1)
    withdraw = Withdraw(job.log, buckets, early)
    return CleanUp(job.log, vault, space, withdraw, **({"keep_seconds": HOUR, "keep_free": 0} | limits))


def kept(site: Site) -> list[str]:
    return [one.job for one in site.space.kept.all()]


@pytest.mark.parametrize("kind", [Failed, Cancelled])
async def test_what_a_retry_could_use_stays_and_credentials_go(
    client: Client, site: Site, kind: type[Failed | Cancelled]
) -> None:
    job, completed = await begun(client, site), await begun(client, site)
    with site.uploader(keep_for_retry_seconds=HOUR):
        more = {"code": "output_unreachable", "message": "x"} if kind is Failed else {}
        await job.log.append(kind(org=job.org, job=job.id, **more))
        await job.cleaned()
        assert kept(site) == [job.id]
        await completed.transcode()
        assert isinstance(await completed.end(), Completed)
        await completed.cleaned()
        assert kept(site) == [job.id], "a completed job leaves nothing"
    with site.uploader(keep_for_retry_seconds=0):
        await until(lambda: is_empty(site), what="an empty work space")


async def is_empty(site: Site) -> bool:
    return await asyncio.to_thread(lambda: list(site.space.root.iterdir()) == [])


@pytest.mark.parametrize(
    "code", ["input_not_video", "input_truncated", "encode_failed", "internal_error", "unheard_of"]
)
async def test_what_the_failure_may_lie_in_is_not_kept(client: Client, site: Site, code: str) -> None:
    job = await begun(client, site)
    await janitor(client, site, job)(Failed(org=job.org, job=job.id, code=code, message="x"))
    assert list(site.space.root.iterdir()) == []


async def test_what_is_kept_gives_way_where_room_is_short(client: Client, site: Site) -> None:
    job = await begun(client, site)
    await job.log.append(Cancelled(org=job.org, job=job.id))
    await janitor(client, site, job)(Cancelled(org=job.org, job=job.id))
    assert kept(site) == [job.id]
    with site.uploader(keep_for_retry_seconds=HOUR, keep_free_bytes=2**60):
        await until(lambda: is_empty(site), what="an empty work space")


async def test_it_goes_when_its_time_is_over(client: Client, site: Site) -> None:
    """Counted from the job's end, whenever a janitor comes to it, and whichever finds it."""
    job, long_ago = await begun(client, site), await begun(client, site)
    for each, hours in ((job, 0.5), (long_ago, 2)):
        end = Cancelled(org=each.org, job=each.id, at=now() - timedelta(hours=hours))
        await each.log.append(end)
    sweeper = janitor(client, site, job)
    await sweeper.sweep()
    assert kept(site) == [job.id] and site.space.jobs() == []
    await sweeper.sweep()
    assert kept(site) == [job.id]
    await janitor(client, site, job, keep_seconds=HOUR // 4).sweep()
    assert list(site.space.root.iterdir()) == []
