"""The transcoder as a process, against a real NATS server: whatever happens to it, every part is made exactly once."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from nats.aio.client import Client

from services.transcoder.choose import choose_encoder
from services.transcoder.command import Tools
from services.uploader.results import read_record
from shared.bus.joblog import JobLog
from shared.bus.subjects import progress_subject
from shared.events import Admitted, Cancelled, Created, Event, Failed, Fetched, PartRequested, PartTranscoded, Started
from shared.ids import new_job_id
from shared.media.tools import ffmpeg_path
from shared.process import ProcessLimits, run_process
from shared.workspace.folder import WorkFolder
from shared.workspace.shared_folder import SharedFolder
from tests.support import frames
from tests.support.bus import provisioned, tell, until
from tests.support.clips import X264, numbered, silent
from tests.support.parts import Encoded, encode_parts, fetched
from tests.support.servers import NatsServer
from tests.support.service import Service

ORG = "org001"
LEASE = 3.0
WEIGHT = 3.0


class Ffmpeg:
    """A stand-in for ffmpeg: a script that notes every call, does something first, and mostly becomes the real one.

    Where it is asked which ffmpeg it is, it is the real one.

    Args:
        before: lines of shell; ``$calls`` is the number of calls so far, this one included.
        pace: seconds of the source that are read in a second; None as fast as it goes.
    """

    def __init__(self, folder: Path, before: str = "", *, pace: float | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._notes = folder / "calls"
        self.path = folder / "ffmpeg"
        slowly = f"-readrate {pace}" if pace else ""
        self.path.write_text(
            f'#!/bin/sh\ncase "$*" in *-version|*"-f h264 -") exec {ffmpeg_path()} "$@" ;; esac\n'
            f'echo "$$ $*" >> {self._notes}\ncalls=$(wc -l < {self._notes})\n{before}\n'
            f'exec {ffmpeg_path()} {slowly} "$@"\n'
        )
        self.path.chmod(0o755)

    def calls(self, part: str = "") -> list[int]:
        """Process ids of the calls for a part, or of all."""
        lines = self._notes.read_text().splitlines() if self._notes.exists() else []
        return [int(line.split()[0]) for line in lines if f"/attempts/{part}" in line]


class Work:
    """A job on the bus, as a fetcher would have left it."""

    def __init__(
        self, client: Client, space: WorkFolder, file: Path, *, resolutions: Iterable[str], window: int, profile: str
    ) -> None:
        event = fetched(file, tuple(resolutions), profile=profile)
        plan = event.plan.model_copy(update={"window": window})
        self.fetched = Fetched(org=ORG, job=new_job_id(), source=event.source, plan=plan)
        self.plan, self.job = plan, self.fetched.job
        self.log = JobLog(client)
        self.space = space
        self._file = file

    async def begin(self) -> None:
        """Say everything that comes before the first part, and request the first window."""
        self.put_source()
        created = Created(
            org=ORG, job=self.job, input_url="https://example.com/x", output_path="s3://b/x", resolutions=("144p",)
        )
        before: list[Event] = [created, Admitted(org=ORG, job=self.job), Started(org=ORG, job=self.job), self.fetched]
        await tell(self.log, before)
        await self._request(self.plan.window)

    async def _request(self, count: int) -> None:
        await tell(
            self.log,
            [
                PartRequested(org=ORG, job=self.job, part=part, weight=WEIGHT)
                for part in self.plan.release_order[:count]
            ],
        )

    def put_source(self) -> None:
        folder = self.space.source(ORG, self.job)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / self._file.name).exists():
            (folder / self._file.name).symlink_to(self._file)

    async def events(self) -> list[Event]:
        return [recorded.event for recorded in await self.log.read(ORG, self.job)]

    async def transcoded(self) -> dict[str, PartTranscoded]:
        """The parts done so far, in the order in which they were done."""
        return {event.part: event for event in await self.events() if isinstance(event, PartTranscoded)}

    async def done(self, *, seconds: float = 60) -> Encoded:
        """Request what is left, and wait until every part is transcoded."""
        await self._request(len(self.plan.release_order))

        async def all_parts() -> dict[str, PartTranscoded] | None:
            parts = await self.transcoded()
            return parts if len(parts) == len(self.plan.release_order) else None

        events = await until(all_parts, seconds=seconds)
        records = {
            name: await read_record(SharedFolder(self.space.root.as_uri()), event) for name, event in events.items()
        }
        return Encoded(self.plan, self.space, self.job, records)

    async def failed(self) -> Failed:
        """Wait until the job has failed."""

        async def failure() -> Failed | None:
            end = await self.log.end_of(ORG, self.job)
            return end.event if end and isinstance(end.event, Failed) else None

        return await until(failure, seconds=60)

    def attempts(self) -> list[str]:
        folder = self.space.job(ORG, self.job) / "attempts"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


class Site:
    """A bus, a work space, and transcoders to be started."""

    def __init__(self, client: Client, nats_url: str, root: Path) -> None:
        self.client = client
        self._nats_url = nats_url
        self._root = root
        self.space = WorkFolder((root / "space").as_uri())

    def transcoder(self, **settings: object) -> Service:
        given: dict[str, object] = {
            "nats_url": self._nats_url, "workspace_url": (self._root / "space").as_uri(),
            "slots": 1, "encoder": "libx264",
        }  # fmt: skip
        if "ffmpeg" in settings:
            given["cage"] = "off"
        return Service("transcoder", **(given | settings))

    def ffmpeg(self, before: str = "", *, pace: float | None = None) -> Ffmpeg:
        return Ffmpeg(self._root / "bin", before, pace=pace)

    def work(
        self,
        file: Path | None = None,
        *,
        resolutions: Iterable[str] = ("144p",),
        window: int = 8,
        profile: str = "fast",
    ) -> Work:
        return Work(
            self.client, self.space, file or numbered("24"), resolutions=resolutions, window=window, profile=profile
        )


@pytest.fixture
async def site(
    request: pytest.FixtureRequest, nats_server_of_module: NatsServer, tmp_path: Path
) -> AsyncIterator[Site]:
    async with provisioned(nats_server_of_module, lease_seconds=getattr(request, "param", LEASE)) as client:
        yield Site(client, nats_server_of_module.url, tmp_path)


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def has_gpu() -> bool:
    return Path("/dev/nvidiactl").exists()


async def gone(pids: Iterable[int], *, seconds: float) -> None:
    """Wait until none of the processes lives."""
    pids = list(pids)

    async def all_gone() -> bool:
        return not any(alive(pid) for pid in pids)

    await until(all_gone, seconds=seconds, what=f"the end of {pids}")


async def running(ffmpeg: Ffmpeg, part: str) -> int:
    """Wait until ffmpeg works on a part; returns its process id."""

    async def call() -> int | None:
        return next((pid for pid in ffmpeg.calls(part) if alive(pid)), None)

    return await until(call, seconds=30, what=f"an encode of {part}")


async def test_every_part_is_made_and_no_other_is_requested(site: Site) -> None:
    work = site.work()
    told: list[tuple[str, float]] = []

    async def heard(message: object) -> None:
        told.append((message.subject, float(message.data)))  # type: ignore[attr-defined]

    await site.client.subscribe(progress_subject(ORG, work.job, ">"), cb=heard)
    await work.begin()
    with site.transcoder(slots=2, ffmpeg=site.ffmpeg(pace=8).path):
        made = await work.done()
    assert frames.numbers(made.join("144p")) == list(range(336))
    assert {event.weight for event in (await work.transcoded()).values()} == {WEIGHT}, "for the uploaders"
    assert {name: result.encoder for name, result in made.results.items()} == {
        "a0": "aac", "v0000": "libx264", "v0001": "libx264", "v0002": "libx264",
    }  # fmt: skip
    requested = [event.part for event in await work.events() if isinstance(event, PartRequested)]
    assert requested == list(work.plan.release_order)
    assert work.attempts() == []
    for part in work.plan.release_order:
        mine = [fraction for subject, fraction in told if subject.endswith(f".{part}")]
        assert mine == sorted(mine)
        assert all(0 < fraction <= 1 for fraction in mine)
    assert told


async def test_a_killed_transcoder_leaves_no_ffmpeg_and_another_goes_on_with_what_was_not_done(site: Site) -> None:
    ffmpeg = site.ffmpeg(pace=4)
    work = site.work(silent(), window=2)
    with site.transcoder(ffmpeg=ffmpeg.path) as first:
        await work.begin()
        second_part = await running(ffmpeg, "v0001")
        before = await work.transcoded()
        assert list(before) == ["v0000"]
        records = {part: (work.space.part(ORG, work.job, part) / "record.json").stat().st_mtime_ns for part in before}
        os.kill(first.pid, signal.SIGKILL)
        await gone([second_part], seconds=1)
    with site.transcoder(ffmpeg=ffmpeg.path):
        made = await work.done()
    assert frames.numbers(made.join("144p")) == list(range(336))
    for part, written in records.items():
        assert len(ffmpeg.calls(part)) == 1
        assert (work.space.part(ORG, work.job, part) / "record.json").stat().st_mtime_ns == written
    assert len(ffmpeg.calls("v0001")) == 2


async def test_a_part_of_an_earlier_job_is_used_where_it_would_be_made_alike(site: Site) -> None:
    """One with another recipe, and one by other tools, are made anew."""
    ffmpeg, before, work = site.ffmpeg(), site.work(), site.work()
    for each in (before, work):
        each.fetched = each.fetched.model_copy(update={"recipe": "5" * 64})
    with site.transcoder(ffmpeg=ffmpeg.path):
        await before.begin()
        first = await before.done()
        await asyncio.to_thread(hand_over, site.space, before.job, work.job)
        made_before = len(ffmpeg.calls())
        await work.begin()
        second = await work.done()
        said = [event for event in await work.events() if isinstance(event, PartTranscoded)]
    assert {event.part for event in said if event.inherited} == {"a0", "v0000"}
    assert frames.numbers(second.join("144p")) == list(range(336))
    assert {part for part, record in second.results.items() if record == first.results[part]} == {"a0", "v0000"}
    assert len(ffmpeg.calls()) == made_before + 2
    assert not list((site.space.job(ORG, work.job) / "offered").iterdir()), "what is refused is gone"


def hand_over(space: WorkFolder, before: str, job: str) -> None:
    """Offer a job all parts of an earlier one, two of them as if they had been made otherwise."""
    for part, marks in (("v0001", {"recipe": "6" * 64}), ("v0002", {"tools": "6" * 64})):
        file = space.part(ORG, before, part) / "record.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | marks))
    space.take_over(ORG, before, job)
    inheritance = space.inheritance(ORG, job)
    for inherited in inheritance.parts() or []:
        inheritance.offer(inherited, {}, {})
    inheritance.close()


LONG_LEASE = 100.0


@pytest.mark.parametrize("site", [LONG_LEASE], indirect=True)
async def test_a_stopped_transcoder_hands_its_part_back_at_once(site: Site) -> None:
    ffmpeg = site.ffmpeg(pace=4)
    work = site.work(silent(), window=1)
    with (
        site.transcoder(ffmpeg=ffmpeg.path, grace_seconds=0) as one,
        site.transcoder(ffmpeg=ffmpeg.path, grace_seconds=0) as other,
    ):
        await work.begin()
        encode = await running(ffmpeg, "v0000")
        worker = next(service for service in (one, other) if service.pid == parent_of(encode))
        begun = time.monotonic()
        await asyncio.to_thread(worker.stop)
        assert not alive(encode)
        assert await running(ffmpeg, "v0000") != encode
        assert time.monotonic() - begun < LONG_LEASE
        made = await work.done()
    assert frames.numbers(made.join("144p")) == list(range(336))
    assert work.attempts() == []


async def test_with_time_to_spare_a_stopped_transcoder_finishes_its_part(site: Site) -> None:
    ffmpeg = site.ffmpeg(pace=6)
    work = site.work(silent(), window=1)
    with site.transcoder(ffmpeg=ffmpeg.path, grace_seconds=30) as only:
        await work.begin()
        await running(ffmpeg, "v0000")
        await asyncio.to_thread(only.stop)
        assert "v0000" in await work.transcoded()
        assert len(ffmpeg.calls("v0000")) == 1


async def test_what_was_finished_but_never_told_is_told_and_not_made_again(site: Site) -> None:
    work = site.work(window=1)
    made = await encode_parts(work.fetched, numbered("24"), site.space.root)
    await work.begin()
    with site.transcoder(ffmpeg=site.ffmpeg("exit 1").path):
        again = await work.done()
    assert again.results == made.results


async def test_a_cancelled_job_stops_its_encode_within_a_second_and_leaves_no_attempt(site: Site) -> None:
    ffmpeg = site.ffmpeg(pace=0.5)
    work, other = site.work(window=2), site.work(numbered("24", seconds=2), window=2)
    with site.transcoder(ffmpeg=ffmpeg.path, slots=2):
        await work.begin()
        encodes = [await running(ffmpeg, "v0000"), await running(ffmpeg, "a0")]
        await work.log.append(Cancelled(org=ORG, job=work.job))
        await gone(encodes, seconds=1)

        async def clean() -> bool:
            return work.attempts() == []

        await until(clean, seconds=1)
        await other.begin()
        await other.done()
        assert isinstance((await work.events())[-1], Cancelled)
        assert len(ffmpeg.calls("v0000")) == 2


async def test_an_encode_that_makes_no_progress_is_killed_and_tried_again(site: Site) -> None:
    ffmpeg = site.ffmpeg("if [ $calls -eq 1 ]; then sleep 600; fi")
    work = site.work(numbered("24", seconds=3))
    await work.begin()
    with site.transcoder(ffmpeg=ffmpeg.path, stall_seconds=1) as service:
        await work.done()
        assert "encode_stalled" in service.log()
        assert not alive(ffmpeg.calls()[0])
    assert len(ffmpeg.calls()) == len(work.plan.release_order) + 1


@pytest.mark.parametrize("end", ["kill -KILL $$", "exit 255"])
async def test_an_encode_that_somebody_else_ends_is_tried_again(site: Site, end: str) -> None:
    """By SIGKILL, or by SIGTERM, after which ffmpeg ends by itself, with this status."""
    ffmpeg = site.ffmpeg(f"if [ $calls -eq 1 ]; then {end}; fi")
    work = site.work(numbered("24", seconds=3))
    await work.begin()
    with site.transcoder(ffmpeg=ffmpeg.path):
        await work.done()
    assert len(ffmpeg.calls()) == len(work.plan.release_order) + 1


async def test_a_full_disk_delays_the_part_and_loses_nothing(site: Site) -> None:
    ffmpeg = site.ffmpeg(
        "if [ $calls -eq 1 ]; then echo 'av_interleaved_write_frame(): No space left on device' >&2; exit 1; fi"
    )
    work = site.work(numbered("24", seconds=3))
    await work.begin()
    with site.transcoder(ffmpeg=ffmpeg.path) as service:
        await work.done()
        assert "workspace_full" in service.log()


async def test_a_file_beyond_its_limit_ends_the_job_with_a_reason(site: Site) -> None:
    noise = numbered("24", seconds=5, size="1280x720", picture="noise=alls=80:allf=t", encoder=(*X264, "-crf", "40"))
    work = site.work(noise, resolutions=("720p",))
    await work.begin()
    with site.transcoder(file_bytes=2**20):
        failed = await work.failed()
    assert (failed.code, failed.service) == ("encode_failed", "transcoder")
    assert failed.detail.startswith("an output file grew beyond the largest that is allowed")
    assert work.attempts() == []


async def test_what_ffmpeg_cannot_do_ends_the_job_with_its_last_words(site: Site) -> None:
    work = site.work(numbered("24", seconds=3))
    await work.begin()
    with site.transcoder(ffmpeg=site.ffmpeg("echo 'no such thing' >&2; exit 3").path):
        failed = await work.failed()
    assert failed.code == "encode_failed"
    assert failed.detail == "ffmpeg ended with status 3\nno such thing"


@pytest.mark.usefixtures("uncaged")
@pytest.mark.parametrize("trouble", ["echo 'No capable devices found' >&2; exit 1", "kill -SEGV $$", "sleep 600"])
async def test_a_part_that_the_gpu_fails_at_is_made_on_the_cpu(site: Site, trouble: str) -> None:
    broken = site.ffmpeg(f'case "$*" in *h264_nvenc*) {trouble};; esac')
    clip = silent()
    tools = Tools(str(broken.path), "h264_nvenc")
    made = await encode_parts(site.work(clip).fetched, clip, site.space.root, tools=tools, stall_seconds=1)
    assert {result.encoder for result in made.results.values()} == {"libx264"}
    assert len(broken.calls("v0000")) == 2
    assert frames.numbers(made.join("144p")) == list(range(336))


@pytest.mark.usefixtures("uncaged")
async def test_the_encoder_is_chosen_by_trying(site: Site) -> None:
    works, fails = (
        site.ffmpeg("exit 0"),
        Ffmpeg(site.space.root / "other", "echo 'Cannot load libcuda.so.1' >&2; exit 1"),
    )
    assert await choose_encoder(str(works.path), "auto") == "h264_nvenc"
    assert await choose_encoder(str(fails.path), "auto") == "libx264"
    assert await choose_encoder(str(fails.path), "libx264") == "libx264"
    with pytest.raises(RuntimeError, match="does not work here: Cannot load libcuda"):
        await choose_encoder(str(fails.path), "h264_nvenc")
    if not has_gpu():
        assert await choose_encoder(ffmpeg_path(), "auto") == "libx264"


async def test_ffmpeg_reaches_no_network_even_without_the_white_list() -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/film.mp4"
        finished = await run_process(
            [ffmpeg_path(), "-v", "error", "-i", url, "-f", "null", "-"], limits=ProcessLimits(seconds=30), touches=None
        )
        inside = await run_process(["readlink", "/proc/self/ns/net"], limits=ProcessLimits(seconds=5), touches=None)
    if inside.output.decode().strip() == os.readlink("/proc/self/ns/net"):  # noqa: PTH115
        pytest.skip("this kernel gives an unprivileged process no network namespace")
    assert finished.status != 0
    assert not asked
