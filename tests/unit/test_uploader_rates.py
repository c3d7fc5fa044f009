"""Peak and average rates, by hand and against a slow but plain definition."""

from fractions import Fraction
from math import ceil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.uploader.manifest.rates import average_rate, peak_rate, target_duration


def test_average_is_of_all_bytes_over_all_time() -> None:
    assert average_rate([750, 750, 1500], [6, 6, 6], 1) == ceil(8 * 3000 / 18)


def test_peak_of_equal_segments_is_the_largest_one() -> None:
    assert peak_rate([6000, 9000, 6000], [6, 6, 6], 1, 6) == 12_000


def test_a_short_last_segment_counts_only_with_the_one_before_it() -> None:
    # 1 s at 80 kb/s is below half of the target; together with the 6 s before it is 7 s.
    assert peak_rate([6000, 10_000], [6, 1], 1, 6) == ceil(Fraction(8 * 16_000, 7))


def test_adjacent_short_segments_count_together() -> None:
    # No run of 2 + 2 + 2 s is as dense as the middle 4 s.
    assert peak_rate([100, 2000, 2000, 100], [2, 2, 2, 2], 1, 6) == 8000


def test_what_is_shorter_than_any_run_has_its_average() -> None:
    assert peak_rate([1000], [1], 5, 1) == 40_000


@given(
    segments=st.lists(st.tuples(st.integers(1, 10_000), st.integers(1, 90)), min_size=1, max_size=12),
    target=st.integers(1, 8),
)
def test_peak_is_the_maximum_over_all_runs_of_the_right_length(segments: list[tuple[int, int]], target: int) -> None:
    sizes, ticks, timescale = [size for size, _ in segments], [tick for _, tick in segments], 10
    runs = [
        Fraction(8 * sum(sizes[first:end]) * timescale, sum(ticks[first:end]))
        for first in range(len(segments))
        for end in range(first + 1, len(segments) + 1)
        if Fraction(target, 2) <= Fraction(sum(ticks[first:end]), timescale) <= Fraction(3 * target, 2)
    ]
    average = Fraction(8 * sum(sizes) * timescale, sum(ticks))
    assert peak_rate(sizes, ticks, timescale, target) == ceil(max([average, *runs]))


@pytest.mark.parametrize(
    ("seconds", "target"),
    [(["6"], 6), (["6.006", "6.499999"], 6), (["6.5"], 7), (["0.2"], 1), (["5.9", "2"], 6)],
)
def test_target_duration_is_the_longest_rounded(seconds: list[str], target: int) -> None:
    assert target_duration([Fraction(text) for text in seconds]) == target


class Counted(list[int]):
    """A list that counts what is read out of it."""

    read = 0

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        self.read += len(found) if isinstance(place, slice) else 1
        return found


def test_the_peak_of_a_day_is_found_in_one_pass() -> None:
    segments = 24 * 3600 // 6
    sizes, ticks = Counted([1000 + number % 97 for number in range(segments)]), Counted([6] * segments)
    assert peak_rate(sizes, ticks, 1, 6) == ceil(Fraction(8 * 1096, 6))
    assert sizes.read + ticks.read <= 5 * segments
