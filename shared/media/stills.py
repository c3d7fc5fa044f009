"""Stills: the pictures that are taken out of an encode, planned and made.

A *thumbnail* is a picture for pages and posters; it is uploaded as it is. A *tile* is a small picture for the seek bar; it
stays in the work space, until all tiles are put together in one sheet.
"""

from bisect import bisect_left
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

StillKind = Literal["thumbnail", "tile"]
STILL_KINDS: tuple[StillKind, ...] = get_args(StillKind)

# Tiles are without loss: they are compressed once, as parts of the sheet.
_PATHS: dict[StillKind, str] = {"thumbnail": "thumbnails/thumbnail_{}.jpg", "tile": "tiles/tile_{}.png"}


def still_path(kind: StillKind, number: int | str) -> str:
    """Path of a still below its part's folder; that of a thumbnail below the output prefix as well. Numbers begin at 1."""
    return _PATHS[kind].format(number)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class StillSet(_Model):
    """All stills of a kind.

    Attributes:
        frames: number of the output frame that each shows, ascending.
        width, height: pixels, both even; upright, square pixels.
    """

    frames: tuple[int, ...]
    width: int
    height: int

    @property
    def numbers(self) -> range:
        """Their numbers, from 1."""
        return range(1, len(self.frames) + 1)

    def within(self, first: int, count: int) -> range:
        """Numbers of those that show one of ``count`` output frames from ``first`` on."""
        return range(bisect_left(self.frames, first) + 1, bisect_left(self.frames, first + count) + 1)


class Stills(_Model):
    """Which stills a job has.

    Attributes:
        tile_frames: each tile stands for so many output frames, the last one for those that are left.
        columns: of the sheet, which is filled row by row.
    """

    thumbnails: StillSet
    tiles: StillSet
    tile_frames: int
    columns: int

    def of(self, kind: StillKind) -> StillSet:
        """Those of a kind."""
        return self.thumbnails if kind == "thumbnail" else self.tiles

    @property
    def rows(self) -> int:
        """Rows of the sheet."""
        return -(-len(self.tiles.frames) // self.columns)


class Still(_Model):
    """A still that a part has made, of ``size`` bytes."""

    kind: StillKind
    number: int
    size: int

    @property
    def path(self) -> str:
        """Where it lies below the part's folder."""
        return still_path(self.kind, self.number)
