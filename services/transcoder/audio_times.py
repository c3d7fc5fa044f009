"""Where the samples of a track belong in time, if its packets are stamped by when they arrived. Pure.

Browsers and recorders stamp sound as it comes in, a little late, in bursts, and by a clock of their own, while the samples
themselves follow each other without a seam. Followed to the letter, such stamps tear the sound apart. So the track is taken
as pieces: within one, samples are continuous, and a line through the stamps says where they belong; from one piece to the
next there is a real gap (or an overlap), which is one only if the stamps that follow do not come back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

MOST_PIECES = 5000
"""Beyond, stamps are followed as they are: so many gaps are no jitter."""

# Stamps of a second tell where samples belong; a step smaller than this is no gap that anyone could hear or see.
_SPAN_SECONDS, _LEAST_STEP_SECONDS = 1.0, 0.020
# How far the stamps of a second may lie from a piece's line, which is a fraction of what lip sync allows.
_STRAIGHT_SECONDS = 0.008
# Where most packets are far from their neighbours, that is no jitter.
_MOST_JITTER_SECONDS = 0.030
_FEWEST, _MOST = 8, 400


@dataclass(frozen=True)
class Piece:
    """Continuous samples.

    Attributes:
        first: number of its first sample, counted over the track without its gaps.
        shift: by how many samples ``first`` is later than its number says.
        drift: by how many more each further sample is.
    """

    first: int
    shift: float
    drift: float


def read_frames(lines: Iterable[str]) -> list[tuple[int, int]]:
    """Time stamp and number of samples of each frame, out of lines of both; what is cut off or has no time is left out."""
    cells = (line.split() for line in lines)
    return [(int(cell[0]), int(cell[1])) for cell in cells if len(cell) == 2 and cell[0].lstrip("-").isdigit()]


def straighten(frames: Sequence[tuple[int, int]], rate: int) -> tuple[Piece, ...]:
    """The pieces that a track consists of; none where it is in more of them than :data:`MOST_PIECES`.

    Args:
        frames: time stamp and length of each frame, both in samples. rate: samples per second.
    """
    if not frames:
        return ()
    positions, late, position = [], [], 0
    for stamp, length in frames:
        positions.append(position)
        late.append(stamp - position)
        position += length
    span = min(max(round(_SPAN_SECONDS * rate * len(frames) / max(position, 1)), _FEWEST), _MOST)
    # Steps that are usual between neighbours say how much the stamps jitter.
    usual = median(abs(after - before) for before, after in pairwise(late)) if len(late) > 1 else 0
    usual = min(usual, _MOST_JITTER_SECONDS * rate)
    straight = _STRAIGHT_SECONDS * rate + usual / 4
    pieces: list[Piece] = []
    for begin, end in _stretches(late, span, _LEAST_STEP_SECONDS * rate + usual):
        pieces += _lines(positions[begin:end], late[begin:end], span, straight)
        if len(pieces) > MOST_PIECES:
            return ()
    return tuple(pieces)


def expression(pieces: Sequence[Piece]) -> str:
    """Time stamp of a frame for ``asetpts``, by the number of samples before it. As deep as the logarithm of the pieces."""
    if len(pieces) == 1:
        piece = pieces[0]
        return f"N+{piece.shift:.3f}+{piece.drift:.9f}*(N-{piece.first})".replace("N", "NB_CONSUMED_SAMPLES")
    half = len(pieces) // 2
    later = pieces[half].first
    return f"if(lt(NB_CONSUMED_SAMPLES,{later}),{expression(pieces[:half])},{expression(pieces[half:])})"


def _stretches(late: Sequence[int], span: int, threshold: float) -> list[tuple[int, int]]:
    """Frames from one gap (or overlap) of more than ``threshold`` samples to the next, as begin and end."""
    cuts, begin, middle = [0], 0, float(late[0])
    for number, value in enumerate(late):
        if abs(value - middle) > threshold and _stays(late, number, span, middle, threshold):
            cuts.append(number)
            begin, middle = number, float(value)
        elif number - begin < _FEWEST or (number - begin) % max(span // 4, 1) == 0:
            middle = median(late[max(begin, number - span) : number + 1])
    return list(pairwise([*cuts, len(late)]))


def _stays(late: Sequence[int], number: int, span: int, middle: float, threshold: float) -> bool:
    """Whether what follows is off as well: behind a gap, hardly any comes back to where it was before."""
    sign = 1 if late[number] > middle else -1
    if sign < 0 and late[number] > late[max(number - 1, 0)] - threshold:
        # What was held up catches up, frame by frame; stamps of an overlap go back at once.
        return False
    ahead = sorted(sign * (value - middle) for value in late[number : number + span])
    return ahead[len(ahead) // 20] > threshold / 2


def _lines(positions: Sequence[int], late: Sequence[int], span: int, straight: float) -> list[Piece]:
    """Lines through the stamps of a stretch: one where that goes, else halves of it until they are straight."""
    blocks = max(1, len(late) // span)
    bounds = [len(late) * number // blocks for number in range(blocks + 1)]
    pairs = list(pairwise(bounds))
    middles = [(positions[begin] + positions[end - 1]) / 2 for begin, end in pairs]
    return _halved(positions, bounds, middles, [_usual(late[begin:end]) for begin, end in pairs], straight)


def _usual(late: Sequence[int]) -> float:
    """How late stamps are as a rule: nearer to the earliest ones, since what has to arrive may be held up, but not hurried."""
    ordered = sorted(late)
    return ordered[(len(ordered) - 1) // 4]


def _halved(
    positions: Sequence[int], bounds: Sequence[int], middles: Sequence[float], heights: Sequence[float], straight: float
) -> list[Piece]:
    first, center, height = positions[bounds[0]], sum(middles) / len(middles), sum(heights) / len(heights)
    # Without a drift nothing has to be stretched.
    if max(abs(value - height) for value in heights) <= straight:
        return [Piece(first, height, 0.0)]
    drift = _slope(middles, heights, center, height)
    line = (height + drift * (middle - center) for middle in middles)
    half = len(middles) // 2
    if half and max(abs(value - wanted) for value, wanted in zip(heights, line, strict=True)) > straight:
        return [
            *_halved(positions, bounds[: half + 1], middles[:half], heights[:half], straight),
            *_halved(positions, bounds[half:], middles[half:], heights[half:], straight),
        ]
    return [Piece(first, height + drift * (first - center), drift)]


def _slope(middles: Sequence[float], heights: Sequence[float], center: float, height: float) -> float:
    """Of the line with the least squares."""
    spread = sum((middle - center) ** 2 for middle in middles)
    return sum((middle - center) * (value - height) for middle, value in zip(middles, heights, strict=True)) / spread
