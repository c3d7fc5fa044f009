"""Finding out what a file is: ffprobe lists its streams and packets, ffmpeg decodes its first frame, all under limits."""

import asyncio
import json
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from services.fetcher import packets as pk
from services.fetcher import streams as st
from services.fetcher.boxes import BoxLayout, box_layout
from services.fetcher.facts import Answers, Probed, assemble, findings
from services.fetcher.fields import MEASURE, MEASURED_FRAMES, is_unsaid, measured
from services.fetcher.integrity import NOTHING_INSIDE, cannot_open, check_complete, nothing_to_show
from services.fetcher.showinfo import read_showinfo
from services.fetcher.signal import alpha_decoder, refuse_dolby_vision_alone
from services.fetcher.sniff import HEAD_BYTES, not_video, sniff
from services.fetcher.timeline import starts_cleanly
from shared.errors import PermanentError, TransientError
from shared.events import JobWarning
from shared.process import Finished, Limits, ProcessTimeout, run_process

__all__ = ["Probe", "ProbeLimits", "Probed", "input_arguments", "remove_leftovers"]

_LOOK_SECONDS = 60.0
# Packets to decode for a look at the frames: for their colours; for their fields; and at most.
_FEW_PACKETS, _SAMPLE_PACKETS, _MOST_PACKETS = 4, 32, 600
_LIST_FOLDER = "packets-"
_LIST_BYTES, _LIST_RESERVE = 2 * 1024**3, 16 * 1024**2
_UNKNOWN_DECODER = re.compile(r"no decoder found|Decoder \(codec [^)]*\) not found|Unsupported codec", re.IGNORECASE)
_DRM = "DRM protected stream"
_FRAME_FACTS = (
    "pts,best_effort_timestamp,interlaced_frame,top_field_first,color_range,color_space,color_primaries,color_transfer"
    ",width,height,pix_fmt:frame_side_data=side_data_type,max_luminance,max_content"
)
_REPORT_SECONDS = 30.0


@dataclass(frozen=True)
class ProbeLimits:
    """What a source may be, and what finding out may cost.

    Attributes:
        seconds: wall time for listing all packets. memory_bytes: address space of each process.
        max_duration: seconds. max_pixels: width times height.
    """

    seconds: float
    memory_bytes: int
    max_duration: float
    max_pixels: int


class Probe:
    """Probes files.

    Args:
        ffprobe, ffmpeg: paths of the programs.
    """

    def __init__(self, ffprobe: str, ffmpeg: str, limits: ProbeLimits) -> None:
        self._ffprobe = ffprobe
        self._ffmpeg = ffmpeg
        self._limits = limits

    async def __call__(self, file: Path) -> Probed:
        """Probe a file. For a moment a list of its packets lies beside it.

        Raises:
            PermanentError: it is no video that can be transcoded; the code and its sentence say why.
            TransientError: ``workspace_full``.
        """
        demuxer = sniff(await asyncio.to_thread(_head, file))
        boxes = await asyncio.to_thread(box_layout, file) if demuxer == "mov" else None
        opened = _Opened(file, demuxer, boxes)
        header = await self._header(opened)
        video = self._pick(header)
        try:
            # The two need nothing of each other: one waits for the disk, the other for the processor.
            listing, decoding = await _together(self._packets(opened, video["index"]), self._decode(opened, video))
        except ProcessTimeout as error:
            raise PermanentError("input_damaged", f"it could not be read in the time allowed: {error}") from error
        table, complaints = listing
        answers = Answers(
            file.name, await asyncio.to_thread(_size, file), demuxer, header, video, table, complaints, boxes=boxes
        )
        warnings = await asyncio.to_thread(_judge, answers)
        if not decoding.frames:
            raise _undecodable(video, decoding.complaints)
        frames = await self._frames(opened, video, table.video)
        unsaid = is_unsaid(video, frames)
        woven = measured(await self._report(opened, video, MEASURE, MEASURED_FRAMES)) if unsaid else None
        mute = await self._mute(opened, [stream for stream in header["streams"] if table.extent(stream["index"]).count])
        probed = await asyncio.to_thread(assemble, replace(answers, frames=frames, woven=woven, mute=mute))
        if demuxer == "gif" and probed.source.video.frames == 1:
            raise not_video("a picture (GIF)")
        if probed.source.duration > self._limits.max_duration:
            detail = f"{probed.source.duration:.0f} s, at most {self._limits.max_duration:.0f} s"
            raise PermanentError("input_too_long", detail)
        return replace(probed, warnings=warnings + probed.warnings)

    async def _header(self, opened: "_Opened") -> dict[str, Any]:
        argv = [self._ffprobe, "-v", "error", *opened.arguments, "-show_streams", "-show_format", "-of", "json"]
        try:
            done = await self._run(argv, _LOOK_SECONDS)
        except ProcessTimeout as error:
            raise PermanentError("input_damaged", f"its header could not be read: {error}") from error
        try:
            header: dict[str, Any] = json.loads(done.output)
        except json.JSONDecodeError:
            header = {}
        if done.status != 0 or not header.get("streams"):
            if done.status == 0 or (opened.demuxer == "flv" and "End of file" in done.error_tail):
                raise PermanentError("input_not_video", "no streams", message=NOTHING_INSIDE)
            raise cannot_open(opened.demuxer, opened.clean(done.error_tail) or "no streams", opened.boxes)
        return header

    def _pick(self, header: dict[str, Any]) -> st.Stream:
        """The video stream, if there is one that may be transcoded."""
        streams: list[st.Stream] = header["streams"]
        video = st.choose_video(streams)
        if video is None:
            kinds = ", ".join(f"{one.get('codec_type')} {one.get('codec_name')}" for one in streams[:20])
            raise PermanentError("input_no_video_stream", f"streams: {kinds}")
        encrypted = [stream["index"] for stream in streams if st.is_encrypted(stream)]
        if encrypted:
            raise PermanentError("input_encrypted", f"streams {encrypted}")
        if video.get("codec_name") in (None, "unknown", "none"):
            raise PermanentError("input_unsupported_codec", f"codec tag {video.get('codec_tag_string')}")
        refuse_dolby_vision_alone(video)
        pixels = int(video.get("width") or 0) * int(video.get("height") or 0)
        if pixels > self._limits.max_pixels:
            size = f"{video['width']}×{video['height']}"
            message = f"The picture is larger ({size}) than this server accepts."
            raise PermanentError(
                "input_too_large", f"{pixels} pixels, at most {self._limits.max_pixels}", message=message
            )
        return video

    async def _packets(self, opened: "_Opened", stream: int) -> tuple[pk.PacketTable, str]:
        """All packets of the file in one pass. The list goes through a file: that of a long film is large."""
        with tempfile.TemporaryDirectory(dir=opened.file.parent, prefix=_LIST_FOLDER) as folder:
            listing = Path(folder) / "packets.csv"
            output = ["-show_entries", pk.ENTRIES, "-of", "csv=p=0", "-o", str(listing)]
            argv = [self._ffprobe, "-v", "error", *opened.arguments, *output]
            done = await self._run(argv, self._limits.seconds, file_bytes=_LIST_BYTES)
            if done.status < 0:
                raise PermanentError("input_damaged", f"listing its packets ended with signal {-done.status}")
            if shutil.disk_usage(folder).free < _LIST_RESERVE:
                # The list may have been cut short, which would look like a source that is.
                raise TransientError("workspace_full", "no room to list the packets of the source")
            table = await asyncio.to_thread(_read_listing, listing, stream)
        return table, done.error_tail

    async def _frames(self, opened: "_Opened", video: st.Stream, found: pk.VideoPackets) -> list[st.Stream]:
        """The first decoded frames. Where ffprobe lacks the decoder, ffmpeg is asked, which has more of them."""
        count = _SAMPLE_PACKETS if st.may_be_interlaced(video) else _FEW_PACKETS
        if not starts_cleanly(found):
            count = min(found.flags.find(pk.KEY) + _SAMPLE_PACKETS, _MOST_PACKETS)
        what = ["-select_streams", str(video["index"]), "-read_intervals", f"%+#{count}"]
        argv = [self._ffprobe, "-v", "quiet", "-threads", "2", *opened.arguments, *what]
        argv += ["-show_entries", f"frame={_FRAME_FACTS}:frame_side_data=side_data_type", "-of", "json"]
        try:
            done = await self._run(argv, _LOOK_SECONDS)
            frames: list[st.Stream] = json.loads(done.output).get("frames", [])
        except (json.JSONDecodeError, ProcessTimeout):
            return []
        return frames or read_showinfo(await self._report(opened, video, "showinfo", _FEW_PACKETS))

    async def _report(self, opened: "_Opened", video: st.Stream, filters: str, frames: int) -> str:
        """What a filter of ffmpeg says of the first frames; nothing where that takes too long."""
        argv = [self._ffmpeg, "-v", "info", "-hide_banner", "-nostdin", "-nostats", "-threads", "2", *opened.arguments]
        argv += ["-map", f"0:{video['index']}", "-frames:v", str(frames), "-vf", filters, "-f", "null", "-"]
        try:
            done = await self._run(argv, _REPORT_SECONDS)
        except ProcessTimeout:
            return ""
        return done.error_tail

    async def _decode(self, opened: "_Opened", video: st.Stream) -> "_Decoding":
        """Whether ffmpeg, which will do the work, gets a first frame out of it."""
        decoder = alpha_decoder(video)
        argv = [self._ffmpeg, "-v", "error", "-nostdin", "-threads", "2", *(["-c:v", decoder] if decoder else [])]
        argv += [*opened.arguments, "-map", f"0:{video['index']}"]
        argv += ["-frames:v", "1", "-f", "null", "-nostats", "-progress", "pipe:1", "-"]
        done = await self._run(argv, _LOOK_SECONDS)
        counts = [int(count) for count in re.findall(rb"^frame=\s*(\d+)", done.output, re.MULTILINE)]
        return _Decoding(max(counts, default=0), opened.clean(done.error_tail))

    async def _mute(self, opened: "_Opened", streams: Sequence[st.Stream]) -> frozenset[int]:
        """The sound tracks out of which ffmpeg gets nothing: it lacks the decoder, or they are damaged from end to end."""
        mute = set()
        for index in (stream["index"] for stream in streams if stream.get("codec_type") == "audio"):
            argv = [self._ffmpeg, "-v", "quiet", "-nostdin", *opened.arguments, "-map", f"0:{index}"]
            try:
                done = await self._run([*argv, "-frames:a", "1", "-f", "s16le", "pipe:1"], _LOOK_SECONDS)
            except ProcessTimeout:
                # A long film that begins with damage: whoever encodes it will see.
                continue
            if not done.output:
                mute.add(index)
        return frozenset(mute)

    async def _run(self, argv: Sequence[str], seconds: float, *, file_bytes: int | None = None) -> Finished:
        limits = Limits(seconds=seconds, memory_bytes=self._limits.memory_bytes, file_bytes=file_bytes)
        return await run_process(argv, limits=limits)


@dataclass(frozen=True)
class _Opened:
    """A file with the demuxer that reads it."""

    file: Path
    demuxer: str
    boxes: BoxLayout | None

    @property
    def arguments(self) -> list[str]:
        """How ffprobe and ffmpeg are told to read it."""
        return input_arguments(self.file, self.demuxer)

    def clean(self, text: str) -> str:
        """What a program wrote, fit for the job's detail: without paths of ours and without control characters."""
        lines = [re.sub(r"\[(\w[\w,:#/]*) @ 0x[0-9a-f]+\]", r"[\1]", line) for line in text.splitlines()[-8:]]
        plain = "; ".join(lines).replace(f"file:{self.file}", "input").replace(str(self.file), "input")
        return "".join(character if character.isprintable() else " " for character in plain)


@dataclass(frozen=True)
class _Decoding:
    """How many frames came out of the decoder, and what it said."""

    frames: int
    complaints: str


def input_arguments(file: Path, demuxer: str) -> list[str]:
    """How ffprobe and ffmpeg are told to read a file with this demuxer, and nothing else."""
    # Sample data in other files (“data references”) is never followed, even by a build that allows it by default.
    more = ["-use_absolute_path", "0", "-enable_drefs", "0"] if demuxer == "mov" else []
    return ["-protocol_whitelist", "file", *more, "-f", demuxer, "-i", f"file:{file}"]


def remove_leftovers(folder: Path) -> None:
    """Remove what a probe that was killed has left beside its file."""
    for left in folder.glob(f"{_LIST_FOLDER}*"):
        shutil.rmtree(left, ignore_errors=True)


def _judge(answers: Answers) -> tuple[JobWarning, ...]:
    """Refuse what has no pictures, stops short, or cannot be read without a key."""
    found = findings(answers)
    if not answers.packets.video.shown:
        raise nothing_to_show(found, answers.video)
    warnings = check_complete(found)
    if answers.packets.encrypted or _DRM in answers.complaints:
        raise PermanentError("input_encrypted", f"streams {sorted(answers.packets.encrypted)}")
    return warnings


def _undecodable(video: st.Stream, complaints: str) -> PermanentError:
    code = "input_unsupported_codec" if _UNKNOWN_DECODER.search(complaints) else "input_damaged"
    return PermanentError(code, f"not one frame of {video.get('codec_name')} could be decoded: {complaints}")


def _head(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(HEAD_BYTES)


def _size(file: Path) -> int:
    return file.stat().st_size


def _read_listing(listing: Path, stream: int) -> pk.PacketTable:
    if not listing.exists():
        return pk.read_packets((), stream)
    with listing.open(encoding="ascii", errors="replace") as lines:
        return pk.read_packets(lines, stream)


async def _together(*works: Any) -> Any:
    """Run side by side; when one fails, the others are stopped before its error goes on."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
