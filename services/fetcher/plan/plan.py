"""The plan: from the facts of a source to parts that can be encoded independently and joined without a seam. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from services.fetcher.plan.ladder import CODECS, make_ladder
from services.fetcher.plan.languages import bcp47
from services.fetcher.plan.normalise import MAX_FRAME_RATE, field_filters, picture_filters
from services.fetcher.plan.stills import plan_stills
from services.fetcher.probe.index import VideoIndex
from shared.media.codecs.aac import AAC_FRAME
from shared.media.plan import AudioPart, Plan, TextPart, VideoPart
from shared.media.profile import load_profile
from shared.media.result import JobWarning
from shared.media.source import AudioTrack, Source, TextTrack, VideoTrack

GOP_SECONDS = 2
GOPS_IN_SEGMENT = 3
MAX_PARTS = 900
"""Parts of the video. The log answers at most 1024 events of one kind in one read."""

SHORTEST_SEGMENT = Fraction(2, 5)
"""Seconds. What is left for the last segment goes into the one before where it is no longer than this: players look for
segments with some tolerance, and never get to the end of a presentation whose last one is a frame or two. Six seconds more stay
within the half second that a segment may exceed the target duration by."""

AUDIO_RATE = 48_000
_SEGMENT_SECONDS = GOP_SECONDS * GOPS_IN_SEGMENT
# Audio that begins this little before the video is priming or muxing slack, not content.
_START_SLACK = Fraction(1, 20)
_CAPTION_RUN_UP = 1


def make_plan(
    source: Source,
    index: VideoIndex,
    resolutions: Sequence[str],
    profile_name: str,
    *,
    window: int,
    codecs: Sequence[str] = CODECS,
) -> tuple[Plan, tuple[JobWarning, ...]]:
    """Decide the whole encode.

    Args:
        index: time stamps of the source's frames.
        resolutions: as asked for, such as ``480p``.
        window: parts of the job that may be requested and not yet uploaded at the most.
        codecs: that every resolution is made in.
    """
    video, profile = source.video, load_profile(profile_name)
    rate = output_rate(video)
    rungs, warnings = make_ladder(video, resolutions, profile, rate, codecs)
    clock = _Clock(video, rate, _origin(video, source.audio, rate))
    frames, pad = _frame_count(clock, source)
    gop = max(1, floor(GOP_SECONDS * rate))
    segment = gop * GOPS_IN_SEGMENT
    # Ticks fine enough for any player, and a whole number of them in each frame.
    multiple = 1000 if rate.numerator < 1000 else max(1, ceil(10_000 / rate.numerator))
    plan = Plan(
        profile=profile_name,
        preset=profile.preset,
        encoder_params=profile.encoder_params,
        frame_rate=rate,
        timescale=rate.numerator * multiple,
        frame_ticks=rate.denominator * multiple,
        gop_frames=gop,
        segment_frames=segment,
        frames=frames,
        tail_frames=tail_frames(frames, segment, rate),
        origin=clock.origin_pts * video.time_base,
        origin_pts=clock.origin_pts,
        field_filters=field_filters(video, clock.origin_pts),
        picture_filters=picture_filters(video, (rungs[0].width, rungs[0].height)),
        rungs=rungs,
        video=_video_parts(source, index, clock, frames, segment, pad),
        audio=_audio_parts(source.audio, profile.audio_rate),
        text=_text_parts(source.text),
        window=window,
        widest=window,
        stills=plan_stills(video, frames, rate),
    )
    return plan, warnings + _cut_warnings(source, plan)


def make_audio_plan(source: Source, profile_name: str, *, window: int) -> Plan:
    """Decide the encode of a source whose audio alone is wanted.

    What is counted in frames where there is video is counted in frames of AAC. The output begins with the track that begins
    first, and ends with the one that ends last.
    """
    profile, rate = load_profile(profile_name), Fraction(AUDIO_RATE, AAC_FRAME)
    begin = min(Fraction(track.start).limit_denominator(1_000_000) for track in source.audio)
    end = max(Fraction(track.end).limit_denominator(1_000_000) for track in source.audio)
    segment, frames = floor(_SEGMENT_SECONDS * rate), max(1, ceil((end - begin) * rate))
    return Plan(
        profile=profile_name,
        preset=profile.preset,
        encoder_params=profile.encoder_params,
        frame_rate=rate,
        timescale=AUDIO_RATE,
        frame_ticks=AAC_FRAME,
        gop_frames=segment,
        segment_frames=segment,
        frames=frames,
        tail_frames=tail_frames(frames, segment, rate),
        origin=begin,
        origin_pts=0,
        field_filters=(),
        picture_filters=(),
        rungs=(),
        video=(),
        audio=_audio_parts(source.audio, profile.audio_rate),
        window=window,
        widest=window,
    )


def tail_frames(frames: int, segment: int, rate: Fraction) -> int:
    """How many frames at the end are too few for a segment of their own, if there is one before.

    Args:
        segment: frames of a segment. rate: frames per second.
    """
    rest = frames % segment
    return rest if frames > segment and rest <= SHORTEST_SEGMENT * rate else 0


def output_rate(video: VideoTrack) -> Fraction:
    """Frames per second of the output: the source's rate, a frame for each field, brought down evenly to at most 60."""
    rate = video.frame_rate * (2 if video.interlaced else 1)
    return max(rate / ceil(rate / MAX_FRAME_RATE), Fraction(1))


@dataclass(frozen=True)
class _Clock:
    """Between the source's time stamps and output frame numbers, exactly as ffmpeg's fps filter rounds them."""

    video: VideoTrack
    rate: Fraction
    origin_pts: int

    def bound(self, frame: int) -> Fraction:
        """Output frame ``frame`` shows the last source frame with a time stamp below this (ticks)."""
        return self.origin_pts + (frame + Fraction(1, 2)) / (self.rate * self.video.time_base)

    def frames_until(self, seconds: Fraction) -> Fraction:
        """Output frames from the origin to an instant on the source's clock."""
        return (seconds - self.origin_pts * self.video.time_base) * self.rate


def _origin(video: VideoTrack, audio: Sequence[AudioTrack], rate: Fraction) -> int:
    """Where the output begins: with the video, or with the audio where that clearly begins before."""
    slack = max(_START_SLACK, 1 / rate)
    earlier = [Fraction(track.start).limit_denominator(1_000_000) for track in audio]
    earlier = [start for start in earlier if start < video.start - slack]
    return floor(min(earlier) / video.time_base) if earlier else video.start_pts


def _frame_count(clock: _Clock, source: Source) -> tuple[int, int]:
    """Output frames in all, and how many of them come after the video's own end, where audio goes on."""
    own = max(1, floor(clock.frames_until(source.video.end) + Fraction(1, 2)))
    ends = [floor(clock.frames_until(Fraction(track.end).limit_denominator(1_000_000))) for track in source.audio]
    slack = max(Fraction(1), _START_SLACK * clock.rate)
    longest = max((end for end in ends if end > own + slack), default=own)
    return longest, longest - own


def _video_parts(
    source: Source, index: VideoIndex, clock: _Clock, frames: int, segment: int, pad: int
) -> tuple[VideoPart, ...]:
    segments = ceil((frames - tail_frames(frames, segment, clock.rate)) / segment)
    each = segments_per_part(segments, clock, index, segment) if source.cuttable else segments
    parts = []
    for number, first_segment in enumerate(range(0, segments, each)):
        first = first_segment * segment
        count = each * segment if first_segment + each < segments else frames - first
        parts.append(_video_part(number, first_segment, first, count, source, index, clock, frames - pad))
    return tuple(parts)


def segments_per_part(segments: int, clock: _Clock, index: VideoIndex, segment: int) -> int:
    """How many segments a part has: few where the source is short, so that several encoders can share it.

    A part decodes from the key frame before it, so parts are longer where key frames are far apart: what is decoded for
    nothing stays below half of the whole.
    """
    each = 1 if segments <= 4 else 2 if segments <= 16 else 4 if segments <= 128 else 8
    each = max(each, ceil(segments / MAX_PARTS))
    while each < segments and _lead_in(range(0, segments, each), clock, index, segment) * 2 > segments * segment:
        each *= 2
    return each


def _lead_in(starts: Sequence[int], clock: _Clock, index: VideoIndex, segment: int) -> Fraction:
    """Output frames' worth of video between the first frame of each part and the key frame before it, in all."""
    ticks = 0
    for start in starts:
        shown = index.pts[_shown(start * segment, index, clock)]
        keyframe = index.keyframe_at_or_before(shown)
        ticks += shown - (index.pts[0] if keyframe is None else keyframe)
    return ticks * clock.video.time_base * clock.rate


def _video_part(
    number: int, first_segment: int, first: int, count: int, source: Source, index: VideoIndex, clock: _Clock, own: int
) -> VideoPart:
    video = source.video
    shown_first, shown_last = _shown(first, index, clock), _shown(first + count - 1, index, clock)
    start = max(0, shown_first - _run_up(video))
    keyframe = bisect_right(index.keyframes, index.pts[start]) - 1
    whole = first == 0
    return VideoPart(
        name=f"v{number:04d}",
        first_segment=first_segment,
        first_frame=first,
        frames=count,
        seek=None if whole or keyframe <= 0 else float(index.keyframes[keyframe] * video.time_base),
        first_pts=None if whole else index.pts[start],
        # What cannot be cut is one part without a seek, and may have time stamps that were worked out, not read.
        shown_first=None if video.interlaced or not source.cuttable else index.pts[shown_first],
        shown_last=None if video.interlaced or not source.cuttable else index.pts[shown_last],
        pad=max(0, first + count - max(own, first)),
    )


def _run_up(video: VideoTrack) -> int:
    """Frames of the source to begin with before the first one that is shown; what they give is dropped later on.

    A deinterlacer looks at the frames before. Closed captions are dealt out anew over the frames by ffmpeg, which looks
    one frame ahead and keeps what has no room for later: after a second it holds what one single pass would hold.
    """
    return (2 if video.interlaced else 0) + (ceil(_CAPTION_RUN_UP * video.frame_rate) if video.captions else 0)


def _shown(frame: int, index: VideoIndex, clock: _Clock) -> int:
    """Number of the source frame that an output frame shows."""
    return max(0, bisect_left(index.pts, ceil(clock.bound(frame))) - 1)


def _audio_parts(tracks: Sequence[AudioTrack], bit_rate: int) -> tuple[AudioPart, ...]:
    parts: list[AudioPart] = []
    default = _default(tracks)
    for number, track in enumerate(tracks):
        language = bcp47(track.language)
        parts.append(
            AudioPart(
                name=f"a{number}",
                track=track.index,
                folder=f"audio/{number}-{language or 'und'}",
                label=_unique(track.title or language, "Audio", [part.label for part in parts]),
                language=language,
                default=number == default,
                bit_rate=bit_rate,
                sample_rate=AUDIO_RATE,
                purpose=track.purpose,
            )
        )
    return tuple(parts)


def _default(tracks: Sequence[AudioTrack]) -> int:
    """The track to begin with: the first of those that the source marks so, else the first that is the film itself."""
    marked = [number for number, track in enumerate(tracks) if track.default]
    plain = [number for number, track in enumerate(tracks) if track.purpose == "main"]
    return next(iter(marked or plain), 0)


def _text_parts(tracks: Sequence[TextTrack]) -> tuple[TextPart, ...]:
    parts: list[TextPart] = []
    default = next((number for number, track in enumerate(tracks) if track.default), None)
    for number, track in enumerate(tracks):
        language = bcp47(track.language)
        parts.append(
            TextPart(
                name=f"t{number}",
                track=track.index,
                folder=f"text/{number}-{language or 'und'}",
                label=_unique(track.title or language, "Subtitles", [part.label for part in parts]),
                language=language,
                default=number == default,
                forced=track.forced,
            )
        )
    return tuple(parts)


def _unique(label: str | None, nameless: str, taken: list[str]) -> str:
    """A label that is not taken yet; ``nameless`` for what has none."""
    clean = "".join(character for character in label or "" if character.isprintable() and character != '"').strip()
    clean = clean or nameless
    candidates = [clean, *(f"{clean} {number}" for number in range(2, len(taken) + 3))]
    return next(candidate for candidate in candidates if candidate not in taken)


def _cut_warnings(source: Source, plan: Plan) -> tuple[JobWarning, ...]:
    if source.cuttable or plan.segments <= 1:
        return ()
    message = "The source cannot be split exactly, so it was encoded in one part, which takes longer."
    return (JobWarning(code="single_part", message=message),)
