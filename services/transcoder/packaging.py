"""From ffmpeg's fragmented files to CMAF segments with absolute times."""

import mmap
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path

from shared.media.plan import AudioPart, Plan, Rung, VideoPart
from shared.media.result import SegmentTable
from shared.mp4.bmff import SEGMENT_TYPE, Fragment, Movie, read_movie, with_edit, write_fragment
from shared.mp4.captions import Channels, read_captions
from shared.mp4.initialization import codecs_of, without_bitrate

AAC_FRAME = 1024
"""Samples in an AAC frame."""

PRIMING_FRAMES = 1
"""AAC frames that ffmpeg's encoder emits before the first sample of content."""

REORDER_FRAMES = 2
"""Frames by which decoding runs ahead of showing, at most: B-frames with a pyramid of them. The same for all encoders."""


class WrongResult(Exception):
    """What the encoder made is not what the plan says."""


class TooShort(WrongResult):
    """The source's pictures end before they should."""


def video_segments(file: Path, folder: Path, plan: Plan, part: VideoPart, rung: Rung) -> SegmentTable:
    """Cut one rendition of a part into segments ``<folder>/<resolution>/video_%05d.m4s``.

    Raises:
        WrongResult: frames, GOPs or times are not as planned; TooShort if frames are missing.
    """
    target = folder / rung.resolution
    target.mkdir(exist_ok=True)
    gops = plan.segment_frames // plan.gop_frames
    durations, sizes, iframes, channels = [], [], [], Channels()
    with _movie(file) as (data, movie):
        _check_video(movie, plan, part)
        for number, start in enumerate(range(0, len(movie.fragments), gops)):
            segment = bytearray(SEGMENT_TYPE)
            marks = []
            for fragment in movie.fragments[start : start + gops]:
                written = _video_fragment(data, fragment, plan, part)
                _feed_captions(channels, data, fragment, plan)
                # An I-frame playlist points at the fragment's head together with its first sample.
                head = len(written) - sum(fragment.sizes) + fragment.sizes[0]
                marks.append((len(segment), head, len(fragment.sizes) * plan.frame_ticks))
                segment += written
            (target / f"video_{part.first_segment + number:05d}.m4s").write_bytes(segment)
            durations.append(sum(mark[2] for mark in marks))
            sizes.append(len(segment))
            iframes.append(tuple(marks))
        return SegmentTable(
            folder=rung.resolution,
            timescale=movie.timescale,
            first_segment=part.first_segment,
            durations=tuple(durations),
            sizes=tuple(sizes),
            frames=part.frames,
            init=b64encode(with_edit(without_bitrate(movie.init_segment), REORDER_FRAMES * plan.frame_ticks)),
            codecs=codecs_of(movie.init_segment),
            iframes=tuple(iframes),
            captions=channels.found,
        )


def audio_segments(file: Path, folder: Path, plan: Plan, part: AudioPart) -> SegmentTable:
    """Cut an audio track into segments ``<folder>/<part.folder>/audio_%05d.m4s`` along the video's boundaries.

    The encoder's priming frame is left out, which puts the first sample of content at time zero without an edit list:
    players that ignore edit lists would show the sound 21 ms late.

    Raises:
        WrongResult: there are fewer frames than the plan asks for.
    """
    target = folder / part.folder
    target.mkdir(parents=True)
    exact = plan.duration * part.sample_rate / AAC_FRAME
    frames = -(-exact.numerator // exact.denominator)
    durations, sizes = [], []
    with _movie(file) as (data, movie):
        spans = [span for fragment in movie.fragments for span in _spans(fragment)][
            PRIMING_FRAMES : PRIMING_FRAMES + frames
        ]
        if len(spans) < frames:
            raise WrongResult(f"{len(spans)} audio frames instead of {frames}")
        for number, (first, end) in enumerate(audio_boundaries(plan, part, frames)):
            samples = [bytes(data[begin : begin + size]) for begin, size in spans[first:end]]
            fragment = write_fragment(samples, duration=AAC_FRAME, decode_time=first * AAC_FRAME, sequence=number + 1)
            (target / f"audio_{number:05d}.m4s").write_bytes(SEGMENT_TYPE + fragment)
            durations.append((end - first) * AAC_FRAME)
            sizes.append(len(SEGMENT_TYPE) + len(fragment))
        return SegmentTable(
            folder=part.folder,
            timescale=movie.timescale,
            first_segment=0,
            durations=tuple(durations),
            sizes=tuple(sizes),
            frames=frames,
            init=b64encode(without_bitrate(movie.init_segment)),
            codecs=codecs_of(movie.init_segment),
        )


def audio_boundaries(plan: Plan, part: AudioPart, frames: int) -> list[tuple[int, int]]:
    """First and end AAC frame of each segment: as near to the video's boundaries as whole frames allow."""
    per_segment = plan.segment_frames / plan.frame_rate * part.sample_rate / AAC_FRAME
    cuts = sorted({min(round(number * per_segment), frames) for number in range(plan.segments)} | {frames})
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


def _video_fragment(data: memoryview, fragment: Fragment, plan: Plan, part: VideoPart) -> bytes:
    """A GOP at its absolute place. Every frame lasts exactly a frame; ffmpeg's own guess for the last one is not needed."""
    frame = part.first_frame + fragment.decode_time // plan.frame_ticks
    return write_fragment(
        [data[begin : begin + size] for begin, size in _spans(fragment)],
        duration=plan.frame_ticks,
        decode_time=frame * plan.frame_ticks,
        sequence=frame // plan.gop_frames + 1,
        offsets=[offset + REORDER_FRAMES * plan.frame_ticks for offset in fragment.offsets],
    )


def _feed_captions(channels: Channels, data: memoryview, fragment: Fragment, plan: Plan) -> None:
    """Captions have to be read in the order in which their pictures are shown."""
    samples = zip(count(0, plan.frame_ticks), fragment.offsets, _spans(fragment), strict=False)
    for _, (begin, size) in sorted((decoded + offset, span) for decoded, offset, span in samples):
        channels.feed(read_captions(data[begin : begin + size]))


def _check_video(movie: Movie, plan: Plan, part: VideoPart) -> None:
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
        if len(fragment.sizes) != expected or not fragment.sync:
            raise WrongResult(f"a GOP of {len(fragment.sizes)} frames instead of {expected} at frame {done}")
        if fragment.decode_time != done * plan.frame_ticks or fragment.offsets[0] != 0:
            raise WrongResult(f"decode time {fragment.decode_time} at frame {done}")
        if min(fragment.offsets) < -REORDER_FRAMES * plan.frame_ticks:
            raise WrongResult(f"frames are reordered over more than {REORDER_FRAMES} at frame {done}")
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
