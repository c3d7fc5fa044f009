"""The use case: encode one part."""

import asyncio
import time
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

import structlog
from nats.aio.client import Client

from services.transcoder import command, metrics, packaging, stills
from services.transcoder.audio_times import Piece, read_frames, straighten
from services.transcoder.command import FRAME_STATS, Tools
from services.transcoder.ffmpeg import EncoderFailed, Ffmpeg, NothingDecoded, complains_of_damage, is_undisturbed
from services.transcoder.inherit import inherited
from services.transcoder.reads import source_read
from services.transcoder.text import text_segments
from shared.bus.joblog import JobLog
from shared.bus.subjects import job_subject
from shared.cage.cage import Touches
from shared.errors import PermanentError, TransientError
from shared.events import Fetched, PartRequested, PartTranscoded
from shared.media.plan import AudioPart, TextPart, VideoPart
from shared.media.result import JobWarning, PartRecord, SegmentTable, digest_of
from shared.media.stills import Still
from shared.process import ProcessLimits
from shared.workspace.space import SourceInput, WorkSpace

_DAMAGED = JobWarning(
    code="source_damaged",
    message="Some frames of the source are damaged. They are shown as far as they could be decoded.",
)
_DAMAGED_AUDIO = JobWarning(
    code="sound_damaged",
    message="Some of the source's audio is damaged. Where it could not be decoded, there is silence.",
)
_NO_AUDIO = JobWarning(
    code="sound_damaged",
    message="An audio track of the source is so damaged that nothing of it could be decoded. It is silent.",
)

# What a disk gives at the least, bytes per second: looking for subtitles in a large file, ffmpeg may be silent for long.
_SLOWEST_DISK = 20_000_000


class MoreNeeded(Exception):
    """A part of the source was not enough, or perhaps not: nothing was made of it that could be wrong."""


@dataclass(frozen=True)
class AttemptResult:
    """What an attempt made, and with what."""

    tables: tuple[SegmentTable, ...]
    encoder: str
    warnings: tuple[JobWarning, ...] = ()
    stills: tuple[Still, ...] = ()


class Encode:
    """Encodes parts.

    Args:
        tools: ffmpeg and the encoder chosen at start.
        limits: of one encode.
    """

    def __init__(self, client: Client, log: JobLog, space: WorkSpace, tools: Tools, limits: ProcessLimits) -> None:
        self._ffmpeg = Ffmpeg(client)
        self._log = log
        self._space = space
        self._tools = tools
        self._limits = limits

    async def __call__(self, request: PartRequested) -> None:
        """Encode the part, unless that has been done."""
        org, job, name = request.org, request.job, request.part
        fetched = await self._log.fact(org, job, Fetched)
        if fetched is None:
            raise PermanentError("internal_error", f"part {name} requested before the source was fetched")
        if await self._log.last(job_subject(org, job, f"{PartTranscoded.subject}.{name}")) is None:
            await self._log.append(await self._transcoded(fetched, request))

    async def _transcoded(self, fetched: Fetched, request: PartRequested) -> PartTranscoded:
        """The result: of an earlier attempt that was finished but never published, of an earlier job, or of a new attempt."""
        name = request.part
        text = await self._space.finished(fetched.org, fetched.job, name)
        is_inherited = False
        if text is None:
            text = await inherited(self._space, self._tools, fetched, name)
            is_inherited = text is not None
        if text is None:
            async with self._space.attempt(fetched.org, fetched.job, name) as folder:
                begun = time.monotonic()
                made = await self._make(fetched, name, folder)
                seconds = time.monotonic() - begun
                metrics.made(made.encoder, seconds=seconds, media=_media_seconds(fetched, name))
                record = PartRecord(
                    tables=made.tables,
                    encoder=made.encoder,
                    seconds=round(seconds, 3),
                    warnings=made.warnings,
                    stills=made.stills,
                    recipe=fetched.recipe,
                    tools=self._tools.digest,
                    layout=fetched.layout,
                )
                text = await self._space.finish(folder, fetched.org, fetched.job, name, record.model_dump_json())
        # What counts is what lies there: a duplicate worker may have been faster.
        kept = await asyncio.to_thread(PartRecord.model_validate_json, text)
        return PartTranscoded(
            org=fetched.org,
            job=fetched.job,
            part=name,
            renditions=kept.totals,
            digest=digest_of(text),
            encoder=kept.encoder,
            seconds=kept.seconds,
            warnings=kept.warnings,
            inherited=is_inherited,
            weight=request.weight,
        )

    async def _make(self, fetched: Fetched, name: str, folder: Path) -> AttemptResult:
        read = source_read(fetched.source, fetched.plan.video_part(name))
        async with self._space.source(fetched.org, fetched.job, read) as opened:
            try:
                return await self._make_of(fetched, name, opened, folder)
            except MoreNeeded as error:
                await structlog.get_logger().awarning(
                    "more of the source is needed than was planned", reason=str(error)
                )
        async with self._space.source(fetched.org, fetched.job, read.all_of_it) as opened:
            return await self._make_of(fetched, name, opened, folder)

    async def _make_of(self, fetched: Fetched, name: str, opened: SourceInput, folder: Path) -> AttemptResult:
        video, audio = fetched.plan.video_part(name), fetched.plan.audio_part(name)
        if video:
            try:
                return await self._make_video(fetched, video, opened, folder)
            except PermanentError as error:
                if opened.whole:
                    raise
                raise MoreNeeded(error.detail) from error
        if audio:
            return await self._make_audio(fetched, audio, opened, folder)
        text = fetched.plan.text_part(name)
        if text:
            return await self._make_text(fetched, text, opened, folder)
        raise PermanentError("internal_error", f"no part {name} in the plan")

    async def _make_video(self, fetched: Fetched, part: VideoPart, opened: SourceInput, folder: Path) -> AttemptResult:
        if self._tools.encoder != "libx264":
            try:
                # A graphics driver maps far more memory than it uses.
                limits = replace(self._limits, memory_bytes=None)
                return await self._video_attempt(fetched, part, opened, folder, self._tools, limits)
            except (EncoderFailed, TransientError) as error:
                if isinstance(error, TransientError) and error.code == "workspace_full":
                    raise
                # A GPU may be gone, hang, be full, or be unable to do this size. The CPU can do it.
                metrics.GPU_FALLBACKS.inc()
                await structlog.get_logger().awarning("GPU encode failed, using the CPU", error=str(error))
        try:
            return await self._video_attempt(
                fetched, part, opened, folder, replace(self._tools, encoder="libx264"), self._limits
            )
        except NothingDecoded as error:
            # Of the thumbnails' frames alone, perhaps: then there are fewer frames than were planned.
            raise PermanentError("input_damaged", str(error)) from error
        except EncoderFailed as error:
            raise PermanentError("encode_failed", str(error)) from error

    async def _video_attempt(
        self,
        fetched: Fetched,
        part: VideoPart,
        opened: SourceInput,
        folder: Path,
        tools: Tools,
        limits: ProcessLimits,
    ) -> AttemptResult:
        source, plan = fetched.source, fetched.plan
        stills.prepare(plan, part, folder)

        async def attempt(part: VideoPart) -> str:
            argv = command.video_command(tools, source, opened, plan, part, folder)
            touches = Touches(opened.reads, (folder,), gpu=tools.encoder != "libx264")
            return await self._run(fetched, part, argv, _patient(limits, fetched, part), touches)

        try:
            tail = await attempt(part)
            exact = _is_exact(folder, part, tail)
            if not opened.whole and not (exact and is_undisturbed(tail)):
                raise MoreNeeded(tail)
        except NothingDecoded as error:
            if not opened.whole:
                raise MoreNeeded(str(error)) from error
            if part.first_pts is None:
                raise
            exact = False
        if part.first_pts is not None and not exact:
            # The container seeks inexactly after all, or the decoder needs more than a key frame to begin with (4:4:4 of an
            # old x264 is read wrongly without the first frame's notes), or the pictures that it should begin with are
            # broken. Reading from the start is what one single pass would do.
            await structlog.get_logger().awarning("inexact seek, decoding from the start", planned=part.shown_first)
            part = part.model_copy(update={"seek": None, "first_pts": None})
            tail = await attempt(part)
            exact = _is_exact(folder, part, tail)
        warnings = () if exact else (_DAMAGED,)
        try:
            tracks = [
                await asyncio.to_thread(
                    packaging.video_segments, folder / f"{rung.name}.mp4", folder, plan, part, rung, fetched.layout
                )
                for rung in plan.rungs
            ]
            taken = stills.collect(plan, part, folder)
        except (packaging.WrongResult, ValueError) as error:
            if isinstance(error, packaging.TooShort) and tools.encoder == "libx264":
                raise PermanentError("input_damaged", f"{error}\n{tail}") from error
            raise EncoderFailed(f"{error}\n{tail}") from error
        for name in (FRAME_STATS, *(f"{rung.name}.mp4" for rung in plan.rungs)):
            (folder / name).unlink()
        return AttemptResult(tuple(tracks), tools.encoder, warnings, taken)

    async def _make_audio(self, fetched: Fetched, part: AudioPart, opened: SourceInput, folder: Path) -> AttemptResult:
        made, touches = folder / "audio.mp4", Touches(opened.reads, (folder,))
        try:
            try:
                pieces = await self._pieces(fetched, part, opened, folder)
                argv = command.audio_command(self._tools, fetched.source, opened, fetched.plan, part, folder, pieces)
                tail = await self._run(fetched, part, argv, self._limits, touches)
                warnings = (_DAMAGED_AUDIO,) if complains_of_damage(tail) else ()
            except NothingDecoded:
                # The pictures may be good, and the playlists count on a track.
                argv = command.silence_command(self._tools, fetched.plan, part, folder)
                tail, warnings = await self._run(fetched, part, argv, self._limits, touches), (_NO_AUDIO,)
            track = await asyncio.to_thread(packaging.audio_segments, made, folder, fetched.plan, part, fetched.layout)
        except EncoderFailed as error:
            raise PermanentError("encode_failed", str(error)) from error
        except (packaging.WrongResult, ValueError) as error:
            raise PermanentError("encode_failed", f"{error}\n{tail}") from error
        for name in (made.name, command.AUDIO_TIMES, command.AUDIO_GRAPH):
            (folder / name).unlink(missing_ok=True)
        return AttemptResult((track,), "aac", warnings)

    async def _pieces(self, fetched: Fetched, part: AudioPart, opened: SourceInput, folder: Path) -> tuple[Piece, ...]:
        """Where the samples of a track belong whose stamps do not follow each other; that costs decoding it once more."""
        if not fetched.source.audio_track(part.track).uneven:
            return ()
        argv = command.audio_times_command(self._tools, fetched.source, opened, fetched.plan, part, folder)
        # Only what is encoded counts as progress.
        await self._run(fetched, part, argv, self._limits, Touches(opened.reads, (folder,)), seconds=inf)
        return await asyncio.to_thread(_read_pieces, folder / command.AUDIO_TIMES, part.sample_rate)

    async def _make_text(self, fetched: Fetched, part: TextPart, opened: SourceInput, folder: Path) -> AttemptResult:
        """The cues; no track at all where ffmpeg cannot read them, since an empty one would promise something."""
        argv = command.text_command(self._tools, fetched.source, opened, part, folder)
        limits = self._limits
        if limits.stall_seconds:
            limits = replace(limits, stall_seconds=limits.stall_seconds + fetched.source.bytes / _SLOWEST_DISK)
        made = folder / "text.vtt"
        try:
            await self._run(fetched, part, argv, limits, Touches(opened.reads, (folder,)))
            track = await asyncio.to_thread(text_segments, made, folder, fetched.plan, part)
        except (EncoderFailed, ValueError) as error:
            await structlog.get_logger().awarning("subtitles cannot be converted", track=part.track, error=str(error))
            message = f"Subtitles of the source ({part.label}) were left out, because they could not be read."
            return AttemptResult((), "webvtt", (JobWarning(code="subtitles_dropped", message=message),))
        made.unlink()
        return AttemptResult((track,), "webvtt")

    async def _run(
        self,
        fetched: Fetched,
        part: VideoPart | AudioPart | TextPart,
        argv: list[str],
        limits: ProcessLimits,
        touches: Touches,
        *,
        seconds: float | None = None,
    ) -> str:
        frames = part.frames if isinstance(part, VideoPart) else None
        seconds = seconds or float(fetched.plan.duration)
        return await self._ffmpeg.run(
            argv,
            org=fetched.org,
            job=fetched.job,
            part=part.name,
            frames=frames,
            seconds=seconds,
            limits=limits,
            touches=touches,
        )


def _media_seconds(fetched: Fetched, name: str) -> float:
    """How much of the film a part is."""
    part = fetched.plan.video_part(name)
    return float(part.frames / fetched.plan.frame_rate if part else fetched.plan.duration)


def _read_pieces(times: Path, rate: int) -> tuple[Piece, ...]:
    with times.open(encoding="ascii") as lines:
        return straighten(read_frames(lines), rate)


def _patient(limits: ProcessLimits, fetched: Fetched, part: VideoPart) -> ProcessLimits:
    """The limits with time to decode what lies between where reading begins and the part; nothing is put out meanwhile."""
    if not limits.stall_seconds:
        return limits
    video, plan = fetched.source.video, fetched.plan
    if part.first_pts is None or part.seek is None:
        seconds = float(part.first_frame / plan.frame_rate)
    else:
        seconds = float(part.first_pts * video.time_base) - part.seek
    return replace(limits, stall_seconds=limits.stall_seconds + max(0.0, seconds))


def _is_exact(folder: Path, part: VideoPart, tail: str) -> bool:
    """Whether the part shows the frames it was planned to show, all of them whole."""
    if complains_of_damage(tail):
        return False
    if part.shown_first is None:
        return True
    shown = packaging.read_shown(folder / FRAME_STATS)
    return shown is not None and (shown.first, shown.last) == (part.shown_first, part.shown_last)
