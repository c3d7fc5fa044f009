"""Finding out what a file is: ffprobe lists its streams and packets, ffmpeg decodes its first frame, all under limits."""

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from services.fetcher.probe import aspects
from services.fetcher.probe import packets as pk
from services.fetcher.probe import streams as st
from services.fetcher.probe.cropping import cropped
from services.fetcher.probe.evidence import TRIED_FRAMES, Trial, read_trial
from services.fetcher.probe.facts import Answers, Probed, assemble, findings
from services.fetcher.probe.fields import MEASURE, MEASURED_FRAMES, is_unsaid, measured
from services.fetcher.probe.inspection import (
    DRM,
    LOOK_SECONDS,
    Inspection,
    Opened,
    ProbeLimits,
    input_arguments,
    remove_leftovers,
)
from services.fetcher.probe.integrity import check_complete, nothing_to_show
from services.fetcher.probe.joined import first_alone, refuse_restart
from services.fetcher.probe.plausibility import check_plausible
from services.fetcher.probe.programs import one_program, program_warnings
from services.fetcher.probe.showinfo import read_showinfo
from services.fetcher.probe.signal import alpha_decoder, as_ffmpeg_sees, refuse_dolby_vision_alone, seen_by_ffmpeg_alone
from services.fetcher.probe.sizes import longest_size, looks
from services.fetcher.probe.sniff import not_video
from services.fetcher.probe.timeline import starts_cleanly
from shared.errors import PermanentError
from shared.media.result import JobWarning
from shared.process import ProcessTimeout

__all__ = ["Probe", "ProbeLimits", "Probed", "input_arguments", "remove_leftovers"]

# Packets to decode for a look at the frames: for their colours; for their fields; and at most.
_FEW_PACKETS, _SAMPLE_PACKETS, _MOST_PACKETS = 4, 32, 600
_UNKNOWN_DECODER = re.compile(r"no decoder found|Decoder \(codec [^)]*\) not found|Unsupported codec", re.IGNORECASE)
_FRAME_FACTS = (
    "pts,best_effort_timestamp,interlaced_frame,top_field_first,color_range,color_space,color_primaries,color_transfer"
    ",width,height,pix_fmt:frame_side_data=side_data_type,max_luminance,max_content,displaymatrix"
)
_REPORT_SECONDS = 30.0


class Probe(Inspection):
    """Probes files whose picture is wanted, with or without sound."""

    async def __call__(self, file: Path) -> Probed:
        """Probe a file. For a moment a list of its packets lies beside it.

        Raises:
            PermanentError: it is no video that can be transcoded; the code and its sentence say why.
            TransientError: ``workspace_full``.
        """
        opened = await self._open(file)
        # What needs nothing of each other goes on at once: one waits for the disk, the other for the processor.
        async with self._packets(opened) as packets:
            everything = await self._header(opened)
            header = one_program(everything)
            video = self._pick(header)
            try:
                listing, decoding = await _together(packets.of(video["index"]), self._decode(opened, video))
            except ProcessTimeout as error:
                raise PermanentError("input_damaged", f"it could not be read in the time allowed: {error}") from error
        table, complaints = listing
        answers = Answers(file.name, opened.size, opened.demuxer, header, video, table, complaints, boxes=opened.boxes)
        warnings = await asyncio.to_thread(_judge, answers)
        if not decoding.trial.times:
            raise _undecodable(video, decoding.complaints)
        # Nor do these: for a short clip it is the starts of programs that take the time.
        (frames, undecoded), mute, shapes = await _together(
            self._frames(opened, video, table.video),
            self._mute(opened, [stream for stream in header["streams"] if table.extent(stream["index"]).count]),
            self._aspects(opened, video),
        )
        unsaid = is_unsaid(video, frames)
        woven = measured(await self._report(opened, video, MEASURE, MEASURED_FRAMES)) if unsaid else None
        answers = replace(answers, aspects=shapes, frames=frames, undecoded=undecoded)
        probed = await asyncio.to_thread(assemble, replace(answers, trial=decoding.trial, woven=woven, mute=mute))
        if opened.demuxer == "gif" and probed.source.video.frames == 1:
            raise not_video("a picture (GIF)")
        probed = await self._sized(opened, video, probed)
        check_plausible(probed.source, probed.index, probed.evidence, probed.source.duration)
        self._check_length(probed.source.duration)
        warnings += program_warnings(everything, header, table)
        return replace(probed, warnings=warnings + probed.warnings)

    def _pick(self, header: dict[str, Any]) -> st.Stream:
        """The video stream, if there is one that may be transcoded."""
        streams: list[st.Stream] = header["streams"]
        video = st.choose_video(streams)
        if video is None:
            raise PermanentError("input_no_video_stream", f"streams: {st.kinds(streams)}")
        encrypted = [stream["index"] for stream in streams if st.is_encrypted(stream)]
        if encrypted:
            raise PermanentError("input_encrypted", f"streams {encrypted}")
        if video.get("codec_name") in (None, "unknown", "none"):
            raise PermanentError("input_unsupported_codec", f"codec tag {video.get('codec_tag_string')}")
        refuse_dolby_vision_alone(video)
        self._check_size(int(video.get("width") or 0), int(video.get("height") or 0))
        return video

    def _check_size(self, width: int, height: int) -> None:
        """Refuse what has more pixels than allowed."""
        if width * height > self._limits.max_pixels:
            cause = f"The picture is larger ({width}×{height}) than this server accepts."
            detail = f"{width * height} pixels, at most {self._limits.max_pixels}"
            raise PermanentError("input_too_large", detail, cause=cause)

    async def _sized(self, opened: Opened, stream: st.Stream, probed: Probed) -> Probed:
        """With the size that holds longest, where it changes."""
        video = probed.source.video
        options = looks(video, seekable=probed.source.cuttable) if len(probed.index.keyframes) > 1 else []
        if not options:
            return probed
        argv = [self._ffprobe, "-v", "quiet", "-threads", "2", *options, *opened.arguments]
        argv += ["-select_streams", str(video.index)]
        argv += ["-show_entries", "frame=best_effort_timestamp,width,height,pix_fmt"]
        try:
            done = await self._run(opened, [*argv, "-of", "json"], LOOK_SECONDS)
            frames: list[st.Stream] = json.loads(done.output).get("frames", [])
        except (json.JSONDecodeError, ProcessTimeout):
            return probed
        width, height = longest_size(video, [cropped(stream, frame) for frame in frames])
        self._check_size(width, height)
        track = video.model_copy(update={"width": width, "height": height})
        return replace(probed, source=probed.source.model_copy(update={"video_track": track}))

    async def _frames(
        self, opened: Opened, video: st.Stream, found: pk.VideoPackets
    ) -> tuple[Sequence[st.Stream], int]:
        """The first decoded frames, and how many packets before them gave none, where their times do not tell.

        Where ffprobe lacks the decoder, ffmpeg is asked, which has more of them.
        """
        untimed = pk.NO_TIME in found.pts
        count = _SAMPLE_PACKETS if st.may_be_interlaced(video) or untimed else _FEW_PACKETS
        if not starts_cleanly(found):
            count = max(found.flags.find(pk.KEY), 0) + _SAMPLE_PACKETS
        # What an edit list hides is decoded, and gives no frame.
        count = min(count + found.hidden_first, _MOST_PACKETS)
        what = ["-select_streams", str(video["index"]), "-read_intervals", f"%+#{count}"]
        argv = [self._ffprobe, "-v", "quiet", "-threads", "2", *opened.arguments, *what]
        argv += ["-show_entries", f"frame={_FRAME_FACTS}", "-of", "json"]
        try:
            done = await self._run(opened, argv, LOOK_SECONDS)
            frames: list[st.Stream] = json.loads(done.output).get("frames", [])
        except (json.JSONDecodeError, ProcessTimeout):
            return [], 0
        undecoded = max(0, found.shown_of(count) - len(frames)) if frames and untimed else 0
        frames = [cropped(video, frame) for frame in frames]
        if frames and not seen_by_ffmpeg_alone(video):
            return frames, undecoded
        seen = read_showinfo(await self._report(opened, video, "showinfo", _FEW_PACKETS))
        return (as_ffmpeg_sees(frames, seen) if frames else seen), undecoded

    async def _aspects(self, opened: Opened, video: st.Stream) -> list[str]:
        """What the key frames say of the shape of their pixels; nothing where it cannot change, or takes too long."""
        if not aspects.may_change(video):
            return []
        argv = [self._ffprobe, "-v", "quiet", "-threads", "2", *opened.arguments]
        argv += ["-select_streams", str(video["index"]), *aspects.LOOK]
        try:
            done = await self._run(opened, argv, self._limits.seconds)
        except ProcessTimeout:
            return []
        return done.output.decode("ascii", "replace").splitlines()

    async def _report(self, opened: Opened, video: st.Stream, filters: str, frames: int) -> str:
        """What a filter of ffmpeg says of the first frames; nothing where that takes too long."""
        argv = [self._ffmpeg, "-v", "info", "-hide_banner", "-nostdin", "-nostats", "-threads", "2"]
        # Pictures as they are stored: turning them is the plan's business.
        argv += ["-noautorotate", *opened.arguments]
        argv += ["-map", f"0:{video['index']}", "-frames:v", str(frames), "-vf", filters, "-f", "null", "-"]
        try:
            done = await self._run(opened, argv, _REPORT_SECONDS)
        except ProcessTimeout:
            return ""
        return done.error_tail

    async def _decode(self, opened: Opened, video: st.Stream) -> "_Decoding":
        """The first frames that ffmpeg, which will do the work, gets out of it."""
        decoder = alpha_decoder(video)
        argv = [self._ffmpeg, "-v", "error", "-nostdin", "-threads", "2", *(["-c:v", decoder] if decoder else [])]
        argv += ["-copyts", "-noautorotate", *opened.arguments, "-map", f"0:{video['index']}"]
        argv += ["-fps_mode", "passthrough", "-enc_time_base", "demux", "-f", "framecrc"]
        try:
            done = await self._run(opened, [*argv, "-frames:v", str(TRIED_FRAMES), "pipe:1"], LOOK_SECONDS)
        except ProcessTimeout:
            # Large pictures on a busy machine, or slides minutes apart: one has to do.
            done = await self._run(opened, [*argv, "-frames:v", "1", "pipe:1"], LOOK_SECONDS)
        return _Decoding(read_trial(done.output), opened.clean(done.error_tail))

    async def _mute(self, opened: Opened, streams: Sequence[st.Stream]) -> frozenset[int]:
        """The sound tracks out of which ffmpeg gets nothing: it lacks the decoder, or they are damaged from end to end."""
        mute = set()
        for index in (stream["index"] for stream in streams if stream.get("codec_type") == "audio"):
            argv = [self._ffmpeg, "-v", "quiet", "-nostdin", *opened.arguments, "-map", f"0:{index}"]
            try:
                done = await self._run(opened, [*argv, "-frames:a", "1", "-f", "s16le", "pipe:1"], LOOK_SECONDS)
            except ProcessTimeout:
                # A long film that begins with damage: whoever encodes it will see.
                continue
            if not done.output:
                mute.add(index)
        return frozenset(mute)


@dataclass(frozen=True)
class _Decoding:
    """What came out of the decoder, and what it said."""

    trial: Trial
    complaints: str


def _judge(answers: Answers) -> tuple[JobWarning, ...]:
    """Refuse what has no pictures, stops short, or cannot be read without a key."""
    found = findings(answers)
    if not answers.packets.video.shown:
        raise nothing_to_show(found, answers.video)
    warnings = check_complete(found)
    if answers.packets.encrypted or DRM in answers.complaints:
        raise PermanentError("input_encrypted", f"streams {sorted(answers.packets.encrypted)}")
    time_base = st.ratio(answers.video.get("time_base"))
    if time_base:
        refuse_restart(answers.packets.video, answers.demuxer, time_base, answers.boxes)
    return warnings + first_alone(answers.boxes, found.duration)


def _undecodable(video: st.Stream, complaints: str) -> PermanentError:
    code = "input_unsupported_codec" if _UNKNOWN_DECODER.search(complaints) else "input_damaged"
    return PermanentError(code, f"not one frame of {video.get('codec_name')} could be decoded: {complaints}")


async def _together(*works: Any) -> Any:
    """Run side by side; when one fails, the others are stopped before its error goes on."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
