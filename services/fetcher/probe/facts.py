"""From the answers of ffprobe and ffmpeg to the model of a source. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from typing import Any

from services.fetcher.probe import aspects
from services.fetcher.probe import streams as st
from services.fetcher.probe.boxes import BoxLayout
from services.fetcher.probe.cropping import cropped
from services.fetcher.probe.evidence import Evidence, Trial, sound_seconds
from services.fetcher.probe.index import VideoIndex
from services.fetcher.probe.integrity import Findings
from services.fetcher.probe.packets import NO_TIME, Extent, PacketTable
from services.fetcher.probe.places import Places
from services.fetcher.probe.signal import alpha_decoder, is_enhancement, mastering, with_base_layer
from services.fetcher.probe.timeline import Claims, Timeline, make_timeline
from shared.media.result import JobWarning
from shared.media.source import AudioTrack, Source, TextTrack, VideoTrack

# Seeking in these was seen to land exactly; others are read from the beginning.
_SEEKABLE = frozenset({"mov", "matroska"})
# Those whose headers, or the pictures themselves, say how long the last picture is shown.
_HOLDING = frozenset({"mov", "matroska", "gif"})


@dataclass(frozen=True)
class Answers:
    """All that was asked of a file.

    Attributes:
        name, size: of the file, in bytes.
        header: ffprobe's streams and format. video: the one of its streams that is transcoded.
        packets, complaints: the list of packets, and what ffprobe wrote on standard error meanwhile.
        frames: the first decoded frames; may be none.
        aspects: ffprobe's lines of key frames, where the shape of pixels may change.
        undecoded: how many packets at the beginning gave none.
        woven: measured of pictures that say nothing of fields: True for fields with the top one first, False for the bottom
            one, None for none.
        mute: indexes of sound tracks of which nothing can be decoded.
        boxes: for ISO base media.
        trial: the first pictures out of ffmpeg.
    """

    name: str
    size: int
    demuxer: str
    header: dict[str, Any]
    video: st.Stream
    packets: PacketTable
    complaints: str
    frames: Sequence[st.Stream] = ()
    aspects: Sequence[str] = ()
    undecoded: int = 0
    woven: bool | None = None
    mute: frozenset[int] = frozenset()
    boxes: BoxLayout | None = None
    trial: Trial = field(default_factory=Trial)


@dataclass(frozen=True)
class Probed:
    """A source as it was found, its time line, and what the customer should know about it.

    Attributes:
        movable: the packets can be written into another container as they are, each with a time stamp of its own.
        evidence: what a plan is checked against.
        places: where its packets lie in the file.
    """

    source: Source
    index: VideoIndex
    warnings: tuple[JobWarning, ...] = ()
    movable: bool = False
    evidence: Evidence = field(default_factory=Evidence)
    places: Places = field(default_factory=Places)


def findings(answers: Answers) -> Findings:
    """What was found, to be held against what the header promises."""
    video, extent = answers.packets.video, Extent()
    for pts, dts, duration in zip(video.pts, video.dts, video.duration, strict=True):
        extent.add(dts if pts == NO_TIME else pts, duration)
    return Findings(
        demuxer=answers.demuxer,
        streams=answers.header["streams"],
        duration=declared_duration(answers.demuxer, answers.header, answers.video),
        extents=answers.packets.others | {answers.video["index"]: extent},
        complaints=answers.complaints,
        boxes=answers.boxes,
    )


def assemble(answers: Answers) -> Probed:
    """The source as a model, with its index, and what its time line and its sound make worth telling.

    Raises:
        ValueError: there is nothing to show.
    """
    interlaced, top_first = st.fields(answers.video, answers.frames) if answers.woven is None else (True, answers.woven)
    claims = _claims(answers, interlaced=interlaced)
    timeline = make_timeline(answers.packets.video, claims)
    track = _video_track(answers, claims, timeline, top_first=top_first)
    audio, silent = _audio_tracks(answers, timeline)
    text, unread = _text_tracks(answers)
    starts = [float(track.start), *(one.start for one in audio)]
    ends = [float(track.end), *(one.end for one in audio)]
    fragmented = answers.boxes is not None and answers.boxes.fragmented
    source = Source(
        demuxer=answers.demuxer,
        file=answers.name,
        bytes=answers.size,
        duration=max(ends) - min(starts),
        video=track,
        audio=audio,
        text=text,
        cuttable=timeline.exact and answers.demuxer in _SEEKABLE and not fragmented,
    )
    movable = not timeline.joined and (timeline.exact or timeline.jumps > 0)
    found = _jump_warning(timeline) + _left_out(answers) + silent + unread
    evidence = Evidence(answers.trial, sound_seconds(answers.packets, answers.header["streams"]))
    return Probed(source, timeline.index, found, movable, evidence, answers.packets.places)


def declared_duration(demuxer: str, header: dict[str, Any], video: st.Stream | None) -> float | None:
    """Seconds that the header says the file is long, None if it does not say."""
    text = str(header.get("format", {}).get("duration", ""))
    told = float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else None
    video = video or {}
    frames, rate = str(video.get("nb_frames", "")), st.ratio(video.get("avg_frame_rate"))
    if demuxer == "avi" and frames.isdigit() and rate:
        # Without its index at the end, the duration told for an AVI is a guess; the number of frames is its header's.
        return max(told or 0.0, float(int(frames) / rate))
    return told


def _declared_end(answers: Answers, time_base: Fraction) -> int | None:
    """By the header of a file that has one: of the stream, and no later than that of the whole file."""
    form, video = answers.header.get("format", {}), answers.video
    seconds = declared_duration(answers.demuxer, answers.header, video)
    if answers.demuxer not in _HOLDING or (answers.boxes and answers.boxes.fragmented) or seconds is None:
        return None
    start = float(form.get("start_time") or 0)
    if answers.demuxer == "matroska":
        # It counts from zero.
        return ceil(Fraction(seconds) / time_base)
    whole = ceil(Fraction(start + seconds) / time_base)
    own = int(video.get("start_pts") or 0) + int(video.get("duration_ts") or 0)
    return min(whole, own)


def _claims(answers: Answers, *, interlaced: bool) -> Claims:
    stamps = (frame.get("best_effort_timestamp", frame.get("pts")) for frame in answers.frames)
    time_base = st.ratio(answers.video.get("time_base")) or Fraction(1, 1000)
    return Claims(
        time_base=time_base,
        demuxer=answers.demuxer,
        nominal=st.ratio(answers.video.get("r_frame_rate")),
        average=st.ratio(answers.video.get("avg_frame_rate")),
        decoded=tuple(stamp if isinstance(stamp, int) else None for stamp in stamps),
        undecoded=answers.undecoded,
        interlaced=interlaced,
        declared_end=_declared_end(answers, time_base),
    )


def _video_track(answers: Answers, claims: Claims, timeline: Timeline, *, top_first: bool) -> VideoTrack:
    video = answers.video
    rotation, mirrored = st.orientation(video, answers.frames)
    # What comes out of ffmpeg counts; whatever it crops by, ffprobe need not tell of.
    shown = answers.trial.size
    width, height = shown if all(shown) else st.size(cropped(video, video), answers.frames)
    pixel_format, decoder = st.pixel_format(video, answers.frames), alpha_decoder(video)
    if decoder:
        pixel_format = pixel_format.replace("yuv4", "yuva4")
    return VideoTrack(
        index=video["index"],
        codec=video["codec_name"],
        profile=video.get("profile"),
        pixel_format=pixel_format,
        width=width,
        height=height,
        sample_aspect=st.sample_aspect(video),
        rotation=rotation,
        mirrored=mirrored,
        time_base=claims.time_base,
        start_pts=timeline.index.pts[0],
        end_pts=timeline.end_pts,
        frames=len(timeline.index.pts),
        frame_rate=timeline.rate,
        variable_rate=timeline.variable,
        interlaced=claims.interlaced,
        top_field_first=top_first,
        bit_depth=st.bit_depth(video, pixel_format),
        color=with_base_layer(st.color(video, answers.frames), video),
        mastering=mastering(video, answers.frames),
        decoder=decoder,
        captions=st.has_captions(answers.frames),
        aspects=aspects.changes(answers.aspects, st.sample_aspect(video)),
    )


def _audio_tracks(answers: Answers, timeline: Timeline) -> tuple[tuple[AudioTrack, ...], tuple[JobWarning, ...]]:
    """The tracks that can be heard, and a warning for each that has content but cannot."""
    tracks, warnings = [], []
    for stream in answers.header["streams"]:
        if stream.get("codec_type") != "audio":
            continue
        extent = answers.packets.extent(stream["index"])
        track = st.audio_track(stream, extent, by_sum=timeline.jumps > 0)
        if track and track.index not in answers.mute:
            tracks.append(track)
        elif extent.count:
            warnings.append(audio_dropped(stream))
    return tuple(tracks), tuple(warnings)


def audio_dropped(stream: st.Stream) -> JobWarning:
    """The warning for a sound track that has content but cannot be probed."""
    codec = stream.get("codec_name") or stream.get("codec_tag_string") or "unknown"
    message = f"An audio track of the source was left out, because nothing of it ({codec}) could be decoded."
    return JobWarning(code="sound_dropped", message=message)


def _left_out(answers: Answers) -> tuple[JobWarning, ...]:
    """A warning where there are other films in the file than the one that is transcoded."""
    others = [
        stream
        for stream in st.films(answers.header["streams"])
        if stream["index"] != answers.video["index"]
        and not is_enhancement(stream)
        # A single picture is a title card, not a film.
        and answers.packets.extent(stream["index"]).count > 1
    ]
    if not others:
        return ()
    more = "another video track" if len(others) == 1 else f"{len(others)} other video tracks"
    message = f"The source has {more}; only the main one (stream {answers.video['index']}) was transcoded."
    return (JobWarning(code="video_track_dropped", message=message),)


def _text_tracks(answers: Answers) -> tuple[tuple[TextTrack, ...], tuple[JobWarning, ...]]:
    """The subtitles that can be made text, and a warning for each that cannot. Those without a cue are no tracks."""
    tracks, warnings = [], []
    for stream in st.subtitles(answers.header["streams"]):
        if not answers.packets.extent(stream["index"]).count:
            continue
        track = st.text_track(stream)
        if track:
            tracks.append(track)
        else:
            warnings.append(JobWarning(code="subtitles_dropped", message=_unread(stream)))
    return tuple(tracks), tuple(warnings)


def _unread(stream: st.Stream) -> str:
    name = st.tag(stream, "title") or st.tag(stream, "language")
    codec = stream.get("codec_name") or stream.get("codec_tag_string") or "unknown"
    why = "they are pictures" if codec in st.PICTURE_CODECS else "their format is not supported"
    return f"Subtitles of the source{f' ({name})' if name else ''} were left out, because {why} ({codec})."


def _jump_warning(timeline: Timeline) -> tuple[JobWarning, ...]:
    if not timeline.jumps:
        return ()
    times = "once" if timeline.jumps == 1 else f"{timeline.jumps} times"
    message = f"The timestamps of the source jump {times}; the pieces were joined without gaps."
    return (JobWarning(code="source_clock_jumps", message=message),)
