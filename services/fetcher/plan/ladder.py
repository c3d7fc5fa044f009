"""The ladder: which renditions a source gets, and how large each is. Pure."""

from collections.abc import Sequence
from fractions import Fraction

from shared.media.plan import Rung
from shared.media.profile import Profile, short_side
from shared.media.result import JobWarning
from shared.media.source import VideoTrack

MINIMUM_SIDE = 16
"""Pixels; smaller pictures are padded up by nobody's player, and below this H.264 encoders refuse."""

# H.264 table A-1: level, macroblocks a second, macroblocks in a frame, kilobits a second in High profile.
_LEVELS = (
    ("1.3", 11880, 396, 960),
    ("2.1", 19800, 792, 5000),
    ("3.0", 40500, 1620, 12500),
    ("3.1", 108000, 3600, 17500),
    ("3.2", 216000, 5120, 25000),
    ("4.0", 245760, 8192, 25000),
    ("4.2", 522240, 8704, 62500),
    ("5.0", 589824, 22080, 168750),
    ("5.1", 983040, 36864, 300000),
    ("5.2", 2073600, 36864, 300000),
    ("6.2", 16711680, 139264, 800000),
)


def display_size(video: VideoTrack) -> tuple[Fraction, Fraction]:
    """Width and height as shown, upright and with square pixels, before any rounding."""
    width, height = video.width * video.sample_aspect, Fraction(video.height)
    if video.sample_aspect < 1:
        # Never throw pixels away: a squeezed picture is stretched upwards instead.
        width, height = Fraction(video.width), video.height / video.sample_aspect
    return (height, width) if video.rotation % 180 else (width, height)


def make_ladder(
    video: VideoTrack, resolutions: Sequence[str], profile: Profile, frame_rate: Fraction
) -> tuple[tuple[Rung, ...], tuple[JobWarning, ...]]:
    """Renditions in descending size.

    A rendition is named by its short side and keeps the display aspect. Nothing is scaled up: what is larger than the
    source is dropped with a warning, and if everything is, the source's own size is made under the lowest name asked for.
    """
    width, height = display_size(video)
    own_side = min(width, height)
    wanted = sorted(resolutions, key=short_side, reverse=True)
    fitting = [name for name in wanted if short_side(name) <= own_side]
    dropped = [name for name in reversed(wanted) if name not in fitting]
    rungs = [_rung(name, _scaled(width, height, short_side(name)), profile, frame_rate) for name in fitting]
    if not fitting:
        lowest = dropped.pop(0)
        rungs = [_rung(lowest, _own_size(width, height), profile, frame_rate)]
    warnings = (
        [JobWarning(code="resolution_dropped", message=_dropped_message(dropped, width, height))] if dropped else []
    )
    if not fitting:
        made = f"{rungs[0].width}×{rungs[0].height}"
        message = (
            f"The source is smaller than every resolution asked for; it was made in its own size, {made}, as {lowest}."
        )
        warnings.append(JobWarning(code="source_below_ladder", message=message))
    return tuple(rungs), tuple(warnings)


def level_for(width: int, height: int, frame_rate: Fraction, max_rate: int) -> str:
    """The lowest H.264 level that allows this size (pixels), rate (frames per second) and bit rate (bits per second)."""
    across, down = -(-width // 16), -(-height // 16)
    blocks = across * down
    for level, per_second, per_frame, kilobits in _LEVELS:
        # Besides the area, a level bounds the longer side (A.3.1).
        fits = blocks <= per_frame and max(across, down) ** 2 <= 8 * per_frame
        if fits and blocks * frame_rate <= per_second and max_rate <= kilobits * 1000:
            return level
    return _LEVELS[-1][0]


def _rung(name: str, size: tuple[int, int], profile: Profile, frame_rate: Fraction) -> Rung:
    settings = profile.rung(name)
    # Twice the frames need not twice the bits, since neighbours resemble each other more: about half as many again.
    growth = max(0.6, (float(frame_rate) / 30) ** 0.585)
    max_rate = int(settings.max_rate * 1000 * growth)
    return Rung(
        resolution=name,
        width=size[0],
        height=size[1],
        crf=settings.crf,
        max_rate=max_rate,
        buffer=int(max_rate * profile.buffer_seconds),
        level=level_for(*size, frame_rate, max_rate),
    )


def _scaled(width: Fraction, height: Fraction, side: int) -> tuple[int, int]:
    if width >= height:
        return _even(side * width / height), _even(Fraction(side))
    return _even(Fraction(side)), _even(side * height / width)


def _own_size(width: Fraction, height: Fraction) -> tuple[int, int]:
    enlarge = max(Fraction(1), MINIMUM_SIDE / min(width, height))
    return _even(width * enlarge), _even(height * enlarge)


def _even(value: Fraction) -> int:
    return max(2, 2 * round(value / 2))


def _dropped_message(dropped: list[str], width: Fraction, height: Fraction) -> str:
    own = f"{round(width)}×{round(height)}"
    return f"Not made, because the source is only {own} and nothing is scaled up: {', '.join(dropped)}."
