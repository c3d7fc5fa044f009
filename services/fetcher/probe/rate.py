"""The real frame rate of a stream, from its time stamps. Pure."""

from array import array
from fractions import Fraction

from services.fetcher.probe.packets import gaps

STANDARD = tuple(
    Fraction(text)
    for text in (
        *("1", "2", "5", "6", "15/2", "8", "10", "12", "25/2", "15000/1001", "15", "20", "24000/1001", "24", "25"),
        *(
            "30000/1001",
            "30",
            "48000/1001",
            "48",
            "50",
            "60000/1001",
            "60",
            "72",
            "90",
            "100",
            "120000/1001",
            "120",
            "144",
        ),
        *("200", "240000/1001", "240"),
    )
)
"""Rates that cameras, films and screens have, frames per second, ascending."""

MOST_VARIABLE = Fraction(60)
"""A variable rate is brought to at most this: bursts of a recorder's time stamps are no motion that anyone could see."""

_FALLBACK = Fraction(25)
_LEAST, _MOST = Fraction(1, 60), Fraction(1000)
# Ticks in a frame of which a thousandth is more than the one that rounding may make.
_FINE = 1200


def frame_rate(
    pts: "array[int]", time_base: Fraction, nominal: Fraction | None, average: Fraction | None
) -> tuple[Fraction, bool]:
    """The rate, and whether it varies.

    It is constant when the frames sit, each in its own slot and none left out, within half a frame of a grid that begins
    with the first one. Standard rates are tried first, then what the container claims, then the commonest distance.

    Args:
        pts: ascending, ticks.
        nominal, average: frames per second as ffprobe tells them (``r_frame_rate``, ``avg_frame_rate``), or None.
    """
    if len(pts) < 2 or pts[-1] <= pts[0]:
        claims = (rate for rate in (average, nominal) if rate and _LEAST <= rate <= _MOST // 4)
        return next(claims, _FALLBACK), False
    constant = _constant_rate(pts, time_base, nominal, average)
    return (constant, False) if constant else (_variable_rate(pts, time_base, _claims(nominal, average)), True)


def _claims(nominal: Fraction | None, average: Fraction | None) -> list[Fraction]:
    """What the container may mean: some count fields where others count frames."""
    told = [rate for rate in (nominal, average) if rate]
    return [*told, *(rate / 2 for rate in told), *(rate * 2 for rate in told)]


def _constant_rate(
    pts: "array[int]", time_base: Fraction, nominal: Fraction | None, average: Fraction | None
) -> Fraction | None:
    mean = (len(pts) - 1) / ((pts[-1] - pts[0]) * time_base)
    fits = {rate: off for rate in _near(mean, len(pts)) if (off := _largest_offset(pts, time_base, rate)) < 0.5}
    if fits:
        # Rounded time stamps of a short clip fit several rates equally well; then the container's word counts.
        best = min(fits.values()) + float(time_base * mean) + 1e-6
        equal = [rate for rate, off in fits.items() if off <= best]
        return next(
            (rate for rate in _claims(nominal, average) if rate in equal), min(fits, key=lambda rate: fits[rate])
        )
    commonest = Fraction(1, max(_quantile(gaps(pts), 0.5), 1)) / time_base
    candidates = (rate for rate in (nominal, average, commonest) if rate and _LEAST <= rate <= _MOST)
    return next((rate for rate in candidates if _largest_offset(pts, time_base, rate) < 0.5), None)


def _near(mean: Fraction, frames: int) -> list[Fraction]:
    """Standard rates that could fit: over the whole stream they are off by no more than about a frame."""
    return [rate for rate in STANDARD if abs(rate / mean - 1) * (frames - 1) < 1.5]


def _largest_offset(pts: "array[int]", time_base: Fraction, rate: Fraction) -> float:
    """How far the frame that is farthest from its slot is from it, in frames."""
    slots, first = float(time_base * rate), pts[0]
    return max(abs((tick - first) * slots - number) for number, tick in enumerate(pts))


def _variable_rate(pts: "array[int]", time_base: Fraction, claims: list[Fraction]) -> Fraction:
    """The standard rate at which nine out of ten frames keep a slot of their own.

    Taken from the shorter distances, not from the average: a recording with long pauses still moves as fast in between.
    """
    distances = gaps(pts)
    # Of a handful of frames, a tenth would be the single shortest distance.
    shortest = max(_quantile(distances, max(0.1, min(1 / len(distances), 0.5))), 1) * time_base
    wanted = float(min(1 / shortest, MOST_VARIABLE))
    nearest = min(STANDARD, key=lambda rate: abs(float(rate) / wanted - 1))
    # 29.97 and 30 cannot be told apart by a jittering clock: the container's word, else the round one.
    candidates = [rate for rate in STANDARD if abs(rate / nearest - 1) < Fraction(1, 500)]
    told = next((rate for rate in claims if rate in candidates), None)
    return told or next((rate for rate in candidates if _is_told_by(distances, time_base, rate)), max(candidates))


def _is_told_by(distances: list[int], time_base: Fraction, rate: Fraction) -> bool:
    """Whether most distances are, to a tick, those of this rate and of none that is a thousandth off."""
    exact = 1 / (rate * time_base)
    return exact > _FINE and sum(abs(distance - exact) <= 1 for distance in distances) * 2 > len(distances)


def _quantile(values: list[int], share: float) -> int:
    ordered = sorted(value for value in values if value > 0) or [1]
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
