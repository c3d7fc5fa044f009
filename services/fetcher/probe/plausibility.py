"""Can it be true? What was found, and what was planned of it, is held against the pictures and the sound themselves. Pure.

Time stamps that lie make hours of work out of seconds of film, and wrong films that nobody is told about. Each rule here
answers within seconds, before any work begins. They are wide enough for every film that somebody meant: slides that stay
for half an hour, sound that goes on after its picture, meetings in which nobody speaks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from services.fetcher.probe.evidence import Evidence, median_step
from services.fetcher.probe.index import VideoIndex
from shared.errors import PermanentError
from shared.media.source import Source

LONGEST_PICTURE = 1800
"""Seconds for which a picture may stay without any sound meanwhile."""

_LEAST_SPARE = 60
_FEWEST_FRAMES, _MOST_OFF = 8, Fraction(5, 3)


@dataclass(frozen=True)
class Claim:
    """What is about to be believed.

    Attributes:
        seconds: of the film.
    """

    source: Source
    index: VideoIndex
    evidence: Evidence
    seconds: float

    @property
    def picture(self) -> float:
        """Seconds from the first picture to the end of the last one."""
        return float(self.source.video.end - self.source.video.start)


@dataclass(frozen=True)
class Rule:
    """One thing that has to hold.

    Attributes:
        sentence: what has to hold, for people.
        broken: what was found instead; empty where it holds.
        cause: for the customer where it does not. remedy: what to do then.
    """

    name: str
    sentence: str
    broken: Callable[[Claim], str]
    cause: str
    remedy: str


def _length(claim: Claim) -> str:
    spare = min(max(claim.picture, _LEAST_SPARE), LONGEST_PICTURE)
    covered = claim.picture + claim.evidence.sound
    if claim.seconds <= covered + spare:
        return ""
    return (
        f"{claim.seconds:.0f} s of film of {claim.picture:.0f} s of picture and {claim.evidence.sound:.0f} s of sound"
    )


def _gaps(claim: Claim) -> str:
    pts, tick = claim.index.pts, claim.source.video.time_base
    longest = float(max((late - early for early, late in pairwise(pts)), default=0) * tick)
    if longest - claim.evidence.sound <= LONGEST_PICTURE:
        return ""
    return f"{longest:.0f} s between two of {len(pts)} pictures, and {claim.evidence.sound:.0f} s of sound"


def _frames(claim: Claim) -> str:
    times, tick = claim.evidence.trial.times, claim.source.video.time_base
    if len(times) < _FEWEST_FRAMES:
        return ""
    # As many frames from where decoding begins as came out of it.
    first = claim.index.shown_at(round(times[0] / tick))
    counted = median_step([pts * tick for pts in claim.index.pts[first : first + len(times)]])
    shown = median_step(times)
    if not counted or not shown or 1 / _MOST_OFF <= counted / shown <= _MOST_OFF:
        return ""
    return f"a picture every {float(counted):.4f} s by the packets, every {float(shown):.4f} s out of the decoder"


RULES = (
    Rule(
        "no longer than what is in it",
        "A film lasts no longer than its picture and its sound together.",
        _length,
        "Picture and sound of the input lie far apart in time.",
        "Export it again.",
    ),
    Rule(
        "pictures follow each other",
        f"Between two pictures there are no more than {LONGEST_PICTURE // 60} minutes without sound.",
        _gaps,
        "Between two pictures of the input lie hours without picture or sound.",
        "Correct its time stamps or its frame rate.",
    ),
    Rule(
        "as many pictures as come out of it",
        "Pictures are as far from each other by the packets as when they are decoded.",
        _frames,
        "The frame rate of the input cannot be told.",
        "Export it again as MP4.",
    ),
)
"""All of them, in the order in which they are applied."""


def check_sound_alone(seconds: float, sound: float) -> None:
    """The same for a source whose sound alone is wanted.

    Args:
        seconds: from the beginning to the end of all tracks. sound: of sound in the longest one.

    Raises:
        PermanentError: ``input_damaged``.
    """
    if seconds - sound > LONGEST_PICTURE:
        detail = f"{seconds:.0f} s of tracks with {sound:.0f} s of sound"
        cause = "Between two pieces of the input's sound lie hours without any."
        raise PermanentError("input_damaged", detail, cause=cause, remedy="Export it again.")


def check_plausible(source: Source, index: VideoIndex, evidence: Evidence, seconds: float) -> None:
    """Apply all rules.

    Args:
        seconds: of the film that is about to be made.

    Raises:
        PermanentError: ``input_damaged``, for the first rule that does not hold.
    """
    claim = Claim(source, index, evidence, seconds)
    for rule in RULES:
        found = rule.broken(claim)
        if found:
            raise PermanentError("input_damaged", f"{rule.name}: {found}", cause=rule.cause, remedy=rule.remedy)
