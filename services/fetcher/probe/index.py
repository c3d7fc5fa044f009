"""Where the frames and key frames of a video stream are on its time line."""

from array import array
from bisect import bisect_right
from dataclasses import dataclass


@dataclass(frozen=True)
class VideoIndex:
    """Time stamps of a video stream, in ticks of its time base.

    Attributes:
        pts: of every displayed frame, ascending. A frame is shown from its own time stamp until the next one's.
        keyframes: of every key frame, ascending; also of those before the first displayed frame, which a decoder needs.
        leading: for each key frame, whether frames that follow it in decoding order are shown before it (an open GOP).
            Decoding that begins there shows those wrongly, and everything from the key frame's own time stamp on rightly.
    """

    pts: "array[int]"
    keyframes: "array[int]"
    leading: tuple[bool, ...]

    def shown_at(self, tick: int) -> int:
        """Number of the frame that is on screen at a time; the first one before it starts, the last one after it ended."""
        return max(bisect_right(self.pts, tick) - 1, 0)

    def keyframe_at_or_before(self, tick: int) -> int | None:
        """Time stamp of the last key frame from which the frame at ``tick`` can be decoded, None if there is none."""
        position = bisect_right(self.keyframes, tick) - 1
        return self.keyframes[position] if position >= 0 else None
