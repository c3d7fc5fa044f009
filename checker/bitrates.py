"""Bit rates of segments, by the checker's own arithmetic, exactly. Pure.

Definitions: RFC 8216bis, section 4.4.6.2 (BANDWIDTH, AVERAGE-BANDWIDTH), and 4.1 (peak segment bit rate).
"""

from collections.abc import Sequence
from fractions import Fraction


def average(sizes: Sequence[int], durations: Sequence[int], timescale: int) -> Fraction:
    """Bits per second over all segments: bytes and ticks of each, ticks per second."""
    ticks = sum(durations)
    return Fraction(8 * sum(sizes) * timescale, ticks) if ticks else Fraction(0)


def peak(sizes: Sequence[int], durations: Sequence[int], timescale: int, target: int) -> Fraction:
    """Bits per second of the busiest run of adjacent segments that lasts from half to one and a half target durations.

    Where no run is as long as that, and where a run of all of them is busier, the average.

    The run grows at its end and is tried from its other end inwards, so the work is the number of segments times that of
    the segments in one run: one or two of six seconds.
    """
    shortest, longest = target * timescale, 3 * target * timescale
    # The busiest run so far, as bytes and ticks: fractions are compared without making one for each run.
    most_bytes, most_ticks = sum(sizes), sum(durations)
    if not most_ticks:
        return Fraction(0)
    first = run_bytes = run_ticks = 0
    for last, (size, duration) in enumerate(zip(sizes, durations, strict=True)):
        run_bytes, run_ticks = run_bytes + size, run_ticks + duration
        while 2 * run_ticks > longest:
            run_bytes, run_ticks = run_bytes - sizes[first], run_ticks - durations[first]
            first += 1
        inner, inner_bytes, inner_ticks = first, run_bytes, run_ticks
        while inner <= last and 2 * inner_ticks >= shortest and inner_ticks:
            if inner_bytes * most_ticks > most_bytes * inner_ticks:
                most_bytes, most_ticks = inner_bytes, inner_ticks
            inner_bytes, inner_ticks = inner_bytes - sizes[inner], inner_ticks - durations[inner]
            inner += 1
    return Fraction(8 * most_bytes * timescale, most_ticks)
