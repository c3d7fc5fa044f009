"""The checker's own arithmetic: against the plain definition, against the writer's, and in time that grows with the segments."""

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.bitrates import average, peak
from services.uploader.manifest import rates

SEGMENTS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 90)), min_size=1, max_size=14)


@given(segments=SEGMENTS, target=st.integers(1, 8))
def test_peak_is_the_busiest_run_of_the_right_length(segments: list[tuple[int, int]], target: int) -> None:
    sizes, ticks = [size for size, _ in segments], [tick for _, tick in segments]
    runs = [
        Fraction(8 * 10 * sum(sizes[first:end]), sum(ticks[first:end]))
        for first in range(len(segments))
        for end in range(first + 1, len(segments) + 1)
        if Fraction(target, 2) <= Fraction(sum(ticks[first:end]), 10) <= Fraction(3 * target, 2)
    ]
    assert peak(sizes, ticks, 10, target) == max([*runs, average(sizes, ticks, 10)])


@given(segments=SEGMENTS, target=st.integers(1, 8))
def test_the_writer_comes_to_the_same(segments: list[tuple[int, int]], target: int) -> None:
    sizes, ticks = [size for size, _ in segments], [tick for _, tick in segments]
    assert ceil(peak(sizes, ticks, 10, target)) == rates.peak_rate(sizes, ticks, 10, target)
    assert ceil(average(sizes, ticks, 10)) == rates.average_rate(sizes, ticks, 10)


def test_what_has_no_length_has_no_rate() -> None:
    assert peak([], [], 1, 6) == average([], [], 1) == 0
    assert peak([5], [0], 1, 6) == average([5], [0], 1) == 0


class Counted(list[int]):
    """A list that counts how often somebody looks at one of its members by number."""

    looks = 0

    def __getitem__(self, place: int) -> int:  # type: ignore[override]
        """Count, and look."""
        self.looks += 1
        return super().__getitem__(place)


@pytest.mark.parametrize("count", [1440, 14_400])
def test_the_work_grows_with_the_segments_and_no_faster(count: int) -> None:
    sizes, durations = Counted(range(count)), Counted([6] * count)
    peak(sizes, durations, 1, 6)
    assert sizes.looks + durations.looks <= 4 * count
