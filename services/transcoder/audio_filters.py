"""Filters for audio: any source to stereo at one rate, then onto the output's clock. Pure.

There are two graphs, because ffmpeg builds a graph anew whenever the format of the audio changes in the middle, as in a
broadcast that goes from stereo to 5.1 and back. A graph with a memory of time would begin at zero again each time: what
follows would be late or lost. So the first graph, which may be built anew, has no such memory, and the second one, which
has, gets the same format from the beginning to the end.
"""

import re
from collections.abc import Sequence
from fractions import Fraction
from math import floor

from services.transcoder.audio_times import Piece, expression
from shared.media.plan import AudioPart, Plan
from shared.media.source import AudioTrack

_CENTER, _SIDE = 0.707107, 0.707107
_BEHIND = 0.5

# What goes to the left, by ffmpeg's names of channels, with its gain, after ITU-R BS.775 (annex 4): L + 0.707 C + 0.707 Ls.
# Nothing is turned down to make room, as players do not either, so that speech is as loud as in a player. LFE is left out.
_LEFT = {
    "FL": 1.0, "FLC": 1.0, "DL": 1.0, "BIL": 1.0, "WL": 1.0,
    "SL": _SIDE, "BL": _SIDE, "SDL": _SIDE, "TFL": _SIDE, "TSL": _SIDE, "TBL": _SIDE, "BFL": _SIDE,
}  # fmt: skip
_RIGHT = {name.replace("L", "R"): gain for name, gain in _LEFT.items()}
_BOTH = {"FC": _CENTER, "BC": _BEHIND, "TC": _BEHIND, "TFC": _BEHIND, "TBC": _BEHIND, "BFC": _BEHIND}
_PLACED = frozenset((*_LEFT, *_RIGHT, *_BOTH))

_MOST_CHANNELS_BY_DEFAULT = 8
"""Up to here ffmpeg has a usual layout for a number of channels."""

# Between the two graphs audio passes through ffmpeg's output, which loses what lies before zero, as on a clock that begins
# anew in the middle. So it is put on the output's clock before, and later by more than any track begins before the origin.
_PASSAGE_SECONDS = 10

# Silence that the resampler may fill by itself.
_LATE_SECONDS = 10

# 1 dB below full scale: the encoder's ripple may go a little above what goes in.
_LIMIT = 0.89


def stereo_filters(track: AudioTrack, plan: Plan, rate: int) -> tuple[str, ...]:
    """The first graph: whatever comes, stereo of float samples comes out, at ``rate`` samples per second."""
    return (
        f"asetpts=PTS-({float(plan.origin - _PASSAGE_SECONDS):.9f})/TB",
        "aformat=sample_fmts=fltp",
        # The matrix puts a centre into both sides with 3 dB less, which is right beside other channels. One channel alone
        # is as loud on both sides as it is. (The filter looks again whenever the graph is built anew.)
        "volume=volume='if(eq(nb_channels,1),1/0.707107,1)':precision=float",
        f"pan=stereo|{_by_name() if _has_places(track) else _by_number(track)}",
        f"aresample={rate}",
        "aformat=sample_fmts=flt:channel_layouts=stereo",
    )


def clock_filters(track: AudioTrack, plan: Plan, part: AudioPart, pieces: Sequence[Piece] = ()) -> tuple[str, ...]:
    """The second graph: on the output's clock, and as long as the video, to the sample.

    Args:
        pieces: where the samples belong, as they leave the first graph; none where time stamps say it exactly.
    """
    samples = audio_samples(plan, part)
    later = _silence_first(track, plan, part)
    stamp = f"'{expression(pieces)}'" if pieces else "PTS"
    return (
        f"asetpts={stamp}-{_PASSAGE_SECONDS}/TB",
        # Gaps are filled with silence and drift is stretched away, so that audio stays with the video to the last second;
        # what lies before the origin is cut off.
        f"aresample={part.sample_rate}:async=1000:min_hard_comp=0.02:first_pts={later}",
        *((f"asetpts=PTS-{later}", f"adelay=delays={later}S:all=1") if later else ()),
        # A sum of channels may exceed full scale. Only then is it turned down, and only where channels are summed up.
        *((f"alimiter=limit={_LIMIT}:level=0:latency=1",) if track.channels > 2 else ()),
        f"apad=whole_len={samples}",
        f"atrim=end_sample={samples}",
    )


def audio_samples(plan: Plan, part: AudioPart) -> int:
    """How many samples the rendition has: those of the plan's duration, rounded up."""
    exact = plan.duration * part.sample_rate
    return -(-exact.numerator // exact.denominator)


def _silence_first(track: AudioTrack, plan: Plan, part: AudioPart) -> int:
    """Samples of silence to begin with, where the audio begins much later than the video.

    The resampler could fill that as well, but as a single frame: an hour of it would take gigabytes.
    """
    late = Fraction(track.start).limit_denominator(1_000_000) - plan.origin - _LATE_SECONDS
    return max(0, floor(late * part.sample_rate))


def _has_places(track: AudioTrack) -> bool:
    """Whether the channels are told by where their loudspeakers stand."""
    layout = track.layout or "unknown"
    if layout.startswith("ambisonic"):
        return False
    if track.channels == 1:
        return layout in ("unknown", "mono", "1 channels")
    told = re.fullmatch(r"(?:\d+ channels )?\((.+)\)", layout)
    if told:
        return not _PLACED.isdisjoint(name.partition("@")[0] for name in told[1].split("+"))
    if layout == "unknown" or re.fullmatch(r"\d+ channels", layout):
        return track.channels <= _MOST_CHANNELS_BY_DEFAULT
    return True


def _by_name() -> str:
    """A matrix for all layouts: channels that a source does not have are left out of it."""
    return f"FL={_sum(_LEFT)}|FR={_sum(_RIGHT)}"


def _sum(side: dict[str, float]) -> str:
    return "+".join(f"{gain:g}*{name}" for name, gain in (side | _BOTH).items())


def _by_number(track: AudioTrack) -> str:
    """Of ambisonics the first channel, which hears all around; else the first two, where studios put the stereo mix."""
    alone = track.channels == 1
    if alone or (track.layout or "").startswith("ambisonic"):
        gain = "0.707107*" if alone else ""
        return f"FL={gain}c0|FR={gain}c0"
    return "FL=c0|FR=c1"
