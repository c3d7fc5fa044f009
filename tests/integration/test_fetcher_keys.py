"""The keys of encrypted jobs at the fetcher: the same ones whatever happens, and waited for where they cannot be had yet."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import web
from nats.aio.client import Client

from services.api.drm.encryption import key_set
from services.fetcher.keys.keys import JobKeys
from services.fetcher.keys.services import KeyServices
from shared.bus.vault import JobAddresses
from shared.encryption.keys import ContentKey
from shared.encryption.providers import SealedStore
from shared.encryption.request import EncryptionRequest
from shared.errors import PermanentError
from shared.events import Created, Fetched
from tests.support.bus import until
from tests.support.clips import made
from tests.support.fetches import FetchJob, FetchSite
from tests.support.guarded_bus import GuardedBus
from tests.support.key_services import KeyServer, key_service
from tests.support.policies import ANYWHERE
from tests.support.service import Service
from tests.support.sources import SourceServer, source_server
from tests.support.waits import waiting

SHARED = EncryptionRequest(scheme="cbcs", systems=("widevine", "fairplay"))
SEPARATE = SHARED.model_copy(update={"keys": "separate"})


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FetchSite]:
    """With a bus on which a fetcher may do what it has to and nothing else."""
    with GuardedBus() as bus, FetchSite.opened(bus, tmp_path_factory.mktemp("workspace")) as site:
        yield site


@pytest.fixture(scope="module")
def fetcher(site: FetchSite) -> Iterator[Service]:
    with one_of_its_own_user(site) as running:
        yield running


def one_of_its_own_user(site: FetchSite) -> Service:
    return site.fetcher(nats_url=site.nats.url.replace("://", "://fetcher:fetcher@"))


@pytest.fixture
async def client(site: FetchSite) -> AsyncIterator[Client]:
    client = await site.nats.connect()
    yield client
    await client.close()


@pytest.fixture
async def source() -> AsyncIterator[str]:
    """The address of a second of pictures, in SD."""
    picture = ("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=1")
    clip = made("waited-for.mp4", *picture, "-c:v", "libx264", "-preset", "ultrafast").read_bytes()
    async with source_server() as server:
        yield _hosted(server, clip)


def _hosted(server: SourceServer, clip: bytes) -> str:
    return server.host("clip.mp4", clip, etags=lambda: '"1"')


@pytest.fixture
async def server() -> AsyncIterator[KeyServer]:
    async with key_service() as running:
        yield running


@pytest.fixture
def job(client: Client, site: FetchSite) -> FetchJob:
    return FetchJob(client, site)


async def fetched(job: FetchJob) -> Fetched:
    (event,) = await job.has_said(Fetched, seconds=60)
    return event


async def test_keys_that_the_api_has_kept_are_told_of_and_not_told(
    site: FetchSite, client: Client, fetcher: Service, source: str
) -> None:
    recipes = set()
    for number in (1, 1, 2):
        job = FetchJob(client, site, content_id="0" * 32)
        keys = tuple(ContentKey(tracks, bytes(16), bytes(16), bytes([number]) * 16) for tracks in SEPARATE.tracks)
        kept = key_set(keys, SEPARATE, job.content_id)
        await job.create(source, encryption=SEPARATE, provider=SealedStore(), keys=kept)
        await job.admit()
        told = await fetched(job)
        # There is no sound, and no large picture.
        assert told.protection == kept.only_for({"sd"}).protection
        assert bytes([number]).hex() * 16 not in told.model_dump_json()
        recipes.add(told.recipe)
    clear = FetchJob(client, site)
    await clear.create(source)
    await clear.admit()
    recipes.add((await fetched(clear)).recipe)
    assert len(recipes) == 3, "what is encrypted with another key, or not at all, is of no use to a retry"
    assert "" not in recipes


async def test_a_service_that_is_down_is_waited_for(
    client: Client, fetcher: Service, job: FetchJob, server: KeyServer, source: str
) -> None:
    async def down(_: web.Request, __: bytes) -> web.StreamResponse:
        return web.Response(status=503)

    server.manner = down
    await job.create(source, encryption=SHARED, provider=server.tpstreams)
    await job.admit()
    shown = await until(lambda: waiting(client, job.org, job.id, "admitted"), seconds=30)
    assert shown
    assert (shown.code, shown.service) == ("drm_key_unavailable", "fetcher")
    server.manner = None
    told = await fetched(job)
    assert told.protection
    assert told.protection.keys[0].kid == job.content_id
    (key,) = await job.vault.keys(job.org, job.id)
    assert key.key == server.secret("key", job.content_id)
    assert key.key.hex() not in told.model_dump_json() + fetcher.log()


async def test_a_service_that_refuses_ends_the_job(
    fetcher: Service, job: FetchJob, server: KeyServer, source: str
) -> None:
    stranger = server.tpstreams.model_copy(update={"signing_key": "0" * 64})
    await job.create(source, encryption=SHARED, provider=stranger)
    await job.admit()
    failed = await job.failed(seconds=60)
    assert (failed.code, "answered 403" in failed.detail) == ("drm_key_refused", True)
    assert "set them again" in failed.message


async def test_a_fetcher_that_is_killed_while_it_asks(
    site: FetchSite, job: FetchJob, server: KeyServer, source: str, fetcher: Service
) -> None:
    fetcher.stop()
    released = asyncio.Event()

    async def held(_: web.Request, __: bytes) -> None:
        await released.wait()

    server.manner = held
    await job.create(source, encryption=SEPARATE, provider=server.speke)
    await job.admit()
    with one_of_its_own_user(site) as first:

        async def asked() -> bool:
            return bool(server.asked)

        await until(asked, seconds=30)
        first.kill()
        released.set()
        first.start()
        told = await fetched(job)
    fetcher.start()
    assert told.protection
    assert [key.tracks for key in told.protection.keys] == ["sd"]
    assert [key.tracks for key in await job.vault.keys(job.org, job.id)] == ["audio", "sd", "hd"]


async def test_the_first_answer_stands_whoever_asks_after_it(job: FetchJob, server: KeyServer) -> None:
    """As where a fetcher dies between asking and publishing, and where two work on the same job."""
    created = Created(
        org=job.org,
        job=job.id,
        input_url="https://example.com/a.mp4",
        output_path="s3://bucket/a/",
        resolutions=("480p",),
        enable_drm=True,
        drm_content_id=job.content_id,
        encryption=SHARED,
    )
    await job.create("https://example.com/a.mp4", "s3://bucket/a/", encryption=SHARED, provider=server.tpstreams)
    both = asyncio.Barrier(2)

    async def other_keys_each_time(_: web.Request, __: bytes) -> None:
        number = len(server.asked)
        await both.wait()
        server.round = number

    server.manner = other_keys_each_time
    found = [JobKeys(job.vault, KeyServices(ANYWHERE, 20)) for _ in range(2)]
    first, second = await asyncio.gather(*(each(created) for each in found))
    assert first
    assert first == second
    assert len(server.asked) == 2, "both have asked, and been told other keys"
    assert await found[0](created) == first
    assert len(server.asked) == 2, "what is kept is not asked for"
    # Once the job has ended there is nothing left to be had.
    await job.vault.forget(job.org, job.id)
    assert await job.vault.key_set(job.org, job.id) is None
    await job.vault.put(job.org, job.id, JobAddresses("https://example.com/a.mp4", "s3://bucket/a/"), SealedStore())
    with pytest.raises(PermanentError, match="credentials_lost"):
        await found[0](created)
