"""A retry does not do again what is still valid: neither the download, nor finished parts, nor what is in the bucket."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import aiohttp
import pytest
from aiohttp import web

from shared.events import Event, PartTranscoded
from stack.client import Client
from stack.layout import BUCKET
from tests.support.clips import made
from tests.support.faults import Fault, FaultyProxy
from tests.support.jobs import Api
from tests.support.observe import job_events
from tests.support.ports import free_port_base
from tests.support.sources import SourceServer, source_server
from tests.support.stack import RunningStack, running_stack
from tests.support.stream import decode_complaints, download, read_stream

SETTINGS = {
    "MILLRACE_UPLOADER_KEEP_FOR_RETRY_SECONDS": "600",
    # A storage that is out of order shall fail its job while somebody waits for that.
    "MILLRACE_OUTAGE_SECONDS": "1",
}
RESOLUTIONS = ("144p", "240p")
LAST_SEGMENT = "240p/video_00006"
# Bytes of a source that are sent where one is asked for.
ONE_ANSWER = 1024


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack that keeps for retries what ended jobs leave."""
    with running_stack(tmp_path_factory.mktemp("stack"), free_port_base(), env=SETTINGS) as running:
        yield running


@dataclass
class Studio:
    """A stack with a source server and a proxy before its storage, which counts what is written."""

    stack: RunningStack
    client: Client
    api: Api
    source: SourceServer
    storage: FaultyProxy

    async def post(self, address: str, name: str) -> dict[str, Any]:
        """A job that writes through the proxy."""
        body = {"input_url": address, "output_path": self.output(name), "resolutions": RESOLUTIONS}
        return await self.client.post_job(body)

    def output(self, name: str) -> str:
        """Where it writes, with credentials."""
        there = self.client.location(f"inherited/{name}/", with_keys=True)
        return there.replace(quote_plus(self.stack.env["S3_ENDPOINT"]), quote_plus(self.storage.endpoint))

    async def end(self, job: str) -> dict[str, Any]:
        """The job once it has ended."""
        async for _ in self.client.follow(job):
            pass
        return await self.client.job(job)

    async def retry(self, job: str, name: str) -> dict[str, Any]:
        """Its retry, once that has ended."""
        path = f"transcoding_jobs/{job}/retry/"
        status, made = await self.api.call("POST", path, {"output_path": self.output(name)})
        assert status == 201, made
        return await self.end(made["id"])

    async def cancelled_in_the_middle(self, address: str, name: str) -> str:
        """A job that was cancelled when some of its parts were uploaded, and others were not, or not transcoded."""
        self.storage.trouble = refuse(LAST_SEGMENT)
        job = str((await self.post(address, name))["id"])
        async for state in self.client.follow(job):
            if state["progress"] >= 50:
                break
        assert (await self.api.cancel(job))[0] == 200
        self.storage.trouble = None
        return job

    async def failed_at_the_output(self, address: str, name: str, refused: str) -> str:
        """A job that failed because nothing could be written whose path has ``refused`` in it."""
        self.storage.trouble = refuse(refused)
        failed = await self.end((await self.post(address, name))["id"])
        assert failed["error_code"] == "output_unreachable", failed
        self.storage.trouble = None
        return str(failed["id"])

    async def parts(self, job: str) -> dict[str, str]:
        """Digest of each transcoded part. It tells the time that the encode took, so no two encodes have the same."""
        events: list[Event] = await job_events(self.stack.env["NATS_URL"], self.stack.env["ORG_ID"], job)
        return {event.part: event.digest for event in events if isinstance(event, PartTranscoded)}

    async def assert_good(self, job: dict[str, Any], folder: Path) -> None:
        """Its presentation can be played from end to end."""
        assert job["status"] == "Completed", job
        async with aiohttp.ClientSession() as http:
            stream = await read_stream(http, self.client.playback_url(job["outputs"]["master"]))
            for track in (*stream.variants, *stream.audio):
                file = await download(http, track.media, folder)
                assert await asyncio.to_thread(decode_complaints, file) == ""


@asynccontextmanager
async def studio(stack: RunningStack) -> AsyncIterator[Studio]:
    async with (
        source_server() as source,
        FaultyProxy(stack.env["S3_ENDPOINT"]) as storage,
        Client(stack.env) as client,
    ):
        yield Studio(stack, client, Api(stack.env), source, storage)


def refuse(wanted: str) -> Callable[[int, web.Request], Any]:
    """Writing to paths fails that have this in them."""

    async def decide(_number: int, request: web.Request) -> Fault | None:
        return "unavailable" if request.method == "PUT" and wanted in request.path else None

    return decide


async def test_after_a_failure_at_the_output_only_the_output_is_done_again(
    keeping: RunningStack, tmp_path: Path
) -> None:
    clip = small_clip()
    async with studio(keeping) as at:
        failed = await at.failed_at_the_output(at.source.host(clip.name, clip.read_bytes()), "output", "144p/")
        served, before = at.source.sent(clip.name), await at.parts(failed)
        segments = {path for path in at.storage.of("PUT") if path.endswith(".m4s")}
        at.storage.requests.clear()
        job = await at.retry(failed, "output")
        await at.assert_good(job, tmp_path)
        assert at.source.sent(clip.name) - served <= ONE_ANSWER
        after = await at.parts(job["id"])
        assert before and before.items() <= after.items()
        assert not keeping.encodes_of(job["id"]).keys() & before.keys()
        assert segments and not segments & set(at.storage.of("PUT")), "what is in the bucket is written again"
        keeping.wait_until(lambda: not keeping.workspace_files(job["id"]), "nothing is left of the retry")
        assert not keeping.workspace_files(failed), "nothing is left of the job before"


async def test_parts_finished_before_a_cancel_are_not_encoded_again(keeping: RunningStack, tmp_path: Path) -> None:
    clip = small_clip()
    async with studio(keeping) as at:
        first = await at.cancelled_in_the_middle(at.source.host(clip.name, clip.read_bytes()), "cancel")
        before, served = await at.parts(first), at.source.sent(clip.name)
        job = await at.retry(first, "cancel")
        await at.assert_good(job, tmp_path)
        assert at.source.sent(clip.name) - served <= ONE_ANSWER
        after, encoded = await at.parts(job["id"]), keeping.encodes_of(job["id"])
        assert before and before.items() <= after.items()
        assert encoded.keys() == after.keys() - before.keys()


async def test_another_source_at_the_same_address_is_begun_anew(keeping: RunningStack, tmp_path: Path) -> None:
    clip, other = small_clip(), small_clip("hue=h=90")
    async with studio(keeping) as at:
        failed = await at.failed_at_the_output(at.source.host("film.mp4", clip.read_bytes()), "changed", "144p/")
        served = at.source.sent("film.mp4")
        at.source.host("film.mp4", other.read_bytes())
        job = await at.retry(failed, "changed")
        await at.assert_good(job, tmp_path)
        assert at.source.sent("film.mp4") - served >= other.stat().st_size
        after = await at.parts(job["id"])
        assert not set((await at.parts(failed)).values()) & set(after.values())
        assert keeping.encodes_of(job["id"]).keys() == after.keys()


async def test_what_is_lost_in_the_bucket_is_made_again(keeping: RunningStack, tmp_path: Path) -> None:
    clip = small_clip()
    async with studio(keeping) as at:
        failed = await at.failed_at_the_output(at.source.host(clip.name, clip.read_bytes()), "lost", LAST_SEGMENT)
        # One is missing, another one has its size still and not its content. Both parts were in the bucket.
        written = keeping.layout.objects / BUCKET / "inherited/lost"
        missing, spoilt = written / "240p/video_00001.m4s", written / "audio/0-und/audio_00002.m4s"
        missing.unlink()
        spoilt.write_bytes(bytes(spoilt.stat().st_size))
        job = await at.retry(failed, "lost")
        await at.assert_good(job, tmp_path)


def small_clip(effect: str = "null") -> Path:
    """42 s of 426×240 at 25 frames a second with sound: several parts, encoded in a moment."""
    return made(
        "small.mp4",
        *("-f", "lavfi", "-i", f"testsrc2=size=426x240:rate=25:duration=42,{effect}"),
        *("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=42"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-c:a", "aac", "-shortest", "-movflags", "+faststart"),
    )
