"""Playlists that grow while the parts of a job come in: in a real bucket, by uploaders that are killed, and taken back if it fails."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from nats.aio.client import Client

from shared.encryption.keys import KeySet
from shared.events import Cancelled, Completed, PartUploaded, Playable, PlaybackExtended
from tests.support.bus import until
from tests.support.encoded import make_plan
from tests.support.encrypted import content_key, protection
from tests.support.faults import Fault, FaultyProxy, Hold, seen
from tests.support.samples import failed
from tests.support.service import Service
from tests.support.site import PREFIX
from tests.support.uploads import Job, Site, expected_objects

PLAYLISTS = ("240p/video.m3u8", "480p/video.m3u8", "audio/0-en/audio.m3u8", "text/0-en/text.m3u8")
PLAN = make_plan(frames=1500, texts=("en",))
"""Five parts of two segments, beside the sound and the text."""


@pytest.fixture
async def client(site: Site) -> AsyncIterator[Client]:
    client = await site.nats.connect()
    yield client
    await client.close()


def listed(job: Job, path: str) -> tuple[str, int]:
    """What a playlist in the bucket says it is, and how many segments it lists."""
    text = job.objects[path].read_text()
    assert text.endswith("#EXT-X-ENDLIST\n") == (":VOD" in text)
    return "VOD" if ":VOD" in text else "EVENT", text.count("#EXTINF")


async def test_they_grow_with_what_is_there_without_a_gap(client: Client, site: Site, uploader: Service) -> None:
    job = await site.begin(client, plan=PLAN, early=True)
    await job.transcode("a0", "v0001")
    await job.has_said(PartUploaded, 2)
    await job.transcode("v0000")
    await job.has_said(PartUploaded, 3)
    assert not [path for path in job.objects if path.endswith(".m3u8")], "the text is missing"
    await job.transcode("t0")
    await job.has_said(Playable, 1)
    for path in PLAYLISTS:
        assert listed(job, path) == ("EVENT", 4)
    assert {f"{path.partition('/')[0]}/init.mp4" for path in PLAYLISTS[:2]} <= job.objects.keys()
    assert "video.m3u8" in job.objects
    async with site.s3.client() as s3:
        head = await s3.head_object(Bucket=job.bucket, Key=f"{PREFIX}/{PLAYLISTS[0]}")
        assert head["CacheControl"] == "no-cache"
    await job.transcode("v0003")
    await job.has_said(PartUploaded, 5)
    assert listed(job, PLAYLISTS[0]) == ("EVENT", 4), "part 2 is missing"
    await job.transcode("v0002")
    await job.has_said(PlaybackExtended, 1)
    for path in PLAYLISTS:
        assert listed(job, path) == ("EVENT", 8)
    await job.transcode("v0004")
    end = await job.end()
    assert isinstance(end, Completed), end
    for path in PLAYLISTS:
        assert listed(job, path) == ("VOD", 10)
    (playable,), extended = await job.said(Playable), await job.said(PlaybackExtended)
    assert playable.master == end.outputs.master
    assert [playable.segments, *(event.segments for event in extended)] == [4, 8]
    lines = [line for line in uploader.log().splitlines() if job.id in line]
    assert len([line for line in lines if '"completed"' in line]) == 1
    assert set(job.objects) == expected_objects(job.plan)


async def test_what_is_too_short_is_playable_when_it_is_complete(client: Client, site: Site, uploader: Service) -> None:
    for plan in (make_plan(frames=200), make_plan(resolutions=(), frames=200)):
        job = await site.begin(client, plan=plan, early=True)
        await job.transcode()
        assert isinstance(await job.end(), Completed)
        kinds = [event.event.subject for event in await job.events()]
        assert kinds[-2:] == ["playable", "end.completed"]


@pytest.mark.parametrize("path", ["480p/video.m3u8", "one/video.m3u8"])
async def test_killed_while_writing_them(client: Client, site: Site, path: str) -> None:
    """With the first playlists, and again with longer ones where these have that object."""
    hold = Hold("PUT", path)
    async with FaultyProxy(site.s3.endpoint, hold) as proxy, site.uploader() as uploader:
        job = await site.begin(client, endpoint=proxy.endpoint, plan=PLAN, early=True)
        await job.transcode("a0", "t0", "v0000")
        await seen(lambda: hold.holding > 0)
        assert await job.said(Playable) == []
        # Another part comes in between, whose uploader has nothing to do with it.
        await job.transcode("v0001")
        await job.has_said(PartUploaded, 4)
        uploader.kill()
        hold.let_go()
        await asyncio.to_thread(uploader.start)
        await job.has_said(Playable, 1)
        assert {listed(job, path) for path in PLAYLISTS} == {("EVENT", 4)}
        await job.transcode("v0002", "v0003", "v0004")
        assert isinstance(await job.end(), Completed)
        assert {listed(job, path) for path in PLAYLISTS} == {("VOD", 10)}
        assert len(await job.said(Playable)) == 1
    assert set(job.objects) == expected_objects(job.plan)


async def test_encrypted_from_the_first_segment_on(client: Client, site: Site, uploader: Service) -> None:
    keys = KeySet(protection("cbcs"), (content_key(),))
    job = await site.begin(client, plan=PLAN, keys=keys, early=True)
    await job.transcode("a0", "t0", "v0000")
    await job.has_said(Playable, 1)
    for path in PLAYLISTS[:3]:
        assert listed(job, path) == ("EVENT", 2)
        assert "#EXT-X-KEY:METHOD=SAMPLE-AES" in job.objects[path].read_text()
    assert b"encv" in job.objects["240p/init.mp4"].read_bytes()
    assert "#EXT-X-SESSION-KEY" in job.objects["video.m3u8"].read_text()
    await job.transcode("v0001", "v0002", "v0003", "v0004")
    assert isinstance(await job.end(), Completed)


@pytest.mark.parametrize("ending", ["failed", "cancelled", "cancelled in the middle"])
async def test_they_are_taken_back(client: Client, site: Site, uploader: Service, ending: str) -> None:
    hold = Hold("PUT", "480p/video.m3u8")
    async with FaultyProxy(site.s3.endpoint) as proxy:
        job = await site.begin(client, endpoint=proxy.endpoint, plan=PLAN, early=True)
        await job.transcode("a0", "t0", "v0000")
        await job.has_said(Playable, 1)
        segments = {path for path in job.objects if path.endswith((".m4s", ".vtt"))}
        if ending.endswith("middle"):
            proxy.trouble = hold
            await job.transcode("v0001")
            await seen(lambda: hold.holding > 0)
        event = failed(job.id, job.org) if ending == "failed" else Cancelled(org=job.org, job=job.id)
        await job.log.append(event)
        hold.let_go()
        await job.cleaned()
        assert not [path for path in job.objects if path.endswith((".m3u8", ".mpd"))]
        assert segments <= job.objects.keys(), "a retry uses them"


async def test_what_may_not_be_removed_is_emptied(client: Client, site: Site, uploader: Service) -> None:
    async def refuses(_number: int, request: web.Request) -> Fault | None:
        if request.method == "DELETE":
            raise web.HTTPForbidden(text="<Error><Code>AccessDenied</Code></Error>", content_type="application/xml")
        return None

    async with FaultyProxy(site.s3.endpoint, refuses) as proxy:
        job = await site.begin(client, endpoint=proxy.endpoint, plan=PLAN, early=True)
        await job.transcode("a0", "t0", "v0000")
        await job.has_said(Playable, 1)
        await job.log.append(Cancelled(org=job.org, job=job.id))
        await job.cleaned()
        for path in ("video.m3u8", *PLAYLISTS):
            assert job.objects[path].read_bytes() == b"#EXTM3U\n"
        assert "video.mpd" not in job.objects
        assert '"emptied": 5' in uploader.log()


async def test_a_storage_that_is_out_of_order_is_waited_for(client: Client, site: Site, uploader: Service) -> None:
    broken = True

    async def decide(_number: int, _request: web.Request) -> Fault | None:
        return "unavailable" if broken else None

    async with FaultyProxy(site.s3.endpoint) as proxy:
        job = await site.begin(client, endpoint=proxy.endpoint, plan=PLAN, early=True)
        await job.transcode("a0", "t0", "v0000")
        await job.has_said(Playable, 1)
        proxy.trouble = decide
        await job.log.append(Cancelled(org=job.org, job=job.id))
        refused = len(proxy.requests)
        await seen(lambda: len(proxy.requests) > refused)
        broken = False

        async def gone() -> bool:
            return not [path for path in job.objects if path.endswith(".m3u8")]

        await until(gone, seconds=60, what="the playlists are gone")
        await job.cleaned()
