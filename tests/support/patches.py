"""Pictures of flat patches: coded as a standard's formulae say, and read back out of what was made of them.

Formulae: ITU-R BT.601, BT.709 and BT.2020 (matrices, primaries, limited range), BT.1886 (how SDR is displayed), BT.2100
(PQ, HLG). Colours are triples of red, green and blue; coded ones from 0 to 1, linear ones in nits where it says so.
"""

import subprocess
import tempfile
from array import array
from collections.abc import Sequence
from pathlib import Path

from shared.media.tools import ffmpeg_path
from tests.support.clips import made

Triple = tuple[float, float, float]
Rows = tuple[Triple, Triple, Triple]

SIDE = 48
"""Pixels of a patch's sides."""

LUMA = {
    "smpte170m": (0.299, 0.587, 0.114),
    "bt470bg": (0.299, 0.587, 0.114),
    "bt709": (0.2126, 0.7152, 0.0722),
    "bt2020nc": (0.2627, 0.6780, 0.0593),
}
"""Weights of red, green and blue in luma."""

PRIMARIES = {
    "bt709": ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    "bt470bg": ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    "smpte170m": ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07)),
    "bt2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    "smpte432": ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),
}
_D65 = (0.3127, 0.3290)
_GAMMA = 2.4


def code(rgb: Triple, matrix: str, *, bits: int = 8, full: bool = False) -> Triple:
    """Y, Cb and Cr in code values, not rounded."""
    kr, kg, kb = LUMA[matrix]
    red, green, blue = rgb
    luma = kr * red + kg * green + kb * blue
    cb, cr = (blue - luma) / (2 * (1 - kb)), (red - luma) / (2 * (1 - kr))
    unit, top = 2 ** (bits - 8), 2**bits - 1
    middle = 2 ** (bits - 1)
    if full:
        return luma * top, middle + cb * top, middle + cr * top
    return (16 + 219 * luma) * unit, middle + 224 * cb * unit, middle + 224 * cr * unit


def linear_709(rgb: Triple, primaries: str) -> Triple:
    """Linear light of one set of primaries in that of BT.709; what BT.709 cannot show is negative or above one."""
    return _times(_inverse(_to_xyz("bt709")), _times(_to_xyz(primaries), rgb))


def linear_2020(rgb: Triple) -> Triple:
    """Linear light of BT.709 in that of BT.2020."""
    return _times(_inverse(_to_xyz("bt2020")), _times(_to_xyz("bt709"), rgb))


def displayed(value: float) -> float:
    """Linear light of a coded SDR value, the display's white being 1 (BT.1886)."""
    light: float = max(value, 0.0) ** _GAMMA
    return light


def coded(light: float) -> float:
    """The coded SDR value of linear light."""
    value: float = min(max(light, 0.0), 1.0) ** (1 / _GAMMA)
    return value


def pq(nits: float) -> float:
    """The coded value of light in SMPTE ST 2084."""
    y = (max(nits, 0) / 10_000) ** (2610 / 16384)
    power: float = ((3424 / 4096 + 2413 / 128 * y) / (1 + 2392 / 128 * y)) ** (2523 / 32)
    return power


def decoded(yuv: Triple) -> Triple:
    """Linear light of BT.709 code values in limited range, the display's white being 1."""
    kr, kg, kb = LUMA["bt709"]
    luma, cb, cr = (yuv[0] - 16) / 219, (yuv[1] - 128) / 224, (yuv[2] - 128) / 224
    red, blue = luma + 2 * (1 - kr) * cr, luma + 2 * (1 - kb) * cb
    return displayed(red), displayed((luma - kr * red - kb * blue) / kg), displayed(blue)


def picture(planes: Sequence[Triple], pixel_format: str, *arguments: str, suffix: str = "mkv") -> Path:
    """A clip of patches side by side.

    Args:
        planes: for each patch the code values of the three planes of ``pixel_format``, in its order; they are rounded.
        pixel_format: planar, such as ``yuv422p10le`` or ``gbrp``.
        arguments: filters, encoder and other options of the output.
    """
    across, down = (2 if "420" in pixel_format or "422" in pixel_format else 1), 2 if "420" in pixel_format else 1
    wide = pixel_format.endswith("le")
    frame = array("H" if wide else "B")
    for plane in range(3):
        width, height = (SIDE // across, SIDE * 3 // down) if plane else (SIDE, SIDE * 3)
        row = array(frame.typecode, (round(patch[plane]) for patch in planes for _ in range(width)))
        frame += row * height
    size = f"{SIDE * len(planes)}x{SIDE * 3}"
    source = ("-f", "rawvideo", "-pixel_format", pixel_format, "-video_size", size, "-framerate", "25", "-i")
    with tempfile.NamedTemporaryFile(suffix=".raw") as raw:
        raw.write(frame.tobytes() * 5)
        raw.flush()
        return made(f"patches.{suffix}", *source, raw.name, *arguments)


def patches(file: Path, count: int) -> list[Triple]:
    """Y, Cb and Cr of the middle of each patch in the third picture of a 4:2:0 video."""
    graph = f"select=eq(n\\,2),scale={count * 16}:48:flags=area,format=yuv444p"
    argv = [ffmpeg_path(), "-v", "error", "-nostdin", "-i", str(file), "-vf", graph, "-frames:v", "1"]
    raw = subprocess.run([*argv, "-f", "rawvideo", "-"], capture_output=True, check=True).stdout
    plane = count * 16 * 48
    middles = [24 * count * 16 + number * 16 + 8 for number in range(count)]
    return [(raw[middle], raw[plane + middle], raw[2 * plane + middle]) for middle in middles]


def _to_xyz(primaries: str) -> Rows:
    columns = [(x / y, 1.0, (1 - x - y) / y) for x, y in PRIMARIES[primaries]]
    rows: Rows = tuple(tuple(column[row] for column in columns) for row in range(3))  # type: ignore[assignment]
    x, y = _D65
    scale = _times(_inverse(rows), (x / y, 1.0, (1 - x - y) / y))
    return tuple(tuple(row[n] * scale[n] for n in range(3)) for row in rows)  # type: ignore[return-value]


def _times(rows: Rows, vector: Triple) -> Triple:
    first, second, third = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in rows)
    return first, second, third


def _inverse(rows: Rows) -> Rows:
    (a, b, c), (d, e, f), (g, h, i) = rows
    scale = 1 / (a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g))
    return (
        ((e * i - f * h) * scale, (c * h - b * i) * scale, (b * f - c * e) * scale),
        ((f * g - d * i) * scale, (a * i - c * g) * scale, (c * d - a * f) * scale),
        ((d * h - e * g) * scale, (b * g - a * h) * scale, (a * e - b * d) * scale),
    )
