"""From ffmpeg's fragmented files to CMAF segments with absolute times."""

import mmap
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count, pairwise
from math import floor
from pathlib import Path

from shared.encryption.boxes import sample_encryption
from shared.media.codecs.aac import AAC
from shared.media.codecs.codec import Codec, VideoCodec
from shared.media.codecs.table import video_codec
from shared.media.layout import segment_name
from shared.media.plan import AudioPart, Plan, Rung, VideoPart
from shared.media.result import Layout, SegmentTable
from shared.mp4.bmff import Fragment, Movie, read_movie, sample_entry, write_fragment
from shared.mp4.captions import Channels
from shared.mp4.cmaf import cmaf_header, segment_type
from shared.mp4.edits import preroll_group, with_edit, with_preroll
from shared.mp4.subsamples import SampleMap


class WrongResult(Exception):
    """What the encoder made is not what the plan says."""


class TooShort(WrongResult):
    """The source's video ends before it should."""


def video_segments(
    file: Path, folder: Path, plan: Plan, part: VideoPart, rung: Rung, layout: Layout = "clear"
) -> SegmentTable:
    """Cut one rendition of a part into segments, with a folder named as the rung below ``folder``.

    Args:
        layout: what the segments are laid out for. With ``cbcs`` they say which bytes of their samples are to be encrypted.

    Raises:
        MalformedMedia: the file cannot be read, or it cannot be said where its slices' headers end.
        WrongResult: codec, frames, GOPs or times are not as planned; TooShort if frames are missing.
    """
    target, codec = folder / rung.name, video_codec(rung.codec)
    target.mkdir(exist_ok=True)
    gops = plan.segment_frames // plan.gop_frames
    durations, sizes, iframes, channels = [], [], [], Channels()
    with _movie(file) as (data, movie):
        _check_codec(movie, codec)
        _check_video(data, movie, plan, part, codec)
        sample_map = codec.sample_map(movie.init_segment) if layout == "cbcs" else None
        starts = [number * gops for number in range(plan.segments_of(part))]
        for number, (start, end) in enumerate(pairwise([*starts, len(movie.fragments)])):
            absolute = part.first_segment + number
            segment = bytearray(segment_type(last=absolute == plan.segments - 1))
            marks = []
            for fragment in movie.fragments[start:end]:
                written = _video_fragment(data, fragment, plan, part, codec, sample_map)
                _feed_captions(channels, data, fragment, plan, codec)
                # An I-frame playlist points at the fragment's head together with its first sample.
                head = len(written) - sum(fragment.sizes) + fragment.sizes[0]
                marks.append((len(segment), head, len(fragment.sizes) * plan.frame_ticks))
                segment += written
            (target / segment_name("video", absolute)).write_bytes(segment)
            durations.append(sum(mark[2] for mark in marks))
            sizes.append(len(segment))
            iframes.append(tuple(marks))
        return SegmentTable(
            folder=rung.name,
            timescale=movie.timescale,
            first_segment=part.first_segment,
            durations=tuple(durations),
            sizes=tuple(sizes),
            frames=part.frames,
            init=b64encode(with_edit(_header(movie, codec), codec.reorder_frames * plan.frame_ticks)),
            codecs=codec.read_codecs(movie.init_segment),
            iframes=tuple(iframes),
            captions=channels.found,
        )


def audio_segments(file: Path, folder: Path, plan: Plan, part: AudioPart, layout: Layout = "clear") -> SegmentTable:
    """Cut an audio rendition into segments along the video's boundaries, in the part's folder below ``folder``.

    The first one begins with the encoder's priming, without which its first 20 ms would fade in; an edit list hides it, so that
    the first sample of content is at time zero.

    Raises:
        WrongResult: there are fewer frames than the plan asks for.
    """
    target = folder / part.folder
    target.mkdir(parents=True)
    exact = plan.duration * part.sample_rate / AAC.frame_samples
    frames = -(-exact.numerator // exact.denominator)
    durations, sizes = [], []
    with _movie(file) as (data, movie):
        _check_codec(movie, AAC)
        spans = [span for fragment in movie.fragments for span in _spans(fragment)]
        if len(spans) < AAC.priming_frames + frames:
            raise WrongResult(f"{len(spans) - AAC.priming_frames} audio frames instead of {frames}")
        boundaries = audio_boundaries(plan, part, frames)
        for number, (first, end) in enumerate(boundaries):
            begin = first + AAC.priming_frames if number else 0
            samples = [bytes(data[place : place + size]) for place, size in spans[begin : end + AAC.priming_frames]]
            segment = segment_type(last=number == len(boundaries) - 1) + write_fragment(
                samples,
                duration=AAC.frame_samples,
                decode_time=begin * AAC.frame_samples,
                sequence=number + 1,
                groups=preroll_group(len(samples)),
                protection=partial(sample_encryption, [()] * len(samples)) if layout == "cbcs" else None,
            )
            (target / segment_name("audio", number)).write_bytes(segment)
            durations.append(len(samples) * AAC.frame_samples)
            sizes.append(len(segment))
        priming = AAC.priming_frames * AAC.frame_samples
        return SegmentTable(
            folder=part.folder,
            timescale=movie.timescale,
            first_segment=0,
            durations=tuple(durations),
            sizes=tuple(sizes),
            frames=AAC.priming_frames + frames,
            init=b64encode(with_preroll(with_edit(_header(movie, AAC), priming), AAC.preroll_frames)),
            codecs=AAC.read_codecs(movie.init_segment),
            priming=priming,
        )


def audio_boundaries(plan: Plan, part: AudioPart, frames: int) -> list[tuple[int, int]]:
    """First and end AAC frame of each segment, counted without the priming: the last ones that end no later than the video's.

    So the priming, which comes on top by the times of decoding and by the durations in a playlist, takes none of them
    farther than a frame from the video's, either.
    """
    per_segment = plan.segment_frames / plan.frame_rate * part.sample_rate / AAC.frame_samples
    cuts = sorted({min(floor(number * per_segment), frames) for number in range(plan.segments)} | {frames})
    return list(pairwise(cuts))


@dataclass(frozen=True)
class Shown:
    """Time stamps of the source frames that the first and the last output frame show."""

    first: int
    last: int


def read_shown(file: Path) -> Shown | None:
    """What ffmpeg wrote about the frames it encoded; None if it wrote nothing."""
    lines = file.read_text().split() if file.exists() else []
    return Shown(int(lines[0]), int(lines[-1])) if lines else None


def _video_fragment(
    data: memoryview,
    fragment: Fragment,
    plan: Plan,
    part: VideoPart,
    codec: VideoCodec,
    sample_map: SampleMap | None,
) -> bytes:
    """A GOP at its absolute place. Every frame lasts exactly a frame; ffmpeg's own guess for the last one is not needed."""
    frame = part.first_frame + fragment.decode_time // plan.frame_ticks
    samples = [data[begin : begin + size] for begin, size in _spans(fragment)]
    protection = partial(sample_encryption, [sample_map(sample) for sample in samples]) if sample_map else None
    return write_fragment(
        samples,
        duration=plan.frame_ticks,
        decode_time=frame * plan.frame_ticks,
        sequence=frame // plan.gop_frames + 1,
        offsets=[offset + codec.reorder_frames * plan.frame_ticks for offset in fragment.offsets],
        protection=protection,
    )


def _feed_captions(channels: Channels, data: memoryview, fragment: Fragment, plan: Plan, codec: VideoCodec) -> None:
    """Captions have to be read in the order in which their frames are shown."""
    samples = zip(count(0, plan.frame_ticks), fragment.offsets, _spans(fragment), strict=False)
    for _, (begin, size) in sorted((decoded + offset, span) for decoded, offset, span in samples):
        channels.feed(codec.read_captions(data[begin : begin + size]))


def _header(movie: Movie, codec: Codec) -> bytes:
    return cmaf_header(codec.without_bitrate(movie.init_segment))


def _check_codec(movie: Movie, codec: Codec) -> None:
    found = sample_entry(movie.init_segment).kind
    if found != codec.sample_entry:
        raise WrongResult(f"{found!r} instead of {codec.name}")


def _check_video(data: memoryview, movie: Movie, plan: Plan, part: VideoPart, codec: VideoCodec) -> None:
    frames = sum(len(fragment.sizes) for fragment in movie.fragments)
    if frames < part.frames:
        raise TooShort(f"{frames} frames instead of {part.frames}")
    if frames > part.frames:
        raise WrongResult(f"{frames} frames instead of {part.frames}")
    if movie.timescale != plan.timescale:
        raise WrongResult(f"timescale {movie.timescale} instead of {plan.timescale}")
    done = 0
    for fragment in movie.fragments:
        expected = min(plan.gop_frames, part.frames - done)
        # Not every key frame of an encoder is one that decoding can begin with.
        begins = fragment.sync and codec.is_random_access(data[fragment.data : fragment.data + fragment.sizes[0]])
        if len(fragment.sizes) != expected or not begins:
            raise WrongResult(f"a GOP of {len(fragment.sizes)} frames instead of {expected} at frame {done}")
        if fragment.decode_time != done * plan.frame_ticks or fragment.offsets[0] != 0:
            raise WrongResult(f"decode time {fragment.decode_time} at frame {done}")
        if min(fragment.offsets) < -codec.reorder_frames * plan.frame_ticks:
            raise WrongResult(f"frames are reordered over more than {codec.reorder_frames} at frame {done}")
        done += len(fragment.sizes)


def _spans(fragment: Fragment) -> Iterator[tuple[int, int]]:
    """Offset and size of each sample."""
    position = fragment.data
    for size in fragment.sizes:
        yield position, size
        position += size


@contextmanager
def _movie(file: Path) -> "Iterator[tuple[memoryview, Movie]]":
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        view = memoryview(mapped)
        try:
            yield view, read_movie(view)
        finally:
            view.release()
