"""Moving a source into a container that can be cut exactly, without encoding anything."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import structlog

from services.fetcher.probe.adts import changes_format
from services.fetcher.probe.facts import Probed
from services.fetcher.probe.inspection import looking, run_to_its_end
from services.fetcher.probe.probe import Probe, input_arguments
from shared.cage.cage import Touches
from shared.errors import PermanentError
from shared.media.result import JobWarning
from shared.media.source import Source
from shared.process import Finished, ProcessTimeout

# What QuickTime holds with time stamps as exact as they were; anything else goes into Matroska, which counts milliseconds.
_QUICKTIME = frozenset(
    {
        "h264",
        "hevc",
        "av1",
        "mpeg2video",
        "mpeg4",
        "mjpeg",
        "prores",
        "aac",
        "ac3",
        "eac3",
        "mp3",
        "pcm_s16le",
        "pcm_s24le",
    }
)
_QUICKTIME_TEXT = frozenset({"mov_text"})
_MATROSKA_TEXT = frozenset({"subrip", "ass", "ssa", "webvtt"})
_MOVED = JobWarning(
    code="source_remuxed",
    message="The source's container cannot be split exactly, so its tracks were first copied unchanged into another one.",
)
_SAME_TIME, _SAME_JUMP = 0.0011, 0.1
_SAME_START, _SAME_END = 0.05, 0.15
SHORT_SECONDS = 12.0
"""Sources up to this length are encoded in one piece anyhow."""


class Remux:
    """Moves sources of containers without an index, or with a clock that jumps.

    Args:
        seconds: wall time that copying may take.
    """

    def __init__(self, ffmpeg: str, probe: Probe, *, seconds: float, memory_bytes: int) -> None:
        self._ffmpeg = ffmpeg
        self._probe = probe
        self._limits = looking(seconds, memory_bytes, file_bytes=None)

    async def __call__(self, file: Path, probed: Probed, *, has_room: Callable[[int], bool]) -> Probed:
        """The source as it should be used: in another file beside ``file``, or unchanged where that is better.

        The other file is used only if it shows the same frames at the same times.

        Args:
            has_room: whether so many bytes can be written beside ``file``. It may take its time.

        Raises:
            PermanentError: ``input_damaged``: the clock of the source jumps, and it could not be mended.
        """
        source = probed.source
        broken = any(warning.code == "source_clock_jumps" for warning in probed.warnings)
        wanted = broken or (probed.movable and not source.cuttable and source.duration > SHORT_SECONDS)
        if not wanted:
            return probed
        moved = None
        has_room_for_it = probed.movable and await asyncio.to_thread(has_room, source.bytes)
        if has_room_for_it and (broken or not await self._audio_changes(file, source)):
            moved = await self._moved(file, probed, mended=broken)
        if moved:
            return moved
        if broken:
            raise PermanentError("input_damaged", "the clock of the source jumps, and it could not be mended")
        return probed

    async def _audio_changes(self, file: Path, source: Source) -> bool:
        """Whether other containers, which have one header for all AAC of a track, would make its sound undecodable."""
        aac = [track for track in source.audio if track.codec == "aac"] if source.demuxer == "mpegts" else []
        frames = file.with_suffix(".adts")
        try:
            for track in aac:
                await self._run(audio_command(self._ffmpeg, file, source, track.index, frames), file, frames)
                if await asyncio.to_thread(changes_format, frames):
                    await structlog.get_logger().ainfo("not remuxed", reason="the format of its sound changes")
                    return True
        except ProcessTimeout:
            return False
        finally:
            frames.unlink(missing_ok=True)
        return False

    async def _run(self, argv: Sequence[str], file: Path, target: Path) -> Finished:
        """Have ffmpeg write one file beside the source. It is made here: in the folder of the source ffmpeg may make none."""
        await asyncio.to_thread(target.touch)
        return await run_to_its_end(argv, limits=self._limits, touches=Touches((file,), (target,)))

    async def _moved(self, file: Path, probed: Probed, *, mended: bool) -> Probed | None:
        target = file.with_suffix(".mov" if _fits_quicktime(probed.source) else ".mkv")
        try:
            done = await self._run(remux_command(self._ffmpeg, file, probed.source, target), file, target)
            found = await self._probe(target) if done.status == 0 else None
            difference = differs(probed, found, mended=mended) if found else done.error_tail[-500:]
        except (PermanentError, ProcessTimeout) as error:
            found, difference = None, str(error)
        if found and not difference:
            warnings = (*probed.warnings, *found.warnings, _MOVED)
            return replace(found, source=as_told(probed.source, found.source), warnings=warnings)
        await structlog.get_logger().ainfo("not remuxed", demuxer=probed.source.demuxer, reason=difference)
        target.unlink(missing_ok=True)
        return None


def remux_command(ffmpeg: str, file: Path, source: Source, target: Path) -> list[str]:
    """The video, all sound, and the texts that the other container can hold, packet by packet, into ``target``."""
    texts = _QUICKTIME_TEXT if target.suffix == ".mov" else _MATROSKA_TEXT
    tracks = [source.video.index, *(track.index for track in source.audio)]
    tracks += [track.index for track in source.text if track.codec in texts]
    argv = [ffmpeg, "-v", "error", "-nostdin", "-y", *input_arguments(file, source.demuxer)]
    for track in tracks:
        argv += ["-map", f"0:{track}"]
    argv += ["-c", "copy", "-map_metadata", "0"]
    if target.suffix == ".mov":
        if source.video.time_base.numerator == 1:
            argv += ["-video_track_timescale", str(source.video.time_base.denominator)]
        return [*argv, "-f", "mov", f"file:{target}"]
    return [*argv, "-f", "matroska", f"file:{target}"]


def audio_command(ffmpeg: str, file: Path, source: Source, track: int, target: Path) -> list[str]:
    """The frames of a track, one after the other as they are, into ``target``."""
    argv = [ffmpeg, "-v", "error", "-nostdin", "-y", *input_arguments(file, source.demuxer)]
    return [*argv, "-map", f"0:{track}", "-c", "copy", "-f", "data", f"file:{target}"]


def as_told(before: Source, after: Source) -> Source:
    """``after`` with what the first container says of its sound, which the other one may have no words for."""
    said = ("language", "title", "default", "purpose")
    pairs = zip(before.audio, after.audio, strict=True)
    audio = tuple(new.model_copy(update={name: getattr(old, name) for name in said}) for old, new in pairs)
    return after.model_copy(update={"audio": audio})


def differs(before: Probed, after: Probed, *, mended: bool = False) -> str:
    """What is not as it was; empty where the two show the same frames, each at the same time after the first one.

    Args:
        mended: the clock jumped, so that the time between the frames around a jump is anybody's guess: ours was by the
            pictures alone, and now there is room for the sound as well.
    """
    old, new = before.source.video, after.source.video
    if before.evidence.trial.size != after.evidence.trial.size:
        return "the picture has another size"
    for name in ("codec", "sample_aspect", "rotation", "mirrored", "frames", "interlaced", "color"):
        if getattr(old, name) != getattr(new, name):
            return f"{name}: {getattr(old, name)} became {getattr(new, name)}"
    if not after.source.cuttable:
        return "it cannot be cut exactly either"
    if len(before.source.audio) != len(after.source.audio) or len(before.source.text) != len(after.source.text):
        return "a track is missing"
    old_ticks, new_ticks = float(old.time_base), float(new.time_base)
    first, other_first = before.index.pts[0], after.index.pts[0]
    times = [(tick - first) * old_ticks for tick in before.index.pts]
    others = [(tick - other_first) * new_ticks for tick in after.index.pts]
    if mended:
        times, others = _steps(times), _steps(others)
    slack = _SAME_JUMP if mended else _SAME_TIME
    if any(abs(time - other) > slack for time, other in zip(times, others, strict=True)):
        return "frames have other times"
    for track, other_track in zip(before.source.audio, after.source.audio, strict=True):
        if abs((track.start - float(old.start)) - (other_track.start - float(new.start))) > _SAME_START:
            return "sound and picture are not together as before"
        if abs((track.end - float(old.end)) - (other_track.end - float(new.end))) > _SAME_END:
            return "the sound has another length"
    return ""


def _steps(times: list[float]) -> list[float]:
    return [late - early for early, late in pairwise(times)]


def _fits_quicktime(source: Source) -> bool:
    return {source.video.codec, *(track.codec for track in source.audio)} <= _QUICKTIME
