"""Rules about the video itself: codec and parameter sets."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

from checker.finding import Finding, Rule, told
from checker.presentation import Presentation

_BT709 = (1, 1, 1)
_HIGHEST_LEVEL = 52
_PROFILES = (66, 77, 88, 100)


def h264(presentation: Presentation) -> Iterator[Finding]:
    """All video is H.264."""
    for entry, track in presentation.video():
        if track.initialization.format not in ("avc1", "avc3"):
            yield Finding(entry.where, "codec of the video", track.initialization.format, "avc1")


def profile_and_level(presentation: Presentation) -> Iterator[Finding]:
    """High profile, level 5.2 at most."""
    for entry, track in presentation.video():
        for sps in track.initialization.parameter_sets:
            if sps.profile not in _PROFILES or sps.level > _HIGHEST_LEVEL:
                measured = f"profile {sps.profile}, level {sps.level / 10}"
                yield Finding(entry.where, "profile and level", measured, "at most High (100), 5.2")


def progressive(presentation: Presentation) -> Iterator[Finding]:
    """Frames only."""
    for entry, track in presentation.video():
        if not all(sps.progressive for sps in track.initialization.parameter_sets):
            yield Finding(entry.where, "the sequence may hold fields", "interlaced", "frames only")


def frame_rate_limit(presentation: Presentation) -> Iterator[Finding]:
    """At most 60 frames per second."""
    for entry, track in presentation.video():
        if track.frame and track.frame < Fraction(1, 60):
            yield Finding(entry.where, "frames per second", told(1 / track.frame), "at most 60")


def colour(presentation: Presentation) -> Iterator[Finding]:
    """BT.709, video range, 8-bit 4:2:0, and told."""
    for entry, track in presentation.video():
        for sps in track.initialization.parameter_sets:
            if sps.colour != _BT709 or sps.full_range:
                measured = f"{sps.colour}{' full range' if sps.full_range else ''}"
                yield Finding(entry.where, "primaries, transfer, matrix, range", measured, f"{_BT709} video range")
            if (sps.chroma, sps.depth) != (1, 8):
                yield Finding(entry.where, "sampling", f"chroma {sps.chroma}, {sps.depth} bits", "4:2:0, 8 bits")


def square_samples(presentation: Presentation) -> Iterator[Finding]:
    """Square samples."""
    for entry, track in presentation.video():
        for sps in track.initialization.parameter_sets:
            if sps.aspect != 1:
                yield Finding(entry.where, "aspect ratio of a sample", told(sps.aspect), "1")


def same_aspect(presentation: Presentation) -> Iterator[Finding]:
    """All variants have one aspect ratio, as nearly as even sizes allow."""
    sizes = [(entry, sps) for entry, track in presentation.video() for sps in track.initialization.parameter_sets[:1]]
    for (_, first), (entry, other) in pairwise(sizes):
        small, large = sorted((first, other), key=lambda sps: sps.width)
        scaled = Fraction(large.height * small.width, large.width)
        if abs(scaled - small.height) > 2 and abs(Fraction(large.width * small.height, large.height) - small.width) > 2:
            yield Finding(entry.where, "aspect ratio", f"{other.width}x{other.height}", f"{first.width}:{first.height}")


RULES = (
    Rule("apple-1.1", "must", "Video is H.264 (the other codecs that Apple plays, Millrace does not make)", h264),
    Rule("apple-1.3", "must", "H.264 is at most High profile, level 5.2", profile_and_level),
    Rule("apple-1.14", "must", "Interlaced material has been made progressive", progressive),
    Rule("apple-1.19", "must", "No more than 60 frames per second", frame_rate_limit),
    Rule("millrace-colour", "must", "The picture is 8-bit 4:2:0 BT.709 in video range, and says so", colour),
    Rule("millrace-square", "must", "Samples of the picture are square, and said to be so", square_samples),
    Rule("apple-1.33", "should", "All variants have the same aspect ratio", same_aspect),
)
