"""Bit rates of measured segments, by the checker's own arithmetic. Pure.

Definitions: RFC 8216, section 4.3.4.2 (BANDWIDTH) and Apple's HLS authoring specification.
"""

from collections.abc import Sequence
from itertools import accumulate
from math import ceil


def average(sizes: Sequence[int], durations: Sequence[int], timescale: int) -> int:
    """Bits per second over all segments: bytes and ticks of each, ticks per second."""
    return ceil(8 * sum(sizes) * timescale / sum(durations)) if sum(durations) else 0


def peak(sizes: Sequence[int], durations: Sequence[int], timescale: int, target: int) -> int:
    """Bits per second of the busiest run of adjacent segments that lasts from half to one and a half target durations.

    Where no run is as long as that, the average.
    """
    ends = [0, *accumulate(durations)]
    bytes_until = [0, *accumulate(sizes)]
    shortest, longest = target * timescale / 2, target * timescale * 3 / 2
    highest = 0.0
    for first in range(len(sizes)):
        for end in range(first + 1, len(sizes) + 1):
            ticks = ends[end] - ends[first]
            if ticks > longest:
                break
            if ticks >= shortest and ticks:
                highest = max(highest, 8 * (bytes_until[end] - bytes_until[first]) * timescale / ticks)
    return max(ceil(highest), average(sizes, durations, timescale))
