"""The size of a picture that changes its size: that which holds longest, not that of the first moment. Pure.

Recordings of calls begin small and grow within seconds; the ladder is that of the film, and its beginning is scaled up.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from services.fetcher.probe.streams import Stream
from shared.media.source import VideoTrack

LOOKS = 12
"""Places in a long film at which its size is looked at."""

SHORT_SECONDS = 60
"""Up to this length all key frames are looked at where a file cannot be sought in."""

# By how much a size has to hold longer than the first one.
_CLEARLY = 1.1


def looks(video: VideoTrack, *, seekable: bool) -> list[str]:
    """Options by which ffprobe decodes a few frames all over a film; none where that would take too long."""
    length = video.end - video.start
    if seekable:
        middles = (video.start + length * (2 * number + 1) / (2 * LOOKS) for number in range(LOOKS))
        return ["-read_intervals", ",".join(f"{float(middle):.3f}%+#1" for middle in middles)]
    return ["-skip_frame", "nokey"] if length <= SHORT_SECONDS else []


def longest_size(video: VideoTrack, frames: Sequence[Stream]) -> tuple[int, int]:
    """The size that holds longest, of frames from all over the film; that of ``video`` where none is clearly ahead of it."""
    first = (video.width, video.height)
    seen = {
        int(frame["best_effort_timestamp"]): (int(frame["width"]), int(frame["height"]))
        for frame in frames
        if isinstance(frame.get("best_effort_timestamp"), int) and frame.get("width") and frame.get("height")
    }
    held: dict[tuple[int, int], int] = defaultdict(int)
    # Up to the first of them it is as it was in the beginning.
    sizes = [(video.start_pts, first), *sorted(seen.items()), (video.end_pts, first)]
    for (begin, size), (end, _) in pairwise(sizes):
        held[size] += max(0, end - begin)
    longest = max(held, key=lambda size: held[size])
    return longest if held[longest] > _CLEARLY * held[first] else first
