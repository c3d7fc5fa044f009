"""The uploader as a process, against real NATS and a real S3 server: from transcoded parts to a completed job."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from nats.aio.client import Client
from PIL import Image

from shared.events import Cancelled, Completed, Failed, PartTranscoded, PartUploaded
from tests.support.encoded import make_plan, make_record, segment_body, segment_file, still_body, tile_color
from tests.support.faults import Fault, FaultyProxy, every, seen
from tests.support.service import Service
from tests.support.site import PREFIX
from tests.support.stills import color, far_off
from tests.support.uploads import Job, Site, expected_objects

pytestmark = pytest.mark.usefixtures("uploader")


@pytest.fixture
async def client(site: Site) -> AsyncIterator[Client]:
    client = await site.nats.connect()
    yield client
    await client.close()


async def test_a_job_completes(client: Client, site: Site) -> None:
    async with FaultyProxy(site.s3.endpoint) as proxy:
        job = await site.begin(client, endpoint=proxy.endpoint)
        await job.transcode()
        end = await job.end()
        assert isinstance(end, Completed), end
        assert set(job.objects) == expected_objects(job.plan)
        written, read = proxy.of("PUT"), proxy.of("GET")
        assert written[-1] == job.key("video.m3u8"), "the master comes last"
        assert len(written) == len(set(written)), "nothing is written twice"
        assert read[-1] == job.key("video.m3u8"), "and is read back"
        assert not [one for one in proxy.requests if one.method == "POST"], "no multipart uploads"
    assert end.outputs.master == f"s3://{job.bucket}/{PREFIX}/video.m3u8"
    assert end.outputs.bytes == sum(path.stat().st_size for path in job.objects.values())
    assert [one.resolution for one in end.outputs.renditions] == ["240p", "480p"]
    await check_segments(job)
    check_stills(job)
    assert {*end.outputs.thumbnails, *(end.outputs.sprite.model_dump().values() if end.outputs.sprite else ())} == {
        f"s3://{job.bucket}/{PREFIX}/{path}" for path in job.objects if path.startswith(("thumbnails/", "sprite/"))
    }
    await job.cleaned()


async def check_segments(job: Job) -> None:
    objects, total = job.objects, 0
    for part in await job.said(PartTranscoded):
        record = make_record(job.plan, part.part)
        for track in record.tables:
            for number, size in enumerate(track.sizes, start=track.first_segment):
                body = objects[f"{track.folder}/{segment_file(job.plan, part.part, number)}"].read_bytes()
                assert body == segment_body(track.folder, number, size)
                total += size
            if track.whole:
                assert objects[f"{track.folder}/text.vtt"].read_bytes() == segment_body(track.folder, -1, track.whole)
                total += track.whole
        for still in record.stills:
            if still.kind == "thumbnail":
                assert objects[still.path].read_bytes() == still_body(still.kind, still.number)
                total += still.size
    uploaded = await job.said(PartUploaded)
    assert sum(event.bytes for event in uploaded) == total
    assert sum(event.objects for event in uploaded) == sum(came_with_a_part(path) for path in objects)


def came_with_a_part(path: str) -> bool:
    """Whether an object is uploaded with the part that it was made in, not at the end."""
    return (
        path.endswith(".m4s") or path.startswith("thumbnails/") or (path.startswith("text/") and path.endswith(".vtt"))
    )


def check_stills(job: Job) -> None:
    """Every tile is in the sheet, where the cues say."""
    assert job.plan.stills
    objects, chosen = job.objects, job.plan.stills
    sheet = objects["sprite/sprite_image.jpg"]
    size = Image.open(sheet).size
    pieces = re.findall(r"sprite_image\.jpg#xywh=(\d+),(\d+),(\d+),(\d+)", objects["sprite/sprite.vtt"].read_text())
    assert len(pieces) == len(chosen.tiles.frames) == 20
    for number, (left, top, width, height) in enumerate(pieces, start=1):
        found = color(sheet, (int(left) + int(width) / 2) / size[0], (int(top) + int(height) / 2) / size[1])
        assert far_off(found, bytes(tile_color(number))) <= 8, number


async def test_every_object_has_its_content_type(client: Client, site: Site) -> None:
    job = await site.begin(client)
    await job.transcode()
    assert isinstance(await job.end(), Completed)
    types: dict[str, set[str]] = {}
    async with site.s3.client() as s3:
        for path in job.objects:
            head = await s3.head_object(Bucket=job.bucket, Key=f"{PREFIX}/{path}")
            kind = path.partition("/")[0] if path.startswith(("audio/", "text/", "sprite/", "thumbnails/")) else "video"
            types.setdefault(f"{kind} {path.rpartition('.')[2]}", set()).add(head["ContentType"])
    assert types == {
        "video m3u8": {"application/vnd.apple.mpegurl"},
        "audio m3u8": {"application/vnd.apple.mpegurl"},
        "video mpd": {"application/dash+xml"},
        "text m3u8": {"application/vnd.apple.mpegurl"},
        "text vtt": {"text/vtt"},
        "video mp4": {"video/mp4"},
        "audio mp4": {"audio/mp4"},
        "video m4s": {"video/mp4"},
        "audio m4s": {"audio/mp4"},
        "thumbnails jpg": {"image/jpeg"},
        "sprite jpg": {"image/jpeg"},
        "sprite vtt": {"text/vtt"},
    }


async def test_a_job_that_was_planned_without_stills_has_none(client: Client, site: Site) -> None:
    job = await site.begin(client, plan=make_plan(frames=200))
    await job.transcode()
    end = await job.end()
    assert isinstance(end, Completed)
    assert set(job.objects) == expected_objects(job.plan)
    assert (end.outputs.thumbnails, end.outputs.sprite) == ((), None)


async def test_a_lost_tile_is_no_sheet_with_a_gap(client: Client, site: Site) -> None:
    job = await site.begin(client)
    *most, last = job.plan.release_order
    await job.transcode(*most)
    await job.has_said(PartUploaded, len(most))
    (job.folder / "tiles" / "3").unlink()
    await job.transcode(last)
    end = await job.end()
    assert isinstance(end, Failed)
    assert (end.code, end.detail) == ("internal_error", "1 of 20 tiles are missing: [3]")
    assert "sprite/sprite_image.jpg" not in job.objects


async def test_parts_go_up_while_others_are_still_encoded(client: Client, site: Site) -> None:
    job = await site.begin(client)
    first, *others = job.plan.release_order
    await job.transcode(first)
    await job.has_said(PartUploaded, 1)
    assert "audio/0-en/audio_00000.m4s" in job.objects
    part = site.space.part(job.org, job.id, first)
    await seen(lambda: {path.name for path in part.iterdir()} == {"record.json", "uploaded"})
    assert await job.log.end_of(job.org, job.id) is None
    # Out of order, as it comes when several transcoders work.
    await job.transcode(*reversed(others))
    assert isinstance(await job.end(), Completed)


async def test_what_is_there_is_written_over(client: Client, site: Site) -> None:
    job = await site.begin(client)
    async with site.s3.client() as s3:
        for path in ("480p/video_00001.m4s", "video.m3u8"):
            await s3.put_object(Bucket=job.bucket, Key=f"{PREFIX}/{path}", Body=b"of an earlier job, and longer " * 100)
    await job.transcode()
    assert isinstance(await job.end(), Completed)
    await check_segments(job)
    assert job.objects["video.m3u8"].read_text().startswith("#EXTM3U")


async def test_a_lost_object_is_no_success(client: Client, site: Site) -> None:
    job = await site.begin(client)
    *most, last = job.plan.release_order
    await job.transcode(*most)
    await job.has_said(PartUploaded, len(most))
    async with site.s3.client() as s3:
        await s3.delete_object(Bucket=job.bucket, Key=f"{PREFIX}/480p/video_00001.m4s")
        await s3.put_object(Bucket=job.bucket, Key=f"{PREFIX}/240p/video_00002.m4s", Body=b"short")
    await job.transcode(last)
    end = await job.end()
    assert isinstance(end, Failed)
    assert end.code == "output_lost"
    assert "2 of " in end.detail
    assert "480p/video_00001.m4s" in end.detail
    assert "240p/video_00002.m4s" in end.detail
    assert "video.m3u8" not in job.objects
    await job.cleaned()


async def test_a_storage_that_fails_in_a_tenth_of_all_calls(client: Client, site: Site) -> None:
    texts = ("de", None)
    plan = make_plan(
        frames=3000, resolutions=("240p", "480p", "720p"), languages=("en", "de"), texts=texts, stills=True
    )
    async with FaultyProxy(site.s3.endpoint, every(10)) as proxy:
        job = await site.begin(client, endpoint=proxy.endpoint, plan=plan)
        await job.transcode()
        end = await job.end()
        assert isinstance(end, Completed), end
        assert {one.fault for one in proxy.requests} == {None, "unavailable", "refused", "cut"}
        assert proxy.of("PUT")[-1] == job.key("video.m3u8")
    assert set(job.objects) == expected_objects(plan)
    assert end.outputs.bytes == sum(path.stat().st_size for path in job.objects.values())
    await check_segments(job)


async def test_a_storage_that_does_not_let_us_list(client: Client, site: Site) -> None:
    async def no_lists(_number: int, request: web.Request) -> Fault | None:
        if "list-type" in request.query:
            raise web.HTTPForbidden(text="<Error><Code>AccessDenied</Code></Error>", content_type="application/xml")
        return None

    async with FaultyProxy(site.s3.endpoint, no_lists) as proxy:
        job = await site.begin(client, endpoint=proxy.endpoint)
        await job.transcode()
        assert isinstance(await job.end(), Completed)
        asked = set(proxy.of("HEAD"))
        assert asked == {job.key(path) for path in job.objects if came_with_a_part(path) or path.endswith("init.mp4")}


async def test_a_storage_that_is_down_for_a_while(client: Client, site: Site) -> None:
    down = True

    async def trouble(_number: int, _request: web.Request) -> Fault | None:
        return "refused" if down else None

    async with FaultyProxy(site.s3.endpoint, trouble) as proxy:
        job = await site.begin(client, endpoint=proxy.endpoint)
        await job.transcode()
        await seen(lambda: len(proxy.requests) > 20)
        down = False
        assert isinstance(await job.end(), Completed)
    assert set(job.objects) == expected_objects(job.plan)


async def test_wrong_credentials_are_told_and_stay_secret(client: Client, site: Site, uploader: Service) -> None:
    bucket = site.s3.new_bucket()
    job = Job(client, site, make_plan(), bucket)
    await job.begin(site.s3.address(bucket, f"{PREFIX}/").replace(site.s3.secret_key, "Wr0ngSecretWr0ngSecret"))
    await job.transcode("a0")
    end = await job.end()
    assert isinstance(end, Failed)
    assert end.code == "output_credentials_invalid"
    for text in (end.model_dump_json(), uploader.log()):
        assert "Wr0ngSecret" not in text
        assert site.s3.access_key not in text


async def test_a_missing_bucket_is_told(client: Client, site: Site) -> None:
    job = Job(client, site, make_plan(), "no-such-bucket")
    await job.begin(site.s3.address("no-such-bucket", f"{PREFIX}/"))
    await job.transcode("a0")
    end = await job.end()
    assert isinstance(end, Failed)
    assert end.code == "output_bucket_missing"


async def test_a_part_that_is_not_what_was_told_is_never_uploaded(client: Client, site: Site) -> None:
    async with FaultyProxy(site.s3.endpoint) as proxy:
        job = await site.begin(client, endpoint=proxy.endpoint)
        event = await job.leave("v0001")
        (site.space.part(job.org, job.id, "v0001") / "480p/video_00003.m4s").write_bytes(b"cut off")
        await job.log.append(event)
        end = await job.end()
        assert isinstance(end, Failed)
        assert end.code == "internal_error"
        assert "480p/video_00003.m4s has 7 bytes" in end.detail
        assert job.key("480p/video_00003.m4s") not in proxy.of("PUT")
    await job.cleaned()


async def test_cancel_stops_the_upload_at_once(client: Client, site: Site) -> None:
    release = asyncio.Event()

    async def stuck(_number: int, request: web.Request) -> Fault | None:
        if request.method == "PUT" and "_00001" in request.path:
            await release.wait()
        return None

    async with FaultyProxy(site.s3.endpoint, stuck) as proxy:
        job = await site.begin(client, endpoint=proxy.endpoint)
        await job.transcode()
        await seen(lambda: len(proxy.of("PUT")) > 4)
        await job.log.append(Cancelled(org=job.org, job=job.id))
        await job.cleaned()
        events, objects = await job.events(), set(job.objects)
        release.set()
        await asyncio.sleep(1)
        assert await job.events() == events, "nothing is said after the end"
        assert set(job.objects) == objects, "nothing is written after the end"
    assert "video.m3u8" not in job.objects
    assert not job.folder.exists()


async def test_what_appears_after_the_end_is_removed_too(client: Client, site: Site) -> None:
    job = await site.begin(client)
    await job.log.append(Cancelled(org=job.org, job=job.id))
    await job.cleaned()
    # A transcoder that has not heard of the end yet begins another attempt.
    with site.space.attempt(job.org, job.id, "v0000") as folder:
        (folder / "240p.mp4").write_bytes(b"x")
        await job.cleaned()


async def test_running_jobs_are_not_swept(client: Client, site: Site) -> None:
    running, ended = await site.begin(client), await site.begin(client)
    for job in (running, ended):
        with site.space.attempt(job.org, job.id, "v0000") as folder:
            site.space.finish(folder, job.org, job.id, "v0000", "{}")
    await ended.log.append(Cancelled(org=ended.org, job=ended.id))
    await ended.cleaned()
    assert site.space.finished(running.org, running.id, "v0000") == "{}"
    await running.log.append(Cancelled(org=running.org, job=running.id))
    await running.cleaned()
