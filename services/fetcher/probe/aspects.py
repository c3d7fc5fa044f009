"""Pixels whose shape changes in the middle, as where a broadcast goes from 4:3 to 16:9 without changing its size. Pure.

Only the decoder knows, and ffmpeg goes by what the stream began with. So all key frames are looked at, where this happens.
"""

from collections.abc import Iterable
from fractions import Fraction

from services.fetcher.probe.streams import Stream, ratio
from shared.media.source import AspectChange

LOOK = ("-skip_frame", "nokey", "-show_entries", "frame=best_effort_timestamp,sample_aspect_ratio", "-of", "csv=p=0")
"""How ffprobe is asked, besides for which stream."""

MOST_CHANGES = 64
"""More are no changes of what is sent, but noise."""

_MOST_LINES = 576


def may_change(stream: Stream) -> bool:
    """Whether it is MPEG-2 in standard definition: nobody else changes the shape of pixels and keeps their number."""
    return stream.get("codec_name") == "mpeg2video" and 0 < int(stream.get("height") or 0) <= _MOST_LINES


def changes(lines: Iterable[str], first: Fraction) -> tuple[AspectChange, ...]:
    """The changes, in order.

    Args:
        lines: of ffprobe, one for each key frame. first: width of a pixel over its height in the beginning.
    """
    found: list[AspectChange] = []
    before = first
    for line in lines:
        tick, _, said = line.strip().rstrip(",").partition(",")
        aspect = ratio(said, ":")
        if not tick.lstrip("-").isdigit() or aspect is None or aspect == before:
            continue
        found.append(AspectChange(pts=int(tick), sample_aspect=aspect))
        before = aspect
    return tuple(found) if len(found) <= MOST_CHANGES else ()
