"""Finding out what sound a file holds, for jobs that ask for nothing else. Its picture is neither looked at nor decoded."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from services.fetcher.probe import streams as st
from services.fetcher.probe.declared_duration import TELLS_WHAT_IS_LEFT, declared_by_audio
from services.fetcher.probe.evidence import sound_seconds
from services.fetcher.probe.facts import audio_dropped, declared_duration
from services.fetcher.probe.inspection import DRM, LOOK_SECONDS, Inspection, Opened
from services.fetcher.probe.integrity import Findings, check_complete
from services.fetcher.probe.joined import first_alone
from services.fetcher.probe.packets import NO_STREAM, NO_TIME, Extent, PacketTable
from services.fetcher.probe.plausibility import check_sound_alone
from services.fetcher.probe.programs import one_program, program_warnings
from services.fetcher.probe.timeline import DISCONTINUOUS, JUMP_SECONDS
from shared.errors import PermanentError
from shared.media.result import JobWarning
from shared.media.source import AudioTrack, Source
from shared.process import ProcessTimeout

_TIME_BASE = re.compile(rb"^#tb 0: (\d+/\d+)", re.MULTILINE)
_FIRST_FRAME = re.compile(rb"^0, *-?\d+, *(-?\d+),", re.MULTILINE)


@dataclass(frozen=True)
class ProbedAudio:
    """A source of which only the sound counts, and what the customer should know about it."""

    source: Source
    warnings: tuple[JobWarning, ...] = ()


class AudioProbe(Inspection):
    """Probes files whose sound alone is wanted."""

    async def __call__(self, file: Path) -> ProbedAudio:
        """Probe a file. For a moment a list of its packets lies beside it.

        Raises:
            PermanentError: ``input_no_audio_stream``, or why it cannot be read.
            TransientError: ``workspace_full``.
        """
        opened = await self._open(file, sound=True)
        async with self._packets(opened) as packets:
            everything = await self._header(opened)
            header = one_program(everything, sound=True)
            sound = _pick(header)
            try:
                table, complaints = await packets.of(NO_STREAM)
            except ProcessTimeout as error:
                raise PermanentError("input_damaged", f"it could not be read in the time allowed: {error}") from error
        warnings = _judge(opened, header, table, complaints)
        starts = {index: start for index in sound if (start := await self._start(opened, index)) is not None}
        probed = make_probed_audio(opened, sound, table, starts)
        check_sound_alone(probed.source.duration, sound_seconds(table, list(sound.values())))
        self._check_length(probed.source.duration)
        warnings += program_warnings(everything, header, table)
        return ProbedAudio(probed.source, warnings + probed.warnings)

    async def _start(self, opened: Opened, index: int) -> Fraction | None:
        """When the first sample is heard that comes out of the decoder, in seconds on the source's clock; None for none.

        Containers tell it as precisely only in part: what an encoder puts before its input is cut off by the decoder.
        """
        argv = [self._ffmpeg, "-v", "quiet", "-nostdin", "-copyts", *opened.arguments, "-map", f"0:{index}"]
        try:
            done = await self._run(opened, [*argv, "-frames:a", "1", "-f", "framecrc", "pipe:1"], LOOK_SECONDS)
        except ProcessTimeout:
            return None
        time_base, frame = _TIME_BASE.search(done.output), _FIRST_FRAME.search(done.output)
        return int(frame[1]) * Fraction(time_base[1].decode()) if time_base and frame else None


def make_probed_audio(
    opened: Opened, sound: Mapping[int, st.Stream], table: PacketTable, starts: Mapping[int, Fraction]
) -> ProbedAudio:
    """The source as a model. Pure.

    Args:
        sound: the audio streams by index. starts: seconds at which those begin that can be decoded.

    Raises:
        PermanentError: ``input_no_audio_stream``; ``input_damaged`` where the clock jumps.
    """
    tracks, dropped = [], []
    for index, stream in sound.items():
        extent = table.extent(index)
        track = st.audio_track(stream, extent, by_sum=False)
        if track and index in starts:
            # All demuxers but this one take what only fills up the last packet off its duration.
            padding = Fraction(extent.padding, track.sample_rate) if opened.demuxer == "mp3" else 0
            tracks.append(_placed(track, starts[index], track.end - float(padding)))
            _check_clock(opened, extent, stream)
        elif extent.count:
            dropped.append(audio_dropped(stream))
    if not tracks:
        codecs = ", ".join(str(stream.get("codec_name")) for stream in sound.values())
        raise PermanentError("input_no_audio_stream", f"nothing could be decoded of {codecs}")
    source = Source(
        demuxer=opened.demuxer,
        file=opened.file.name,
        bytes=opened.size,
        duration=max(track.end for track in tracks) - min(track.start for track in tracks),
        audio=tuple(tracks),
        cuttable=False,
    )
    return ProbedAudio(source, tuple(dropped))


def _check_clock(opened: Opened, extent: Extent, stream: st.Stream) -> None:
    """Refuse a clock that jumps: hours of silence would come of it, or sound upon sound."""
    if opened.demuxer not in DISCONTINUOUS or not extent.sum or extent.start == NO_TIME:
        return
    jump = (extent.end - extent.start - extent.sum) * (st.ratio(stream.get("time_base")) or Fraction(0))
    if abs(jump) > JUMP_SECONDS:
        raise PermanentError(
            "input_damaged",
            f"its clock jumps by about {float(jump):.0f} s",
            cause="The clock of the input jumps.",
            remedy="Export it again, or ask for the resolutions of a picture, which mends it.",
        )


def _placed(track: AudioTrack, start: Fraction, end: float) -> AudioTrack:
    return track.model_copy(update={"start": float(start), "end": max(end, float(start))})


def _sound(streams: Sequence[st.Stream]) -> dict[int, st.Stream]:
    return {stream["index"]: stream for stream in streams if stream.get("codec_type") == "audio"}


def _pick(header: dict[str, Any]) -> dict[int, st.Stream]:
    """The audio streams, by index."""
    streams: list[st.Stream] = header["streams"]
    sound = _sound(streams)
    if not sound:
        raise PermanentError("input_no_audio_stream", f"streams: {st.kinds(streams)}")
    encrypted = [index for index, stream in sound.items() if st.is_encrypted(stream)]
    if encrypted:
        raise PermanentError("input_encrypted", f"streams {encrypted}")
    return sound


def _judge(opened: Opened, header: dict[str, Any], table: PacketTable, complaints: str) -> tuple[JobWarning, ...]:
    """Refuse what stops short, or cannot be read without a key."""
    streams: list[st.Stream] = header["streams"]
    sound = _sound(streams)
    if table.encrypted & sound.keys() or DRM in complaints:
        raise PermanentError("input_encrypted", f"streams {sorted(table.encrypted)}")
    if opened.demuxer in TELLS_WHAT_IS_LEFT:
        exact = declared_by_audio(opened.demuxer, opened.head, next(iter(sound.values())))
        seconds = float(exact) if exact else None
    else:
        seconds = declared_duration(opened.demuxer, header, st.choose_video(streams))
    found = Findings(opened.demuxer, streams, seconds, table.others, complaints, opened.boxes)
    return check_complete(found) + first_alone(opened.boxes, seconds)
