"""What a plan is checked against: what comes out of ffmpeg for the first pictures, and how much sound there is. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from services.fetcher.probe.packets import NO_TIME, PacketTable
from services.fetcher.probe.streams import Stream, ratio

TRIED_FRAMES = 12
"""Pictures that are decoded for a trial."""

LONGEST_SILENCE = 60
"""Seconds between two packets of sound up to which nobody spoke. After longer ones only the packets themselves count."""

_TIME_BASE = re.compile(rb"^#tb 0: (\d+/\d+)", re.MULTILINE)
_DIMENSIONS = re.compile(rb"^#dimensions 0: (\d+)x(\d+)", re.MULTILINE)
_FRAME = re.compile(rb"^0, *-?\d+, *(-?\d+),", re.MULTILINE)


@dataclass(frozen=True)
class Trial:
    """The first pictures as ffmpeg hands them to the encoder.

    Attributes:
        size: width and height in pixels, (0, 0) where none came.
        times: seconds on the source's clock, one for each.
    """

    size: tuple[int, int] = (0, 0)
    times: tuple[Fraction, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What is known of a source besides what it says.

    Attributes:
        sound: seconds of sound in the track that has most of it.
    """

    trial: Trial = field(default_factory=Trial)
    sound: float = 0.0


def read_trial(report: bytes) -> Trial:
    """Read the output of ffmpeg's ``framecrc`` muxer."""
    time_base, size = _TIME_BASE.search(report), _DIMENSIONS.search(report)
    if not time_base or not size:
        return Trial()
    tick = Fraction(time_base[1].decode())
    return Trial((int(size[1]), int(size[2])), tuple(int(pts) * tick for pts in _FRAME.findall(report)))


def sound_seconds(packets: PacketTable, streams: Iterable[Stream]) -> float:
    """How much sound there is in the track that has most of it: from its beginning to its end, without long holes."""
    return max((_sound_in(packets, stream) for stream in streams if stream.get("codec_type") == "audio"), default=0.0)


def _sound_in(packets: PacketTable, stream: Stream) -> float:
    extent, time_base = packets.extent(stream["index"]), ratio(stream.get("time_base"))
    if not time_base or not extent.count:
        return 0.0
    whole = extent.sum if extent.start == NO_TIME else extent.end - extent.start
    if max(extent.gap, extent.longest) * time_base <= LONGEST_SILENCE:
        return float(whole * time_base)
    # No packet lasts as long as that.
    told = extent.sum - extent.longest if extent.longest * time_base > LONGEST_SILENCE else extent.sum
    return float(told * time_base)


def median_step(times: Sequence[Fraction]) -> Fraction:
    """The usual distance of neighbours that follow each other on one clock, 0 where there are too few."""
    steps = sorted(late - early for early, late in pairwise(times) if late > early)
    return steps[len(steps) // 2] if steps else Fraction(0)
