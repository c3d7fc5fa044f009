"""What a player shows and sounds of a source, by ffmpeg's own rendering, and how like it an output is.

Nothing of ours is in the reference: ffmpeg turns the picture as its display matrix says, and takes its colours as tagged.
"""

import subprocess
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log10, sqrt
from pathlib import Path

from shared.media.tools import ffmpeg_path

_SOUND_RATE = 8000
_STEP = 8
"""Samples in a millisecond of sound."""

_ONSET = 60 * _STEP
"""Samples at the beginning that are not compared: an AAC decoder's first frame fades in."""

_FULL_SCALE = 32_000


@dataclass(frozen=True)
class Picture:
    """A picture in RGB, 8 bits a sample."""

    width: int
    height: int
    data: bytes

    @property
    def luma(self) -> list[float]:
        """BT.709 luma of each pixel, 0 to 255."""
        return [
            0.2126 * red + 0.7152 * green + 0.0722 * blue
            for red, green, blue in zip(self.data[::3], self.data[1::3], self.data[2::3], strict=True)
        ]

    @property
    def mean(self) -> tuple[float, float, float]:
        """Mean red, green and blue, 0 to 255."""
        pixels = len(self.data) // 3
        red, green, blue = (sum(self.data[channel::3]) / pixels for channel in range(3))
        return red, green, blue

    def turned_over(self) -> "Picture":
        """The same upside down."""
        line = 3 * self.width
        rows = [self.data[start : start + line] for start in range(0, len(self.data), line)]
        return Picture(self.width, self.height, b"".join(reversed(rows)))

    def mirrored(self) -> "Picture":
        """The same with left and right exchanged."""
        pixels = [self.data[start : start + 3] for start in range(0, len(self.data), 3)]
        rows = [pixels[start : start + self.width] for start in range(0, len(pixels), self.width)]
        return Picture(self.width, self.height, b"".join(b"".join(reversed(row)) for row in rows))


def source_pictures(file: Path, stream: str, around: float, size: tuple[int, int], matrix: str) -> list[Picture]:
    """The pictures of a source within 150 ms of an instant (seconds on its own clock), upright, scaled to ``size``.

    Args:
        matrix: what a player takes untagged pictures for, as ``scale`` names it; ``auto`` for tagged ones.
    """
    wanted = f"trim=start={around - 0.15:.6f}:end={around + 0.15:.6f}"
    scale = f"scale={size[0]}:{size[1]}:flags=bicubic:in_color_matrix={matrix}"
    arguments = ["-copyts", "-i", str(file), "-map", f"0:{stream}", "-vf", f"{wanted},{scale},format=rgb24"]
    raw = _ffmpeg(*arguments, "-fps_mode", "passthrough", "-frames:v", "40", "-f", "rawvideo", "-")
    return _pictures(raw, size)


def output_picture(file: Path, number: int, size: tuple[int, int]) -> Picture:
    """The picture of that number (from 0) of an output, scaled to ``size``."""
    graph = f"select='eq(n,{number})',scale={size[0]}:{size[1]}:flags=bicubic,format=rgb24"
    raw = _ffmpeg("-i", str(file), "-vf", graph, "-fps_mode", "passthrough", "-frames:v", "1", "-f", "rawvideo", "-")
    [picture] = _pictures(raw, size)
    return picture


def likeness(one: Picture, other: Picture) -> float:
    """Correlation of luma, −1 to 1: blind to brightness and contrast, not to what is where.

    It is 1 for two pictures that are all but plain: only the noise of the encoder would be compared.
    """
    first, second = one.luma, other.luma
    first_mean, second_mean = sum(first) / len(first), sum(second) / len(second)
    pairs = [(a - first_mean, b - second_mean) for a, b in zip(first, second, strict=True)]
    spread, other_spread = sum(a * a for a, _ in pairs), sum(b * b for _, b in pairs)
    if max(spread, other_spread) < 25 * len(pairs):
        return 1.0
    return sum(a * b for a, b in pairs) / sqrt(max(spread * other_spread, 1e-9))


def color_difference(one: Picture, other: Picture) -> float:
    """The largest difference of mean red, green or blue."""
    return max(abs(a - b) for a, b in zip(one.mean, other.mean, strict=True))


def sound(file: Path, stream: str, origin: float = 0.0, seconds: float = 6.0) -> "array[int]":
    """The first channel at 8 kHz, beginning at ``origin`` (seconds on the file's own clock), gaps filled with silence."""
    graph = f"asetpts=PTS-({origin:.9f})/TB,aresample={_SOUND_RATE}:async=1:first_pts=0,pan=mono|c0=c0"
    arguments = [
        "-copyts",
        "-i",
        str(file),
        "-map",
        f"0:{stream}",
        "-af",
        graph,
        "-t",
        f"{seconds}",
        "-f",
        "s16le",
        "-",
    ]
    return array("h", _ffmpeg(*arguments))


def delay(ours: Sequence[int], theirs: Sequence[int], *, most: int = 100) -> int:
    """Milliseconds by which our sound comes later than theirs, looked for up to ``most``; by the shape of its loudness.

    It is 0 where the sound is too even to tell.
    """
    first, second = _shape(ours[_ONSET:]), _shape(theirs[_ONSET:])
    length = min(len(first), len(second)) - most
    if length < most:
        return 0

    def match(shift: int) -> float:
        a = first[max(shift, 0) : max(shift, 0) + length]
        b = second[max(-shift, 0) : max(-shift, 0) + length]
        return sum(x * y for x, y in zip(a, b, strict=True))

    best = max(range(-most, most + 1), key=match)
    return best if match(best) > 1.05 * match(0) else 0


def louder(ours: Sequence[int], theirs: Sequence[int]) -> float:
    """Decibels by which our sound is louder than theirs.

    It is 0 where theirs is all but silent, and where it goes beyond full scale: every player clips that in its own way.
    """
    length = min(len(ours), len(theirs))
    compared = [one[_ONSET:length] for one in (ours, theirs)]
    power, other = (sum(sample * sample for sample in one) / max(len(one), 1) for one in compared)
    clipped = max(map(abs, compared[1]), default=0) > _FULL_SCALE
    return 10 * log10(max(power, 1e-9) / other) if other > 100 and not clipped else 0.0


def _shape(samples: Sequence[int]) -> list[float]:
    """Changes of loudness from one millisecond to the next: what a burst of sound looks like, without its level."""
    levels = [
        sqrt(sum(sample * sample for sample in samples[start : start + _STEP]))
        for start in range(0, len(samples) - _STEP, _STEP)
    ]
    return [late - early for early, late in pairwise(levels)]


def _pictures(raw: bytes, size: tuple[int, int]) -> list[Picture]:
    length = 3 * size[0] * size[1]
    return [Picture(*size, raw[start : start + length]) for start in range(0, len(raw), length)]


def _ffmpeg(*arguments: str) -> bytes:
    argv = [ffmpeg_path(), "-hide_banner", "-nostdin", "-v", "error", *arguments]
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
