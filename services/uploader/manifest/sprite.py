"""The pictures for the seek bar: the sheet of all tiles, and the cues that say which of them belongs to which time. Pure."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from io import BytesIO
from math import ceil
from pathlib import PurePosixPath

from PIL import Image, UnidentifiedImageError

from services.uploader.manifest.assembly import Mismatch
from shared.media.layout import CUES, SHEET
from shared.media.stills import Stills

_QUALITY = 80


def sprite(stills: Stills, frames: int, frame_rate: Fraction, tiles: Mapping[int, bytes]) -> dict[str, bytes]:
    """Sheet and cues by path: the same bytes for the same tiles.

    Args:
        frames: of the whole video. frame_rate: frames per second.
        tiles: the file of each tile by its number.

    Raises:
        Mismatch: a tile is missing, or is no picture of the size that was planned.
    """
    missing = [number for number in stills.tiles.numbers if number not in tiles]
    if missing:
        raise Mismatch(f"{len(missing)} of {len(stills.tiles.frames)} tiles are missing: {missing[:5]}")
    pictures = [_picture(stills, number, tiles[number]) for number in stills.tiles.numbers]
    return {SHEET: _sheet(stills, pictures), CUES: cues(stills, frames, frame_rate).encode()}


def cues(stills: Stills, frames: int, frame_rate: Fraction) -> str:
    """WebVTT whose cues cover the whole video without a gap, each naming a piece of the sheet."""
    blocks = ["WEBVTT"]
    starts = [index * stills.tile_frames / frame_rate for index in range(len(stills.tiles.frames))]
    width, height = stills.tiles.width, stills.tiles.height
    for index, (start, end) in enumerate(zip(starts, [*starts[1:], frames / frame_rate], strict=True)):
        left, top = _place(stills, index)
        piece = f"{PurePosixPath(SHEET).name}#xywh={left},{top},{width},{height}"
        blocks.append(f"{_instant(start)} --> {_instant(end)}\n{piece}")
    return "\n\n".join(blocks) + "\n"


def _sheet(stills: Stills, pictures: Sequence[Image.Image]) -> bytes:
    sheet = Image.new("RGB", (stills.columns * stills.tiles.width, stills.rows * stills.tiles.height))
    for index, picture in enumerate(pictures):
        sheet.paste(picture, _place(stills, index))
    file = BytesIO()
    sheet.save(file, "JPEG", quality=_QUALITY, optimize=True)
    return file.getvalue()


def _picture(stills: Stills, number: int, body: bytes) -> Image.Image:
    try:
        picture = Image.open(BytesIO(body), formats=("PNG",)).convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise Mismatch(f"tile {number} is no picture: {error}") from error
    if picture.size != (stills.tiles.width, stills.tiles.height):
        raise Mismatch(f"tile {number} has {picture.width}×{picture.height} pixels")
    return picture


def _place(stills: Stills, index: int) -> tuple[int, int]:
    """Left and upper edge (pixels) of a tile of the sheet; they are counted from 0 here."""
    row, column = divmod(index, stills.columns)
    return column * stills.tiles.width, row * stills.tiles.height


def _instant(seconds: Fraction) -> str:
    """Hours, minutes and seconds. Rounded up, so that nothing at the end is left without a cue, however short it is."""
    minutes, thousandths = divmod(ceil(seconds * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{thousandths // 1000:02}.{thousandths % 1000:03}"
