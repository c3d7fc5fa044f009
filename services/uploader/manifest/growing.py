"""The presentation as far as it is made, of a job that can be played before it is complete. Pure.

It is the whole presentation of a shorter film: so much of each rendition as all of them have, put together and checked in the
same way. What a shorter film would not know is taken from the plan: the target duration, which must never change, and the
rate that is still to be expected.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from services.uploader.manifest import rates
from services.uploader.manifest.assembly import assemble
from services.uploader.manifest.playlists import media_playlist, multivariant_playlist
from services.uploader.manifest.presentation import Presentation, VideoRendition
from services.uploader.manifest.protection import protected
from shared.encryption.protection import Protection
from shared.media.layout import MULTIVARIANT
from shared.media.plan import Plan, Rung
from shared.media.result import PartRecord, SegmentTable

# What boxes add to the frames, whose rate is capped.
_OVERHEAD = Fraction(105, 100)


@dataclass(frozen=True)
class Grown:
    """Playlists of what is made.

    Attributes:
        segments: how many each rendition has.
        playlists: those of the renditions by path. multivariant: that leads to them, by its path.
    """

    presentation: Presentation
    segments: int
    playlists: Mapping[str, bytes]
    multivariant: Mapping[str, bytes]


def grown(plan: Plan, parts: int, records: Mapping[str, PartRecord], protection: Protection | None) -> Grown:
    """What can be played of a job.

    Args:
        parts: how many parts from the beginning of the release order are there; not all of them.
        records: of those parts, by name.

    Raises:
        Mismatch: they do not make up what was planned.
    """
    shorter = beginning(plan, parts)
    tables = {name: tuple(_cut(table, plan, shorter) for table in one.tables) for name, one in records.items()}
    presentation = protected(assemble(shorter, tables), protection)
    rungs = {rung.name: rung for rung in plan.rungs}
    tracks = plan.release_order[: len(plan.audio) + len(plan.text)]
    whole = [table for name in tracks for table in records[name].tables]
    presentation = replace(
        presentation,
        video=tuple(_still_to_come(one, rungs[one.folder], plan) for one in presentation.video),
        least_target=_target(plan, whole),
    )
    target = presentation.target
    texts = {one.playlist: media_playlist(one, target, growing=True) for one in presentation.all_renditions}
    return Grown(
        presentation,
        shorter.segments,
        {path: text.encode() for path, text in texts.items()},
        {MULTIVARIANT: multivariant_playlist(presentation).encode()},
    )


def beginning(plan: Plan, parts: int) -> Plan:
    """The plan of a film that ends with a part of the video. ``parts``: as in :func:`grown`."""
    video = plan.video[: parts - len(plan.audio) - len(plan.text)]
    frames = sum(part.frames for part in video)
    return plan.model_copy(update={"video": video, "frames": frames, "tail_frames": 0, "stills": None})


def _cut(table: SegmentTable, plan: Plan, shorter: Plan) -> SegmentTable:
    """A table without the segments that the shorter film does not have. Those of its own parts of video end with it."""
    count = shorter.segments - table.first_segment
    if len(table.durations) <= count:
        return table
    # The frames of sound and the cues in them are counted for the whole track, and nobody looks.
    return table.model_copy(update={"durations": table.durations[:count], "sizes": table.sizes[:count]})


def _still_to_come(one: VideoRendition, rung: Rung, plan: Plan) -> VideoRendition:
    """A rendition with the rate that its encoder is allowed; key frames are listed when all of them are there."""
    seconds = plan.segment_frames / plan.frame_rate
    most = _OVERHEAD * (rung.max_rate + rung.buffer / seconds)
    return replace(one, iframes=(), least_peak=int(most))


def _target(plan: Plan, whole: list[SegmentTable]) -> int:
    """The target duration of the complete presentation, in seconds."""
    video = {Fraction(end - first) / plan.frame_rate for first, end in plan.segment_spans}
    others = {Fraction(duration, table.timescale) for table in whole for duration in set(table.durations)}
    return rates.target_duration(sorted(video | others))
