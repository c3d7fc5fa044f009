"""The real frame rate, from time stamps."""

from array import array
from fractions import Fraction
from random import Random

import pytest

from services.fetcher.probe.rate import STANDARD, frame_rate

MILLISECOND = Fraction(1, 1000)
NTSC = Fraction(30000, 1001)


def stamps(rate: Fraction, frames: int, time_base: Fraction, *, start: int = 0, jitter: float = 0) -> "array[int]":
    """Time stamps of a clock that ticks in ``time_base``; jitter in frames."""
    frame, random = 1 / (rate * time_base), Random(7)
    if not jitter:
        # In whole numbers: thousands of fractions take a while.
        double, whole = 2 * frame.denominator, 2 * frame.numerator
        return array("q", (start + (number * whole + frame.denominator) // double for number in range(frames)))
    return array("q", (start + round((number + random.uniform(-jitter, jitter)) * frame) for number in range(frames)))


CLOCKS = (MILLISECOND, Fraction(1, 90_000), Fraction(1, 12_800), Fraction(1, 600))
# A clock has to tick a few times in each frame.
TOLD = [(rate, clock) for rate in STANDARD for clock in CLOCKS if rate * clock <= Fraction(1, 4)]


@pytest.mark.parametrize(("rate", "time_base"), TOLD)
def test_standard_rates_are_found_on_any_clock(rate: Fraction, time_base: Fraction) -> None:
    assert frame_rate(stamps(rate, 2000, time_base), time_base, None, None) == (rate, False)


@pytest.mark.parametrize("claimed", [Fraction(24), Fraction(24000, 1001)])
def test_the_container_decides_between_rates_that_rounding_makes_equal(claimed: Fraction) -> None:
    assert frame_rate(stamps(claimed, 12, MILLISECOND), MILLISECOND, claimed, None) == (claimed, False)


def test_a_wrong_claim_of_the_container_is_not_believed() -> None:
    pts = stamps(Fraction(25), 500, MILLISECOND)
    assert frame_rate(pts, MILLISECOND, Fraction(90_000), Fraction(50)) == (Fraction(25), False)


def test_jitter_of_less_than_half_a_frame_is_no_variable_rate() -> None:
    pts = stamps(NTSC, 5000, Fraction(1, 90_000), start=10**10, jitter=0.2)
    assert frame_rate(pts, Fraction(1, 90_000), None, None) == (NTSC, False)


def test_an_odd_but_constant_rate_is_kept() -> None:
    rate, time_base = Fraction(179, 6), Fraction(1, 90_000)
    assert frame_rate(stamps(rate, 3000, time_base), time_base, rate, None) == (rate, False)
    assert frame_rate(array("q", range(0, 600 * 700, 700)), Fraction(1, 10_000), None, None) == (
        Fraction(100, 7),
        False,
    )


def test_a_missing_frame_makes_the_rate_variable_but_not_another() -> None:
    pts = stamps(Fraction(24), 300, Fraction(1, 90_000))
    del pts[100:102]
    assert frame_rate(pts, Fraction(1, 90_000), None, None) == (Fraction(24), True)


def test_a_recording_with_pauses_keeps_its_speed() -> None:
    """A screen recorder writes a frame when something moves: sixty a second, or none for seconds."""
    pts = array("q")
    for minute in range(5):
        pts.extend(minute * 60_000 + round(number * 1000 / 60) for number in range(120))
    assert frame_rate(pts, MILLISECOND, None, Fraction(2)) == (Fraction(60), True)


@pytest.mark.parametrize(("claimed", "expected"), [(NTSC, NTSC), (Fraction(30), Fraction(30)), (None, Fraction(30))])
def test_a_phone_that_drops_frames(claimed: Fraction | None, expected: Fraction) -> None:
    pts = stamps(Fraction(30), 900, Fraction(1, 90_000), jitter=0.1)
    kept = array("q", (tick for number, tick in enumerate(pts) if number % 11))
    assert frame_rate(kept, Fraction(1, 90_000), claimed, None) == (expected, True)


@pytest.mark.parametrize("rate", [NTSC, Fraction(24000, 1001), Fraction(60000, 1001), Fraction(30), Fraction(24)])
def test_a_broadcast_that_misses_frames_keeps_its_thousandth(rate: Fraction) -> None:
    pts = stamps(rate, 900, Fraction(1, 90_000))
    kept = array("q", (tick for number, tick in enumerate(pts) if number % 50))
    assert frame_rate(kept, Fraction(1, 90_000), None, None) == (min(rate, Fraction(60)), True)


@pytest.mark.parametrize("share", [Fraction(1, 2), 1, 2])
@pytest.mark.parametrize("rate", [NTSC, Fraction(24000, 1001)])
def test_a_container_that_counts_fields_is_understood(rate: Fraction, share: Fraction) -> None:
    kept = array("q", (tick for number, tick in enumerate(stamps(rate, 300, MILLISECOND)) if number % 20))
    assert frame_rate(kept, MILLISECOND, rate * share, Fraction(28)) == (rate, True)
    assert frame_rate(stamps(rate, 12, MILLISECOND), MILLISECOND, rate * share, None) == (rate, False)


def test_variable_rates_are_brought_to_sixty_at_most() -> None:
    pts = array("q", sorted(Random(3).sample(range(4000), 1500)))
    assert frame_rate(pts, MILLISECOND, None, None) == (Fraction(60), True)


@pytest.mark.parametrize(
    ("nominal", "average", "expected"),
    [(None, Fraction(24), 24), (Fraction(50), None, 50), (Fraction(90_000), Fraction(90_000), 25), (None, None, 25)],
)
def test_a_single_frame(nominal: Fraction | None, average: Fraction | None, expected: int) -> None:
    assert frame_rate(array("q", [7]), MILLISECOND, nominal, average) == (Fraction(expected), False)
