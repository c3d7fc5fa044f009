"""The ladder: which renditions a source gets, and how large each is. Pure."""

from collections.abc import Sequence
from fractions import Fraction

from shared.media.codecs.codec import VideoCodec
from shared.media.codecs.table import video_codec
from shared.media.plan import Rung, rung_name
from shared.media.profile import Profile, short_side
from shared.media.result import JobWarning
from shared.media.source import VideoTrack

MINIMUM_SIDE = 16
"""Pixels; smaller frames are padded up by nobody's player, and below this encoders refuse."""

CODECS = ("h264",)
"""What every job gets."""


def display_size(video: VideoTrack) -> tuple[Fraction, Fraction]:
    """Width and height as shown, upright and with square pixels, before any rounding."""
    width, height = video.width * video.sample_aspect, Fraction(video.height)
    if video.sample_aspect < 1:
        # Never throw pixels away: a squeezed picture is stretched upwards instead.
        width, height = Fraction(video.width), video.height / video.sample_aspect
    return (height, width) if video.rotation % 180 else (width, height)


def make_ladder(
    video: VideoTrack,
    resolutions: Sequence[str],
    profile: Profile,
    frame_rate: Fraction,
    codecs: Sequence[str] = CODECS,
) -> tuple[tuple[Rung, ...], tuple[JobWarning, ...]]:
    """Renditions in descending size, of each resolution one for each codec.

    A resolution is named by its short side and keeps the display aspect. Nothing is scaled up: what is larger than the
    source is dropped with a warning, and if everything is, the source's own size is made under the lowest name asked for.
    """
    width, height = display_size(video)
    own_side = min(width, height)
    wanted = sorted(resolutions, key=short_side, reverse=True)
    fitting = [name for name in wanted if short_side(name) <= own_side]
    dropped = [name for name in reversed(wanted) if name not in fitting]
    sizes = {name: _scaled(width, height, short_side(name)) for name in fitting}
    if not fitting:
        lowest = dropped.pop(0)
        sizes = {lowest: _own_size(width, height)}
    rungs = [
        _rung(name, size, profile, frame_rate, video_codec(codec)) for name, size in sizes.items() for codec in codecs
    ]
    warnings = (
        [JobWarning(code="resolution_dropped", message=_dropped_message(dropped, width, height))] if dropped else []
    )
    if not fitting:
        made = f"{rungs[0].width}×{rungs[0].height}"
        message = f"The source is smaller than every requested resolution; it was encoded at its own size, {made}, as {lowest}."
        warnings.append(JobWarning(code="source_below_ladder", message=message))
    return tuple(rungs), tuple(warnings)


def _rung(resolution: str, size: tuple[int, int], profile: Profile, frame_rate: Fraction, codec: VideoCodec) -> Rung:
    settings = profile.rung(resolution)
    # Twice the frames need not twice the bits, since neighbours resemble each other more: about half as many again.
    growth = max(0.6, (float(frame_rate) / 30) ** 0.585)
    max_rate = int(settings.max_rate * 1000 * growth)
    return Rung(
        name=rung_name(resolution, codec.name),
        resolution=resolution,
        codec=codec.name,
        width=size[0],
        height=size[1],
        crf=settings.crf,
        max_rate=max_rate,
        buffer=int(max_rate * profile.buffer_seconds),
        level=codec.level_for(*size, frame_rate, max_rate),
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
