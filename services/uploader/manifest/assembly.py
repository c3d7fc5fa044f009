"""From the results of all parts to one presentation, with every check that the numbers allow. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import TypeVar

from services.uploader.manifest.presentation import (
    AudioRendition,
    Presentation,
    TextRendition,
    VideoRendition,
    init_segments_of,
)
from shared.media.codecs.aac import AAC
from shared.media.codecs.codec import InitSegmentConflict, VideoCodec
from shared.media.codecs.table import video_codec
from shared.media.plan import AudioPart, Plan, Rung, TextPart
from shared.media.result import SegmentTable
from shared.media.stills import Still, StillKind
from shared.mp4.bmff import MalformedMedia

T = TypeVar("T")

Results = Mapping[str, Sequence[SegmentTable]]
"""The tables of each part, by the part's name."""


class Mismatch(ValueError):
    """The parts do not make up what was planned. The text says which, where and how."""


def assemble(plan: Plan, results: Results, stills: Sequence[Still] = ()) -> Presentation:
    """Join the parts.

    Args:
        stills: of all parts.

    Raises:
        Mismatch: a segment, frame or still is missing or too many, boundaries differ between renditions, a length is wrong,
            or initialization segments contradict each other.
    """
    video = [_video(plan, rung, results) for rung in plan.rungs]
    video.sort(key=lambda rendition: (rendition.width * rendition.height, rendition.folder))
    audio = [_audio(part, results) for part in plan.audio]
    for rendition in video:
        _check_video(plan, rendition, video[0])
    for each in audio:
        _check_audio(plan, each)
    # One that could not be read has no table, which the job does without.
    texts = [_text(part, results) for part in plan.text if results.get(part.name)]
    for text in texts:
        if (text.timescale, text.durations) != (video[0].timescale, video[0].durations):
            raise Mismatch(f"{text.folder}: boundaries differ from those of {video[0].folder}")
    thumbnails = _stills(plan, stills, "thumbnail")
    _stills(plan, stills, "tile")
    return Presentation(tuple(video), tuple(audio), tuple(texts), plan.stills, thumbnails)


def _video(plan: Plan, rung: Rung, results: Results) -> VideoRendition:
    tables, codec = [], video_codec(rung.codec)
    for part in sorted(plan.video, key=lambda part: part.first_segment):
        table = _table(results, part.name, rung.name)
        if table.frames != part.frames:
            raise Mismatch(f"{rung.name}: {table.frames} frames in part {part.name} instead of {part.frames}")
        if table.first_segment != part.first_segment:
            raise Mismatch(f"{rung.name}: part {part.name} begins with segment {table.first_segment}")
        tables.append(table)
    _check_contiguous(rung.name, tables)
    if sum(table.frames for table in tables) != plan.frames:
        raise Mismatch(f"{rung.name}: {sum(table.frames for table in tables)} frames instead of {plan.frames}")
    init_segment = _init_segment(rung.name, codec, tables)
    return VideoRendition(
        kind="video",
        folder=rung.name,
        codecs=_codecs(rung.name, codec, tables, init_segment),
        timescale=_same(rung.name, "timescale", (table.timescale for table in tables)),
        durations=tuple(duration for table in tables for duration in table.durations),
        sizes=tuple(size for table in tables for size in table.sizes),
        init_segment=init_segment,
        resolution=rung.resolution,
        codec=rung.codec,
        width=rung.width,
        height=rung.height,
        frame_rate=plan.frame_rate,
        iframes=_iframes(rung.name, tables),
        captions=_captions(results),
    )


def _audio(part: AudioPart, results: Results) -> AudioRendition:
    table = _table(results, part.name, part.folder)
    _check_contiguous(part.folder, [table])
    return AudioRendition(
        kind="audio",
        folder=part.folder,
        codecs=table.codecs,
        timescale=table.timescale,
        durations=table.durations,
        sizes=table.sizes,
        init_segment=table.init,
        priming=table.priming,
        label=part.label,
        language=part.language,
        default=part.default,
        channels=part.channels,
        sample_rate=part.sample_rate,
        purpose=part.purpose,
    )


def _text(part: TextPart, results: Results) -> TextRendition:
    table = _table(results, part.name, part.folder)
    _check_contiguous(part.folder, [table])
    if table.whole <= 0:
        raise Mismatch(f"{part.folder}: no whole file")
    return TextRendition(
        kind="text",
        folder=part.folder,
        codecs=table.codecs,
        timescale=table.timescale,
        durations=table.durations,
        sizes=table.sizes,
        init_segment=b"",
        label=part.label,
        language=part.language,
        default=part.default,
        forced=part.forced,
        whole=table.whole,
    )


def _stills(plan: Plan, stills: Sequence[Still], kind: StillKind) -> tuple[Still, ...]:
    """The stills of a kind in order: exactly those that are planned."""
    found = sorted((still for still in stills if still.kind == kind), key=lambda still: still.number)
    planned = list(plan.stills.of(kind).numbers) if plan.stills else []
    if [still.number for still in found] != planned:
        raise Mismatch(f"{kind}s {[still.number for still in found]} instead of {len(planned)}")
    return tuple(found)


def _table(results: Results, part: str, folder: str) -> SegmentTable:
    found = [table for table in results.get(part, ()) if table.folder == folder]
    if len(found) != 1:
        raise Mismatch(f"{folder}: {len(found)} tables in part {part}")
    return found[0]


def _check_contiguous(folder: str, tables: Sequence[SegmentTable]) -> None:
    following = 0
    for table in tables:
        if table.first_segment != following:
            raise Mismatch(f"{folder}: segment {table.first_segment} follows segment {following - 1}")
        if len(table.sizes) != len(table.durations) or not table.sizes:
            raise Mismatch(f"{folder}: {len(table.sizes)} sizes for {len(table.durations)} segments")
        if min(table.sizes) <= 0 or min(table.durations) <= 0:
            raise Mismatch(f"{folder}: an empty segment")
        following += len(table.sizes)


def _same(folder: str, what: str, values: Iterable[T]) -> T:
    distinct = list(dict.fromkeys(values))
    if len(distinct) != 1:
        raise Mismatch(f"{folder}: {what} differ between parts: {distinct}")
    return distinct[0]


def _codecs(folder: str, codec: VideoCodec, tables: Sequence[SegmentTable], init_segment: bytes) -> str:
    """What all parts declare; where those of two encoders differ, what the merged initialization segment promises for both."""
    distinct = {table.codecs for table in tables}
    if len(distinct) == 1:
        return distinct.pop()
    try:
        return codec.read_codecs(init_segment)
    except MalformedMedia as error:
        raise Mismatch(f"{folder}: codecs differ between parts: {sorted(distinct)}") from error


def _init_segment(folder: str, codec: VideoCodec, tables: Sequence[SegmentTable]) -> bytes:
    try:
        return codec.merge_init_segments([table.init for table in tables])
    except (InitSegmentConflict, MalformedMedia) as error:
        raise Mismatch(f"{folder}: {error}") from error


def _captions(results: Results) -> tuple[str, ...]:
    """The channels that occur anywhere; all renditions come from the same frames."""
    found = {channel for tables in results.values() for table in tables for channel in table.captions}
    return tuple(sorted(found, key=lambda channel: (channel.rstrip("0123456789"), len(channel), channel)))


def _iframes(folder: str, tables: Sequence[SegmentTable]) -> tuple[tuple[tuple[int, int, int], ...], ...]:
    marks = [segment for table in tables for segment in table.iframes]
    if not marks:
        return ()
    segments = [(size, ticks) for table in tables for size, ticks in zip(table.sizes, table.durations, strict=True)]
    if len(marks) != len(segments):
        raise Mismatch(f"{folder}: key frames of {len(marks)} segments out of {len(segments)}")
    for number, (segment, (size, ticks)) in enumerate(zip(marks, segments, strict=True)):
        if sum(mark[2] for mark in segment) != ticks:
            raise Mismatch(f"{folder}: key frames do not cover segment {number}")
        if any(offset < 0 or length <= 0 or offset + length > size for offset, length, _ in segment):
            raise Mismatch(f"{folder}: a key frame outside of segment {number}")
    return tuple(marks)


def _check_video(plan: Plan, rendition: VideoRendition, first: VideoRendition) -> None:
    if rendition.timescale != plan.timescale:
        raise Mismatch(f"{rendition.folder}: timescale {rendition.timescale} instead of {plan.timescale}")
    if sum(rendition.durations) != plan.frames * plan.frame_ticks:
        raise Mismatch(f"{rendition.folder}: {float(rendition.seconds)} s instead of {float(plan.duration)} s")
    whole = plan.segment_frames * plan.frame_ticks
    if len(rendition.durations) != plan.segments or any(duration != whole for duration in rendition.durations[:-1]):
        raise Mismatch(f"{rendition.folder}: segments are not cut as planned")
    if rendition.durations != first.durations:
        raise Mismatch(f"{rendition.folder}: boundaries differ from those of {first.folder}")


def _check_audio(plan: Plan, rendition: AudioRendition) -> None:
    """Audio is as long as planned, and cut where any video is, as nearly as whole AAC frames allow."""
    if not 0 <= rendition.priming < rendition.durations[0]:
        raise Mismatch(f"{rendition.folder}: {rendition.priming} ticks of priming")
    try:
        init_segments_of(rendition)
    except MalformedMedia as error:
        raise Mismatch(f"{rendition.folder}: {error}") from error
    frame = Fraction(AAC.frame_samples, rendition.sample_rate)
    if abs(rendition.seconds - plan.duration) > 2 * frame:
        raise Mismatch(
            f"{rendition.folder}: {float(rendition.seconds):.3f} s of audio for {float(plan.duration):.3f} s"
        )
    for number, cut in enumerate(rendition.boundaries()[:-1], start=1):
        planned = number * plan.segment_frames / plan.frame_rate
        if abs(cut - planned) > frame:
            raise Mismatch(f"{rendition.folder}: cut at {float(cut):.3f} s instead of {float(planned):.3f} s")
