"""Uploaders that are killed, stopped, frozen, or several: the job completes, with one end, and nothing is done over."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client

from shared.bus.topology import DEAD
from shared.events import Completed, PartUploaded
from tests.support.encoded import make_plan
from tests.support.faults import FaultyProxy, Hold, seen
from tests.support.uploads import Site, expected_objects


@pytest.fixture
async def client(site: Site) -> AsyncIterator[Client]:
    client = await site.nats.connect()
    yield client
    await client.close()


async def dead_letters(client: Client) -> int:
    return int((await client.jetstream().stream_info(DEAD)).state.messages)


async def test_killed_while_uploading(client: Client, site: Site) -> None:
    hold = Hold("PUT", "480p/video_00003.m4s")
    async with FaultyProxy(site.s3.endpoint, hold) as proxy:
        async with site.uploader() as uploader:
            job = await site.begin(client, endpoint=proxy.endpoint)
            await job.transcode("a0", "a1", "t0", "v0000")
            await job.has_said(PartUploaded, 4)
            await job.transcode("v0001", "v0002", "v0003")
            await seen(lambda: hold.holding > 0)
            uploader.kill()
            hold.let_go()
            await asyncio.to_thread(uploader.start)
            assert isinstance(await job.end(), Completed)
            await job.cleaned()
        written = proxy.of("PUT")
        assert written.count(job.key("480p/video_00001.m4s")) == 1, "a finished part is not uploaded again"
    assert set(job.objects) == expected_objects(job.plan)


async def test_killed_while_finishing(client: Client, site: Site) -> None:
    hold = Hold("PUT", "one/video.m3u8")
    async with FaultyProxy(site.s3.endpoint, hold) as proxy:
        async with site.uploader() as uploader:
            job = await site.begin(client, endpoint=proxy.endpoint)
            await job.transcode()
            await seen(lambda: hold.holding > 0)
            uploader.kill()
            hold.let_go()
            await asyncio.to_thread(uploader.start)
            assert isinstance(await job.end(), Completed)
            await job.cleaned()
        segments = [path for path in proxy.of("PUT") if path.endswith(".m4s")]
        assert len(segments) == len(set(segments)), "no segment goes up twice"
    assert set(job.objects) == expected_objects(job.plan)


async def test_stopped_while_uploading(client: Client, site: Site) -> None:
    hold = Hold("PUT", "480p/video_00003.m4s")
    async with FaultyProxy(site.s3.endpoint, hold) as proxy, site.uploader(grace_seconds=0.5) as uploader:
        job = await site.begin(client, endpoint=proxy.endpoint)
        await job.transcode()
        await seen(lambda: hold.holding > 0)
        await asyncio.to_thread(uploader.stop)
        assert "work handed back" in uploader.log()
        hold.let_go()
        await asyncio.to_thread(uploader.start)
        assert isinstance(await job.end(), Completed)
    assert set(job.objects) == expected_objects(job.plan)


async def test_frozen_while_finishing(client: Client, site: Site) -> None:
    """Its lease runs out, another finishes the job; when it thaws, it does no harm."""
    hold, before = Hold("PUT", "one/video.m3u8"), await dead_letters(client)
    async with FaultyProxy(site.s3.endpoint, hold) as proxy, site.uploader() as first:
        job = await site.begin(client, endpoint=proxy.endpoint)
        await job.transcode()
        await seen(lambda: hold.holding > 0)
        os.kill(first.pid, signal.SIGSTOP)
        hold.let_go()
        async with site.uploader() as second:
            assert isinstance(await job.end(), Completed)
            await job.cleaned()
            events = await job.events()
            os.kill(first.pid, signal.SIGCONT)
            await seen(lambda: "work stopped" in first.log() or first.log().count('"completed"') > 0)
            assert second.log().count('"completed"') == 1
        assert await job.events() == events
    assert set(job.objects) == expected_objects(job.plan)
    assert await dead_letters(client) == before


async def test_many_jobs_over_two_uploaders(client: Client, site: Site) -> None:
    async with site.uploader() as first, site.uploader() as second:
        plan = make_plan(frames=600, segments_in_part=1, stills=True)
        jobs = [await site.begin(client, plan=plan) for _ in range(6)]
        await asyncio.gather(*(job.transcode() for job in jobs))
        for job in jobs:
            assert isinstance(await job.end(), Completed)
            assert set(job.objects) == expected_objects(plan)
            assert len([one for one in await job.events() if one.event.subject.startswith("end.")]) == 1
            await job.cleaned()
        assert "part uploaded" in first.log()
        assert "part uploaded" in second.log()
    assert site.space.jobs() == []
