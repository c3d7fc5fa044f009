"""From the results of all parts to one presentation, with every check that the numbers allow. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import TypeVar

from services.uploader.manifest.presentation import AudioRendition, Presentation, TextRendition, VideoRendition
from shared.media.plan import AudioPart, Plan, Rung, TextPart
from shared.media.result import SegmentTable
from shared.media.stills import Still, StillKind
from shared.mp4.bmff import MalformedMedia
from shared.mp4.initialization import InitSegmentConflict, codecs_of, merge_init_segments

T = TypeVar("T")

AAC_FRAME = 1024
"""Samples in an AAC frame: sound can be cut only there."""

Results = Mapping[str, Sequence[SegmentTable]]
"""The tracks of each part, by the part's name."""


class Mismatch(ValueError):
    """The parts do not make up what was planned. The text says which, where and how."""


def assemble(plan: Plan, results: Results, stills: Sequence[Still] = ()) -> Presentation:
    """Join the parts.

    Args:
        stills: of all parts.

    Raises:
        Mismatch: a segment, frame or still is missing or too many, boundaries differ between renditions, a length is wrong,
            or headers contradict each other.
    """
    renditions = [_rendition(plan, rung, results) for rung in plan.rungs]
    renditions.sort(key=lambda rendition: (rendition.width * rendition.height, rendition.folder))
    sounds = [_sound(part, results) for part in plan.audio]
    for rendition in renditions:
        _check_video(plan, rendition, renditions[0])
    for sound in sounds:
        _check_audio(plan, sound)
    # One that could not be read has no track, which the job does without.
    subtitles = [_subtitles(part, results) for part in plan.text if results.get(part.name)]
    for text in subtitles:
        if (text.timescale, text.durations) != (renditions[0].timescale, renditions[0].durations):
            raise Mismatch(f"{text.folder}: boundaries differ from those of {renditions[0].folder}")
    thumbnails = _stills(plan, stills, "thumbnail")
    _stills(plan, stills, "tile")
    return Presentation(tuple(renditions), tuple(sounds), tuple(subtitles), plan.stills, thumbnails)


def _rendition(plan: Plan, rung: Rung, results: Results) -> VideoRendition:
    pieces = []
    for part in sorted(plan.video, key=lambda part: part.first_segment):
        piece = _track(results, part.name, rung.resolution)
        if piece.frames != part.frames:
            raise Mismatch(f"{rung.resolution}: {piece.frames} frames in part {part.name} instead of {part.frames}")
        if piece.first_segment != part.first_segment:
            raise Mismatch(f"{rung.resolution}: part {part.name} begins with segment {piece.first_segment}")
        pieces.append(piece)
    _check_contiguous(rung.resolution, pieces)
    if sum(piece.frames for piece in pieces) != plan.frames:
        raise Mismatch(f"{rung.resolution}: {sum(piece.frames for piece in pieces)} frames instead of {plan.frames}")
    init_segment = _header(rung.resolution, pieces)
    return VideoRendition(
        kind="video",
        folder=rung.resolution,
        codecs=_codecs(rung.resolution, pieces, init_segment),
        timescale=_same(rung.resolution, "timescale", (piece.timescale for piece in pieces)),
        durations=tuple(duration for piece in pieces for duration in piece.durations),
        sizes=tuple(size for piece in pieces for size in piece.sizes),
        init_segment=init_segment,
        width=rung.width,
        height=rung.height,
        frame_rate=plan.frame_rate,
        iframes=_iframes(rung.resolution, pieces),
        captions=_captions(results),
    )


def _sound(part: AudioPart, results: Results) -> AudioRendition:
    piece = _track(results, part.name, part.folder)
    _check_contiguous(part.folder, [piece])
    return AudioRendition(
        kind="audio",
        folder=part.folder,
        codecs=piece.codecs,
        timescale=piece.timescale,
        durations=piece.durations,
        sizes=piece.sizes,
        init_segment=piece.init,
        label=part.label,
        language=part.language,
        default=part.default,
        channels=part.channels,
        sample_rate=part.sample_rate,
        purpose=part.purpose,
    )


def _subtitles(part: TextPart, results: Results) -> TextRendition:
    piece = _track(results, part.name, part.folder)
    _check_contiguous(part.folder, [piece])
    if piece.whole <= 0:
        raise Mismatch(f"{part.folder}: no whole file")
    return TextRendition(
        kind="text",
        folder=part.folder,
        codecs=piece.codecs,
        timescale=piece.timescale,
        durations=piece.durations,
        sizes=piece.sizes,
        init_segment=b"",
        label=part.label,
        language=part.language,
        default=part.default,
        forced=part.forced,
        whole=piece.whole,
    )


def _stills(plan: Plan, stills: Sequence[Still], kind: StillKind) -> tuple[Still, ...]:
    """The stills of a kind in order: exactly those that are planned."""
    found = sorted((still for still in stills if still.kind == kind), key=lambda still: still.number)
    planned = list(plan.stills.of(kind).numbers) if plan.stills else []
    if [still.number for still in found] != planned:
        raise Mismatch(f"{kind}s {[still.number for still in found]} instead of {len(planned)}")
    return tuple(found)


def _track(results: Results, part: str, folder: str) -> SegmentTable:
    found = [track for track in results.get(part, ()) if track.folder == folder]
    if len(found) != 1:
        raise Mismatch(f"{folder}: {len(found)} tracks in part {part}")
    return found[0]


def _check_contiguous(folder: str, pieces: Sequence[SegmentTable]) -> None:
    following = 0
    for piece in pieces:
        if piece.first_segment != following:
            raise Mismatch(f"{folder}: segment {piece.first_segment} follows segment {following - 1}")
        if len(piece.sizes) != len(piece.durations) or not piece.sizes:
            raise Mismatch(f"{folder}: {len(piece.sizes)} sizes for {len(piece.durations)} segments")
        if min(piece.sizes) <= 0 or min(piece.durations) <= 0:
            raise Mismatch(f"{folder}: an empty segment")
        following += len(piece.sizes)


def _same(folder: str, what: str, values: Iterable[T]) -> T:
    distinct = list(dict.fromkeys(values))
    if len(distinct) != 1:
        raise Mismatch(f"{folder}: {what} differ between parts: {distinct}")
    return distinct[0]


def _codecs(folder: str, pieces: Sequence[SegmentTable], init_segment: bytes) -> str:
    """What all parts declare; where a GPU's parts and a CPU's differ, what the merged init_segment promises for both."""
    distinct = {piece.codecs for piece in pieces}
    if len(distinct) == 1:
        return distinct.pop()
    try:
        return codecs_of(init_segment)
    except MalformedMedia as error:
        raise Mismatch(f"{folder}: codecs differ between parts: {sorted(distinct)}") from error


def _header(folder: str, pieces: Sequence[SegmentTable]) -> bytes:
    try:
        return merge_init_segments([piece.init for piece in pieces])
    except (InitSegmentConflict, MalformedMedia) as error:
        raise Mismatch(f"{folder}: {error}") from error


def _captions(results: Results) -> tuple[str, ...]:
    """The channels that occur anywhere; all renditions come from the same pictures."""
    found = {channel for tracks in results.values() for track in tracks for channel in track.captions}
    return tuple(sorted(found, key=lambda channel: (channel.rstrip("0123456789"), len(channel), channel)))


def _iframes(folder: str, pieces: Sequence[SegmentTable]) -> tuple[tuple[tuple[int, int, int], ...], ...]:
    marks = [segment for piece in pieces for segment in piece.iframes]
    if not marks:
        return ()
    segments = [(size, ticks) for piece in pieces for size, ticks in zip(piece.sizes, piece.durations, strict=True)]
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


def _check_audio(plan: Plan, sound: AudioRendition) -> None:
    """AudioRendition is as long as planned, and cut where any video is, as nearly as whole AAC frames allow."""
    frame = Fraction(AAC_FRAME, sound.sample_rate)
    if abs(sound.seconds - plan.duration) > 2 * frame:
        raise Mismatch(f"{sound.folder}: {float(sound.seconds):.3f} s of sound for {float(plan.duration):.3f} s")
    for number, cut in enumerate(sound.boundaries()[:-1], start=1):
        planned = number * plan.segment_frames / plan.frame_rate
        if abs(cut - planned) > frame:
            raise Mismatch(f"{sound.folder}: cut at {float(cut):.3f} s instead of {float(planned):.3f} s")
