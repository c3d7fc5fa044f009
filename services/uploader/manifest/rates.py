"""Bit rates of a run of segments, as RFC 8216 (section 4.1) and Apple's authoring rules define them. Pure."""

from collections.abc import Sequence
from fractions import Fraction
from math import ceil


def target_duration(durations: Sequence[Fraction]) -> int:
    """The target duration, in seconds: the longest segment, rounded to the nearest second, and at least one."""
    return max(1, *(round_half_up(duration) for duration in durations))


def round_half_up(value: Fraction) -> int:
    """Nearest whole number; a half goes up (``round`` would go to the even one)."""
    return int(value + Fraction(1, 2))


def average_rate(sizes: Sequence[int], durations: Sequence[int], timescale: int) -> int:
    """Bits per second over all segments.

    Args:
        sizes: bytes of each segment.
        durations: ticks of each segment.
    """
    return ceil(Fraction(8 * sum(sizes) * timescale, sum(durations)))


def peak_rate(sizes: Sequence[int], durations: Sequence[int], timescale: int, target: int) -> int:
    """The peak segment bit rate, in bits per second.

    It is the largest rate of any run of adjacent segments that together last between half and one and a half times the
    target duration (seconds). So a short segment at the end counts only together with the ones before it.
    """
    peak = Fraction(average_rate(sizes, durations, timescale))
    shortest, longest = target * timescale, 3 * target * timescale
    for first in range(len(sizes)):
        bits = ticks = 0
        # By number: a slice of the rest would make this quadratic in the length of a film.
        for number in range(first, len(sizes)):
            bits += 8 * sizes[number]
            ticks += durations[number]
            if 2 * ticks > longest:
                break
            if 2 * ticks >= shortest and bits * timescale * peak.denominator > peak.numerator * ticks:
                peak = Fraction(bits * timescale, ticks)
    return ceil(peak)
