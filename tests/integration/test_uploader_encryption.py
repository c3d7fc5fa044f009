"""The uploader encrypts what it uploads: real processes, a real bus and a real storage, and the checker on what lies there."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client

from checker.judging import encryption
from checker.reading import Reading
from checker.rules import apply_rules
from shared.encryption.keys import KeySet
from shared.encryption.protection import Scheme
from shared.events import Completed, Failed, PartUploaded
from tests.support.encoded import make_plan
from tests.support.encrypted import KEY_FILE, content_key, protection
from tests.support.faults import FaultyProxy, Hold, seen
from tests.support.service import Service
from tests.support.uploads import Job, Site, expected_objects
from tests.support.written import Memory

KEY = content_key()


def key_set(scheme: Scheme = "cbcs") -> KeySet:
    return KeySet(protection(scheme), (KEY,))


@pytest.fixture
async def client(site: Site) -> AsyncIterator[Client]:
    client = await site.nats.connect()
    yield client
    await client.close()


async def begin(client: Client, site: Site, scheme: Scheme = "cbcs", *, endpoint: str = "") -> Job:
    plan = make_plan(frames=500, languages=("en", "de"), texts=("en",), stills=True)
    return await site.begin(client, plan=plan, keys=key_set(scheme), endpoint=endpoint)


def contents(job: Job) -> dict[str, bytes]:
    return {path: file.read_bytes() for path, file in job.objects.items()}


async def violated(job: Job) -> set[str]:
    """Rules about encryption, and about what lies where, that the objects in the bucket break."""
    files = contents(job) | {f"/{KEY_FILE}": KEY.key}
    rules = {rule.id for rule in encryption.RULES} | {
        "millrace-uri",
        "millrace-iframes",
        "apple-6.10",
        "dash-initialization",
    }
    return rules & set(apply_rules(await Reading(Memory(files)).presentation("video.m3u8")).violated)


async def test_killed_while_uploading_and_the_same_again(client: Client, site: Site, uploader: Service) -> None:
    """What a killed uploader has left and what the next one adds are, together, what any other uploader would have written."""
    hold = Hold("PUT", "480p/video_00003.m4s")
    async with FaultyProxy(site.s3.endpoint, hold) as proxy:
        job, again = await begin(client, site, endpoint=proxy.endpoint), await begin(client, site)
        await asyncio.gather(job.transcode(), again.transcode())
        await seen(lambda: hold.holding > 0)
        uploader.kill()
        hold.let_go()
        await asyncio.to_thread(uploader.start)
        ends = [await job.end(), await again.end()]
        assert KEY.key.hex() not in uploader.log()
    for end in ends:
        assert isinstance(end, Completed), end
        assert end.outputs.compliance
        found = {one.rule for one in end.outputs.compliance.violations}
        assert not found & {rule.id for rule in encryption.RULES}
        assert end.outputs.bytes == sum(map(len, contents(job).values()))
    assert set(job.objects) == expected_objects(job.plan)
    assert contents(job) == contents(again)
    assert await violated(job) == set()
    for path in ("240p/init.mp4", "audio/0-en/init.mp4", "audio/0-en/dash_init.mp4"):
        assert KEY.kid in contents(job)[path] and b"tenc" in contents(job)[path]
    # What is no segment of video or audio stays as it is.
    assert contents(job)["thumbnails/thumbnail_1.jpg"] == b"thumbnail 1"
    assert contents(job)["text/0-en/text_00000.vtt"].startswith(b"text/0-en#0;")


@pytest.mark.usefixtures("uploader")
async def test_whole_segments(client: Client, site: Site) -> None:
    job = await begin(client, site, "aes-128")
    await job.transcode()
    end = await job.end()
    assert isinstance(end, Completed), end
    objects = contents(job)
    assert set(objects) == {path for path in expected_objects(job.plan) if not path.endswith(("iframes.m3u8", ".mpd"))}
    assert end.outputs.dash is None
    assert end.outputs.bytes == sum(map(len, objects.values()))
    assert sum(event.bytes for event in await job.said(PartUploaded)) == sum(
        len(body) for path, body in objects.items() if path.endswith((".m4s", ".vtt", ".jpg")) and "sprite" not in path
    )
    assert all(len(body) % 16 == 0 for path, body in objects.items() if path.endswith(".m4s"))
    assert b"segment of" not in b"".join(body for path, body in objects.items() if path.endswith(".m4s"))


@pytest.mark.usefixtures("uploader")
async def test_a_part_that_nobody_laid_out_for_encryption_goes_nowhere(client: Client, site: Site) -> None:
    job = await begin(client, site)
    job.keys = None
    await job.transcode("v0000")
    end = await job.end()
    assert isinstance(end, Failed), end
    assert end.code == "internal_error" and "cannot be encrypted" in end.detail
    assert not [path for path in job.objects if path.endswith(".m4s")]
