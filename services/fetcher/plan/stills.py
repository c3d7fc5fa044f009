"""Which frames become stills, and how large these are. Pure."""

from fractions import Fraction
from math import ceil, floor

from services.fetcher.plan.ladder import display_size
from shared.media.source import VideoTrack
from shared.media.stills import Stills, StillSet

MOST_THUMBNAILS, THUMBNAIL_SIDE = 5, 720
"""How many there are at most, and pixels of the short side at most."""

MOST_TILES, TILE_SECONDS, TILE_SIDE, COLUMNS = 100, 2, 160, 10
"""How many there are at most, seconds that each stands for at least, pixels of the long side at most, tiles in a row."""

# A strip of film a hundred times as wide as high must not make a picture that nothing can show; JPEG ends at 65535.
_LONGEST_SIDE = 4096


def plan_stills(video: VideoTrack, frames: int, rate: Fraction) -> Stills:
    """Decide the stills of a video.

    Args:
        frames: of the output. rate: frames per second of the output.
    """
    width, height = display_size(video)
    short, long = sorted((width, height))
    thumbnail = min(Fraction(1), THUMBNAIL_SIDE / short, _LONGEST_SIDE / long)
    tile = min(Fraction(1), TILE_SIDE / long)
    # A whole number of frames, so that tiles begin where frames do.
    each = max(ceil(TILE_SECONDS * rate), ceil(Fraction(frames, MOST_TILES)))
    tiles = _middles(frames, each)
    return Stills(
        thumbnails=StillSet(
            frames=_spread(frames, rate), width=_scaled(width, thumbnail), height=_scaled(height, thumbnail)
        ),
        tiles=StillSet(frames=tiles, width=_scaled(width, tile), height=_scaled(height, tile)),
        tile_frames=each,
        columns=min(COLUMNS, len(tiles)),
    )


def _spread(frames: int, rate: Fraction) -> tuple[int, ...]:
    """Frames in the middle of equal spans: the first and last ones of a film are often black. One for each second at most."""
    count = min(MOST_THUMBNAILS, max(1, floor(frames / rate)))
    return tuple((2 * number + 1) * frames // (2 * count) for number in range(count))


def _middles(frames: int, each: int) -> tuple[int, ...]:
    """The frame in the middle of every span of ``each`` frames, and of what is left at the end."""
    return tuple((first + min(first + each, frames)) // 2 for first in range(0, frames, each))


def _scaled(side: Fraction, scale: Fraction) -> int:
    """Pixels, even because colours are stored at half the resolution, and never more than there are."""
    return max(2, min(2 * round(side * scale / 2), 2 * floor(side / 2)))
