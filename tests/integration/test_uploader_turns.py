"""Uploads of one organization do not keep another waiting, whatever its bucket and its files are like."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from nats.aio.client import Client

from services.uploader.bucket import bucket as bucket_module
from services.uploader.bucket.bucket import Bucket
from shared.bus.topology import JOBS, UPLOADER
from shared.errors import TransientError
from shared.events import Cancelled, Completed, PartRequested, PartUploaded
from shared.locations import S3Location
from shared.storage import s3_client
from tests.support.bus import until
from tests.support.encoded import make_plan
from tests.support.faults import Fault, FaultyProxy
from tests.support.hangs import silent_server
from tests.support.policies import LOOPBACK
from tests.support.uploads import Job, Site


@pytest.fixture
async def client(site: Site) -> AsyncIterator[Client]:
    client = await site.nats.connect()
    yield client
    await client.close()


async def slowly(_number: int, _request: web.Request) -> Fault | None:
    await asyncio.sleep(0.5)
    return None


async def test_hung_buckets_and_endless_files_leave_slots_to_others(client: Client, site: Site) -> None:
    async with silent_server() as silent, FaultyProxy(site.s3.endpoint, trouble=slowly) as slow:
        with site.uploader(slots=2, grace_seconds=0):
            # Two of them hold both slots, the rest is a long queue before whoever comes next.
            hung = await site.begin(client, endpoint=silent)
            await hung.transcode(*hung.plan.release_order[:2])
            many = make_plan(frames=360 * 150, segments_in_part=60)
            endless = Job(client, site, many, await asyncio.to_thread(site.s3.new_bucket), org=hung.org)
            await endless.begin(site.s3.address(endless.bucket, "films/one/", endpoint=slow.endpoint))
            await endless.transcode(*many.release_order[:6])
            await until(lambda: _both_slots_are_taken(client))
            good = await site.begin(client)
            await good.transcode()
            assert isinstance(await good.end(), Completed)
            assert not await endless.log.end_of(endless.org, endless.id)
            assert len(await endless.said(PartUploaded)) < 6
            for job in (hung, endless):
                await job.log.append(Cancelled(org=job.org, job=job.id))


async def _both_slots_are_taken(client: Client) -> bool:
    info = await client.jetstream().consumer_info(JOBS, UPLOADER.name)
    return bool(info.num_ack_pending == 2)


async def test_whatever_part_is_uploaded_the_next_one_is_requested(client: Client, site: Site) -> None:
    plan = make_plan(frames=1050, window=2)
    with site.uploader():
        job = await site.begin(client, plan=plan)
        order = plan.release_order
        await job.request(*order[:2])
        # The first part takes its time; all others come and go meanwhile.
        for number in range(1, len(order)):
            await job.transcode(order[number])
            expected = order[: min(number + 2, len(order))]
            await job.has_said(PartRequested, len(expected))
            await job.has_said(PartUploaded, number)
            assert [event.part for event in await job.said(PartRequested)] == list(expected)
        await job.transcode(order[0])
        assert isinstance(await job.end(), Completed)
    requests = await job.said(PartRequested)
    assert [event.work for event in requests] == [plan.work_of(part) for part in order]
    assert [event.left for event in requests] == [plan.work_from(part) for part in order]


async def test_requests_of_the_version_before_are_gone_on_with(client: Client, site: Site) -> None:
    plan = make_plan(frames=1050, window=2)
    order = plan.release_order
    with site.uploader():
        job = await site.begin(client, plan=plan)
        # Its second part was uploaded first, and requested the fourth.
        for part in (order[0], order[1], order[3]):
            await job.log.append(PartRequested(org=job.org, job=job.id, part=part))
        await job.transcode(order[1], order[0], *order[2:])
        assert isinstance(await job.end(), Completed)
    assert {event.part for event in await job.said(PartRequested)} == set(order)


@pytest.mark.parametrize("call", ["put", "read", "size", "sizes"])
async def test_a_storage_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    monkeypatch.setattr(bucket_module, "_REQUEST_SECONDS", 0.2)
    async with silent_server() as endpoint:
        location = S3Location(bucket="bucket", key="films/one", endpoint=endpoint)
        async with s3_client(location, policy=LOOPBACK) as s3:
            arguments = ("video.m3u8", b"") if call == "put" else ("video.m3u8",)
            with pytest.raises(TransientError) as caught:
                async with asyncio.timeout(10):
                    await getattr(Bucket(s3, location), call)(*arguments)
    assert caught.value.code == "output_unreachable"
