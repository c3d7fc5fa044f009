"""Whether pictures are made of fields, measured where neither container nor codec says so. Pure."""

import re
from collections.abc import Sequence

from services.fetcher.probe.streams import Stream, may_be_interlaced

MEASURED_FRAMES = 300
"""Frames to look at: some seconds, in which nearly every film moves."""

MEASURE = "idet=intl_thres=1.2"
"""The filter. At its default threshold of 1.04 it takes moving patterns of fine lines for fields."""

# A picture with fewer lines than these is a single field of a broadcast, or was never one.
_LEAST_LINES = 400
# Fields are only seen where something moves. Of the frames that tell, this share has to agree, and there must be some.
_MAJORITY, _LEAST_SHARE, _LEAST_FRAMES = 0.8, 0.2, 8
_COUNTS = re.compile(
    r"Multi frame detection: TFF:\s*(\d+)\s+BFF:\s*(\d+)\s+Progressive:\s*(\d+)\s+Undetermined:\s*(\d+)"
)


def is_unsaid(stream: Stream, frames: Sequence[Stream]) -> bool:
    """Whether it is worth measuring: the codec could hold fields, the size too, and nothing says what they are."""
    said = stream.get("field_order") not in (None, "unknown")
    flagged = any(frame.get("interlaced_frame") for frame in frames)
    tall = int(stream.get("height") or 0) >= _LEAST_LINES
    return may_be_interlaced(stream) and tall and not said and not flagged


def measured(report: str) -> bool | None:
    """What ffmpeg's ``idet`` says at its end: True for the top field first, False for the bottom one, None for no fields."""
    # It reports once for each filter graph that was made, and one of them saw nothing.
    counts = [tuple(int(count) for count in match) for match in _COUNTS.findall(report)]
    if not counts:
        return None
    top, bottom, progressive, undetermined = max(counts, key=sum)
    telling = top + bottom + progressive
    if telling < max(_LEAST_FRAMES, _LEAST_SHARE * (telling + undetermined)):
        return None
    if max(top, bottom) < _MAJORITY * telling:
        return None
    return top > bottom
