"""Probe, plan and encode a clip with the services' own code, but without a bus; then join the parts as a player would."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from services.fetcher.plan.plan import make_audio_plan, make_plan
from services.fetcher.probe.audio_probe import AudioProbe, ProbedAudio
from services.fetcher.probe.probe import Probe, Probed, ProbeLimits
from services.transcoder.command import Tools
from services.transcoder.encode import Encode
from services.uploader.results import read_record
from shared.bus.joblog import Appended
from shared.events import Event, Fetched, PartRequested, PartTranscoded, Recorded
from shared.media.codecs.table import codec_of
from shared.media.plan import Plan
from shared.media.profile import AUDIO_ONLY
from shared.media.result import PartRecord, SegmentTable
from shared.media.tools import ffmpeg_path, ffprobe_path
from shared.process import ProcessLimits
from shared.workspace.folder import WorkFolder
from shared.workspace.shared_folder import SharedFolder
from tests.support.encoded import segment_file

ORG, JOB = "org001", "5KQfnXCg8Qh"
PROBE_LIMITS = ProbeLimits(seconds=60, memory_bytes=8 * 2**30, max_duration=14_400, max_pixels=2**26)
_AT_ONCE = 2


@cache
def probed(file: Path) -> Probed:
    """What the probe finds; asked once for each file."""
    with ThreadPoolExecutor(1) as beside:
        # In a thread, because the caller may be in a loop of its own.
        return beside.submit(lambda: asyncio.run(Probe(ffprobe_path(), ffmpeg_path(), PROBE_LIMITS)(file))).result()


@cache
def probed_audio(file: Path) -> ProbedAudio:
    """What the probe of audio alone finds; asked once for each file."""
    with ThreadPoolExecutor(1) as beside:
        probe = AudioProbe(ffprobe_path(), ffmpeg_path(), PROBE_LIMITS)
        return beside.submit(lambda: asyncio.run(probe(file))).result()


def fetched(
    file: Path,
    resolutions: Sequence[str] = ("144p",),
    *,
    profile: str = "fast",
    whole: bool = False,
    pictures: bool = True,
    codecs: Sequence[str] = ("h264",),
) -> Fetched:
    """The event that a fetcher would publish.

    Args:
        whole: all of the video as one part.
        pictures: without, only the sound is encoded.
        codecs: that every resolution is made in.
    """
    if AUDIO_ONLY in resolutions:
        audio = probed_audio(file)
        plan = make_audio_plan(audio.source, profile, window=900)
        return Fetched(org=ORG, job=JOB, source=audio.source, plan=plan, warnings=audio.warnings)
    found = probed(file)
    source = found.source.model_copy(update={"cuttable": False}) if whole else found.source
    plan, warnings = make_plan(source, found.index, resolutions, profile, window=900, codecs=codecs)
    if not pictures:
        plan = plan.model_copy(update={"video": ()})
    return Fetched(org=ORG, job=JOB, source=source, plan=plan, warnings=found.warnings + warnings)


@dataclass(frozen=True)
class Encoded:
    """Every part of a plan, encoded."""

    plan: Plan
    space: WorkFolder
    job: str
    results: dict[str, PartRecord]

    def tracks(self, folder: str) -> list[tuple[str, SegmentTable]]:
        """The results of a rendition (``144p``), an audio track or a text, each with the name of its part, in order."""
        return [
            (name, track)
            for name, result in sorted(self.results.items())
            for track in result.tables
            if track.folder == folder
        ]

    def segments(self, folder: str) -> list[Path]:
        """The segments of a rendition, an audio track or a text in order."""
        return [
            self.space.part(ORG, self.job, name) / folder / segment_file(self.plan, name, track.first_segment + number)
            for name, track in self.tracks(folder)
            for number in range(len(track.sizes))
        ]

    def join(self, folder: str) -> Path:
        """One file of a rendition or an audio track: its initialization segment, then every segment."""
        path = self.space.root / f"{self.job}-{folder.replace('/', '-')}.mp4"
        init_segments = [track.init for _, track in self.tracks(folder)]
        init_segment = codec_of(init_segments[0]).merge_init_segments(init_segments)
        path.write_bytes(init_segment + b"".join(segment.read_bytes() for segment in self.segments(folder)))
        return path

    @property
    def warnings(self) -> set[str]:
        """Codes of all warnings."""
        return {warning.code for result in self.results.values() for warning in result.warnings}


def encode(event: Fetched, file: Path, root: Path, *, tools: Tools | None = None) -> Encoded:
    """Encode all parts of a plan below a folder."""
    return asyncio.run(encode_parts(event, file, root, tools=tools))


async def encode_parts(
    event: Fetched, file: Path, root: Path, *, tools: Tools | None = None, stall_seconds: float = 60
) -> Encoded:
    """The same for callers that run in a loop."""
    space = WorkFolder(root.as_uri())
    folder = space.source(event.org, event.job)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / event.source.file).exists():
        (folder / event.source.file).symlink_to(file)
    log: Any = MemoryLog(event)
    bus: Any = DeafBus()
    shared = SharedFolder(root.as_uri())
    work = Encode(bus, log, shared, tools or Tools(ffmpeg_path()), ProcessLimits(stall_seconds=stall_seconds))
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(part: str) -> None:
        async with turns:
            await work(PartRequested(org=event.org, job=event.job, part=part))

    running = [asyncio.create_task(one(part)) for part in event.plan.release_order]
    try:
        await asyncio.gather(*running)
    finally:
        # The job has ended with the first failure, and with it all work on its parts.
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    results = {said.part: await read_record(shared, said) for said in log.said if isinstance(said, PartTranscoded)}
    return Encoded(event.plan, space, event.job, results)


class MemoryLog:
    """What the transcoder needs of a job's log."""

    def __init__(self, event: Fetched) -> None:
        self._fetched = event
        self.said: list[Event] = []

    async def fact(self, _org: str, _job: str, _kind: type[Event]) -> Fetched:
        """The one fact that is asked for."""
        return self._fetched

    async def last(self, _subject: str) -> None:
        """Nothing is there yet."""
        return

    async def append(self, event: Event) -> Appended:
        """Keep what was said."""
        self.said.append(event)
        return Appended(Recorded(len(self.said), event), new=True)


class DeafBus:
    """Nobody listens to the progress."""

    async def publish(self, _subject: str, _payload: bytes) -> None:
        """Nothing."""
