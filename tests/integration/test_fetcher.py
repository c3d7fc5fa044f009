"""The fetcher as a process, against real NATS, a real S3 server, and HTTP sources: from admitted to requested parts."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from fractions import Fraction

import aiohttp
import pytest
from nats.aio.client import Client

from services.fetcher.download.download import SOURCE_FILE, STATE_FILE
from services.fetcher.output_check import PROBE_NAME
from shared.events import Cancelled, Failed, Fetched, PartRequested, Started
from tests.support.bus import until
from tests.support.clips import made
from tests.support.fetches import FetchJob, FetchSite
from tests.support.servers import nats_server
from tests.support.service import Service
from tests.support.sources import SourceServer, source_server

KILOBYTE, MEGABYTE = 1024, 1024**2
CHUNK = 64 * KILOBYTE


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FetchSite]:
    with nats_server() as nats, FetchSite.opened(nats, tmp_path_factory.mktemp("workspace")) as site:
        yield site


@pytest.fixture(scope="module")
def fetcher(site: FetchSite) -> Iterator[Service]:
    with site.fetcher(chunk_bytes=CHUNK, connections=3, part_window=3) as running:
        yield running


@pytest.fixture
async def client(site: FetchSite) -> AsyncIterator[Client]:
    client = await site.nats.connect()
    yield client
    await client.close()


@pytest.fixture
async def sources() -> AsyncIterator[SourceServer]:
    async with source_server() as server:
        yield server


@pytest.fixture
def job(client: Client, site: FetchSite, fetcher: Service) -> FetchJob:
    return FetchJob(client, site)


@pytest.fixture(scope="module")
def clip() -> bytes:
    """26 s, so several parts, and about a megabyte, so many ranges."""
    path = made(
        "fetched.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=256x144:rate=25:duration=26"),
        *("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=26"),
        *(
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-crf",
            "30",
            "-g",
            "50",
            "-c:a",
            "aac",
            "-shortest",
            "-movflags",
            "+faststart",
        ),
    )
    return path.read_bytes()


async def test_an_admitted_job_gets_its_source_its_plan_and_its_first_parts(
    job: FetchJob, site: FetchSite, sources: SourceServer, clip: bytes
) -> None:
    bucket = site.s3.new_bucket()
    url = sources.host("film.mp4", clip)
    await job.create(f"{url}?token=verysecret", site.s3.address(bucket, "films/one/"))
    await job.admit()
    (fetched,) = await job.has_said(Fetched)
    # No transcoder is there, so nothing is known to be idle.
    await job.has_said(PartRequested, 2)
    assert await job.requested() == list(fetched.plan.release_order[:2])
    assert len(fetched.plan.release_order) > 3 and (fetched.plan.window, fetched.plan.widest) == (2, 3)
    assert [request.priority for request in await job.said(PartRequested)] == ["normal"] * 2
    assert len(await job.said(Started)) == 1
    source = fetched.source
    assert (source.demuxer, source.video.frames, source.video.frame_rate, source.cuttable) == (
        "mov",
        650,
        Fraction(25),
        True,
    )
    assert (site.space.source(job.org, job.id) / source.file).read_bytes() == clip
    assert len(sources.requests("film.mp4")) > 1
    assert site.s3.files(bucket) == {}, "the probe write leaves nothing"
    assert "verysecret" not in fetched.model_dump_json()


async def test_a_source_in_a_bucket(job: FetchJob, site: FetchSite, clip: bytes) -> None:
    bucket = site.s3.new_bucket()
    async with site.s3.client() as s3:
        await s3.put_object(Bucket=bucket, Key="in/film.mp4", Body=clip)
    await job.create(site.s3.address(bucket, "in/film.mp4"))
    await job.admit()
    (fetched,) = await job.has_said(Fetched)
    assert fetched.source.video.frames == 650


async def test_a_container_that_cannot_be_cut_is_moved_into_one_that_can(
    job: FetchJob, site: FetchSite, sources: SourceServer
) -> None:
    picture = ("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=26")
    stream = made("moved.ts", *picture, "-c:v", "libx264", "-preset", "ultrafast", "-g", "50")
    await job.create(sources.host("film.ts", stream.read_bytes()))
    await job.admit()
    (fetched,) = await job.has_said(Fetched)
    await job.has_said(PartRequested, 2)
    assert (fetched.source.file, fetched.source.demuxer, fetched.source.cuttable) == ("source.mov", "mov", True)
    assert len(fetched.plan.video) > 1
    folder = site.space.source(job.org, job.id)
    assert {path.name for path in folder.iterdir()} == {"source.mov", ".lock"}


BAD = {
    "missing.mp4": ("input_unreachable", "The specified input URL does not exist or cannot be accessed"),
    "page.html": ("input_not_video", "The input is a web page, not a video file."),
    "paper.pdf": ("input_not_video", "The input is a PDF document, not a video file."),
    "empty.mp4": ("input_empty", "The input is empty."),
    "list.mp4": ("input_not_video", "The input is a playlist or manifest, which only names other files"),
    "cut.mp4": ("input_truncated", "The input ends before the length that its header promises."),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_source_ends_in_an_error_that_says_so_and_the_next_job_runs(
    client: Client, site: FetchSite, job: FetchJob, sources: SourceServer, clip: bytes, name: str
) -> None:
    sources.host("page.html", b"<!DOCTYPE html><html>not here</html>")
    sources.host("paper.pdf", b"%PDF-1.4\n\0\0\0\0")
    sources.host("empty.mp4", b"")
    sources.host("list.mp4", b"#EXTM3U\n#EXTINF:6,\n" + sources.url("inner.ts").encode())
    sources.host("cut.mp4", clip[: len(clip) // 2])
    code, message = BAD[name]
    await job.create(sources.url(name))
    await job.admit()
    began = time.monotonic()
    failed = await job.failed()
    assert time.monotonic() - began < 10
    assert failed.code == code and failed.message.startswith(message) and failed.service == "fetcher"
    assert sources.requests("inner.ts") == []
    following = FetchJob(client, site)
    await following.create(sources.host("good.mp4", clip))
    await following.admit()
    await following.has_said(Fetched)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"bucket": "no-such-bucket"}, "output_bucket_missing"),
        ({"access_key": "nobody"}, "output_credentials_invalid"),
        ({"secret_key": "wrong"}, "output_credentials_invalid"),
    ],
)
async def test_a_wrong_output_fails_in_seconds_while_the_source_is_still_coming(
    job: FetchJob, site: FetchSite, sources: SourceServer, clip: bytes, wrong: dict[str, str], code: str
) -> None:
    given = {
        "bucket": site.s3.new_bucket(),
        "access_key": site.s3.access_key,
        "secret_key": site.s3.secret_key,
    } | wrong
    keys = f"access_key={given['access_key']}&secret_key={given['secret_key']}"
    await job.create(
        sources.host("slow.mp4", clip, pause=1),
        f"s3://{given['bucket']}/films/?{keys}&region=us-east-1&endpoint={site.s3.endpoint}",
    )
    await job.admit()
    began = time.monotonic()
    failed = await job.failed()
    assert failed.code == code
    assert time.monotonic() - began < 10
    assert site.s3.secret_key not in failed.model_dump_json()


async def test_killed_in_the_middle_it_fetches_only_what_is_missing_and_says_everything_once(
    job: FetchJob, site: FetchSite, sources: SourceServer, clip: bytes, fetcher: Service
) -> None:
    await job.create(sources.host("film.mp4", clip, pause=0.1))
    await job.admit()
    state = site.space.source(job.org, job.id) / STATE_FILE

    async def noted() -> bool:
        return state.exists() and json.loads(state.read_text())["here"].count("01") * CHUNK > len(clip) / 4

    await until(noted, what="a note of a quarter of the source")
    fetcher.kill()
    before = sources.sent("film.mp4")
    sources.host("film.mp4", clip)
    fetcher.start()
    (fetched,) = await job.has_said(Fetched)
    await job.has_said(PartRequested, 2)
    assert sources.sent("film.mp4") - before < 0.76 * len(clip)
    assert (site.space.source(job.org, job.id) / SOURCE_FILE).read_bytes() == clip
    assert len(await job.said(Started)) == 1
    assert await job.requested() == list(fetched.plan.release_order[:2])


def _sent(sources: SourceServer, name: str, count: int) -> Callable[[], Awaitable[bool]]:
    async def enough() -> bool:
        return sources.sent(name) >= count

    return enough


async def test_with_the_plan_in_the_log_only_the_parts_are_requested(
    client: Client, job: FetchJob, site: FetchSite, sources: SourceServer, clip: bytes
) -> None:
    """As after a crash between the two: the message comes again."""
    await job.create(sources.host("film.mp4", clip))
    await job.admit()
    (fetched,) = await job.has_said(Fetched)
    twin = FetchJob(client, site)
    await twin.create(sources.host("twin.mp4", clip))
    await twin.log.append(fetched.model_copy(update={"org": twin.org, "job": twin.id}))
    await twin.log.append(PartRequested(org=twin.org, job=twin.id, part=fetched.plan.release_order[0]))
    await twin.admit(weight=2.5)
    _, second = await twin.has_said(PartRequested, 2)
    assert await twin.requested() == list(fetched.plan.release_order[:2])
    assert second.weight == 2.5, "the organization's, for the transcoders"
    assert sources.requests("twin.mp4") == []


async def test_a_cancelled_job_stops_at_once_and_nothing_is_said_afterwards(
    job: FetchJob, sources: SourceServer, clip: bytes
) -> None:
    await job.create(sources.host("slow.mp4", clip, pause=0.2))
    await job.admit()
    await until(_sent(sources, "slow.mp4", CHUNK))
    await job.log.append(Cancelled(org=job.org, job=job.id))

    async def still() -> bool:
        before = sources.sent("slow.mp4")
        await asyncio.sleep(0.5)
        return sources.sent("slow.mp4") == before

    await until(still, seconds=5)
    kinds = [type(one.event) for one in await job.log.read(job.org, job.id)]
    assert kinds[-1] is Cancelled and Failed not in kinds and Fetched not in kinds


async def test_inner_addresses_are_refused_unless_they_are_allowed(
    client: Client, site: FetchSite, sources: SourceServer, clip: bytes, fetcher: Service
) -> None:
    fetcher.stop()
    try:
        with site.fetcher(allowed_hosts=""):
            job = FetchJob(client, site)
            output = site.s3.address("bucket", "films/", endpoint="http://storage.invalid")
            await job.create(sources.host("film.mp4", clip), output)
            await job.admit()
            assert (await job.failed()).code == "input_forbidden_address"
            assert sources.requests("film.mp4") == []
    finally:
        fetcher.start()


async def test_progress_is_told_while_the_source_is_coming(
    job: FetchJob, client: Client, sources: SourceServer, clip: bytes
) -> None:
    told: list[float] = []
    subscription = await client.subscribe(f"progress.{job.org}.{job.id}.fetch")
    await client.flush()
    await job.create(sources.host("film.mp4", clip, pause=0.1))
    await job.admit()
    await job.has_said(Fetched)
    while subscription.pending_msgs:
        told.append(float((await subscription.next_msg(1)).data))
    assert len(told) >= 2 and told == sorted(told) and told[-1] <= 1


async def test_ready_asks_the_bus_and_the_work_space(fetcher: Service) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{fetcher.health_port}/health/ready") as response,
    ):
        assert response.status == 200, await response.text()


def test_no_credential_was_ever_logged(site: FetchSite, fetcher: Service) -> None:
    log = fetcher.log()
    assert "fetched" in log and "verysecret" not in log and site.s3.secret_key not in log


def test_the_probe_write_is_nowhere_left(site: FetchSite) -> None:
    assert not list((site.s3.folder / "buckets").rglob(PROBE_NAME))


def test_the_fetcher_stops_when_told(site: FetchSite) -> None:
    with site.fetcher() as one:
        began = time.monotonic()
        one.stop()
        assert time.monotonic() - began < 5
