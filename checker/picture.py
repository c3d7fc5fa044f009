"""Rules about what the tracks are: codecs, parameter sets, and what the master playlist says of them."""

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

from checker.finding import Finding, Rule, told
from checker.playlist import Entry
from checker.stream import Stream, Track

_DECIMAL = re.compile(r"\d+(\.\d+)?$")
_BT709 = (1, 1, 1)
_HIGHEST_LEVEL = 52
_PROFILES = (66, 77, 88, 100)


def h264(stream: Stream) -> Iterator[Finding]:
    """All video is H.264."""
    for entry, track in stream.video():
        if track.header.format not in ("avc1", "avc3"):
            yield Finding(entry.where, "codec of the video", track.header.format, "avc1")


def profile_and_level(stream: Stream) -> Iterator[Finding]:
    """High profile, level 5.2 at most."""
    for entry, track in stream.video():
        for sps in track.header.video:
            if sps.profile not in _PROFILES or sps.level > _HIGHEST_LEVEL:
                measured = f"profile {sps.profile}, level {sps.level / 10}"
                yield Finding(entry.where, "profile and level", measured, "at most High (100), 5.2")


def progressive(stream: Stream) -> Iterator[Finding]:
    """Frames only."""
    for entry, track in stream.video():
        if not all(sps.progressive for sps in track.header.video):
            yield Finding(entry.where, "the sequence may hold fields", "interlaced", "frames only")


def frame_rate_limit(stream: Stream) -> Iterator[Finding]:
    """At most 60 frames per second."""
    for entry, track in stream.video():
        if track.frame and track.frame < Fraction(1, 60):
            yield Finding(entry.where, "frames per second", told(1 / track.frame), "at most 60")


def colour(stream: Stream) -> Iterator[Finding]:
    """BT.709, video range, 8-bit 4:2:0, and told."""
    for entry, track in stream.video():
        for sps in track.header.video:
            if sps.colour != _BT709 or sps.full_range:
                measured = f"{sps.colour}{' full range' if sps.full_range else ''}"
                yield Finding(entry.where, "primaries, transfer, matrix, range", measured, f"{_BT709} video range")
            if (sps.chroma, sps.depth) != (1, 8):
                yield Finding(entry.where, "sampling", f"chroma {sps.chroma}, {sps.depth} bits", "4:2:0, 8 bits")


def square_samples(stream: Stream) -> Iterator[Finding]:
    """Square samples."""
    for entry, track in stream.video():
        for sps in track.header.video:
            if sps.aspect != 1:
                yield Finding(entry.where, "aspect ratio of a sample", told(sps.aspect), "1")


def same_aspect(stream: Stream) -> Iterator[Finding]:
    """All variants have one aspect ratio, as nearly as even sizes allow."""
    sizes = [(entry, sps) for entry, track in stream.video() for sps in track.header.video[:1]]
    for (_, first), (entry, other) in pairwise(sizes):
        small, large = sorted((first, other), key=lambda sps: sps.width)
        scaled = Fraction(large.height * small.width, large.width)
        if abs(scaled - small.height) > 2 and abs(Fraction(large.width * small.height, large.height) - small.width) > 2:
            yield Finding(entry.where, "aspect ratio", f"{other.width}x{other.height}", f"{first.width}:{first.height}")


def codecs(stream: Stream) -> Iterator[Finding]:
    """CODECS names what the headers hold: the variant itself, and every audio rendition of the group."""
    for entry, track in stream.variants():
        declared = entry.attributes.get("CODECS")
        if declared is None:
            continue
        sound = [other.header.codecs for _, other in stream.audio(entry.attributes.get("AUDIO", ""))]
        real = {*(sps.codecs for sps in track.header.video), track.header.codecs, *sound}
        if {one.strip().lower() for one in declared.split(",")} != {one.lower() for one in real}:
            yield Finding(entry.where, "CODECS", declared, ",".join(sorted(real)))
    for entry, _ in stream.trick_play():
        declared = entry.attributes.get("CODECS")
        twin = _twin(stream, entry.uri or "")
        if declared is not None and twin and declared.lower() != twin.header.codecs.lower():
            yield Finding(entry.where, "CODECS of the I-frame variant", declared, twin.header.codecs)


def resolution(stream: Stream) -> Iterator[Finding]:
    """RESOLUTION is the size of the cropped picture."""
    pairs = [*stream.video(), *((entry, _twin(stream, entry.uri or "")) for entry, _ in stream.trick_play())]
    for entry, track in pairs:
        declared = entry.attributes.get("RESOLUTION")
        for sps in track.header.video if track else ():
            if declared is not None and declared != f"{sps.width}x{sps.height}":
                yield Finding(entry.where, "RESOLUTION", declared, f"{sps.width}x{sps.height}")


def frame_rate(stream: Stream) -> Iterator[Finding]:
    """FRAME-RATE is that of the samples, to three decimals, and the parameter sets say the same."""
    for entry, track in stream.video():
        declared = entry.attributes.get("FRAME-RATE")
        if declared is None or not track.frame:
            continue
        if not _DECIMAL.match(declared) or abs(Fraction(declared) - 1 / track.frame) > Fraction(1, 1000):
            yield Finding(entry.where, "FRAME-RATE", declared, told(1 / track.frame))
        for sps in track.header.video:
            if sps.frame_rate and abs(sps.frame_rate * track.frame - 1) > Fraction(1, 1000):
                yield Finding(entry.where, "rate of the samples", told(1 / track.frame), told(sps.frame_rate))


def channels(stream: Stream) -> Iterator[Finding]:
    """CHANNELS is told, and what the header says."""
    for entry, track in stream.audio():
        declared = entry.attributes.get("CHANNELS", "")
        if declared.partition("/")[0] != str(track.header.channels):
            yield Finding(entry.where, "CHANNELS", declared or "missing", str(track.header.channels))


def average_rate(stream: Stream) -> Iterator[Finding]:
    """AVERAGE-BANDWIDTH within 10 % of what is measured."""
    for entry, track in stream.variants():
        sound = [other.average for _, other in stream.audio(entry.attributes.get("AUDIO", ""))]
        yield from _near(entry.where, "AVERAGE-BANDWIDTH", entry.attributes, _with(stream, entry, track.average, sound))


def peak_rate(stream: Stream) -> Iterator[Finding]:
    """BANDWIDTH within 10 % of what is measured."""
    for entry, track in stream.variants():
        sound = [other.peak for _, other in stream.audio(entry.attributes.get("AUDIO", ""))]
        yield from _near(entry.where, "BANDWIDTH", entry.attributes, _with(stream, entry, track.peak, sound))


def peak_to_average(stream: Stream) -> Iterator[Finding]:
    """A peak of at most twice the average."""
    for entry, track in stream.variants():
        if track.peak > 2 * track.average:
            yield Finding(entry.where, "peak bit rate", str(track.peak), f"at most {2 * track.average}")


def _with(stream: Stream, variant: Entry, own: int, sound: list[int]) -> int:
    """Rate of a variant and the sound of its group that needs most; without a picture the variant is one of that group."""
    return own + max(sound, default=0) if stream.has_picture(variant) else max([own, *sound])


def _near(where: str, name: str, attributes: dict[str, str], measured: int) -> Iterator[Finding]:
    declared = attributes.get(name, "")
    if declared.isdecimal() and not 9 * int(declared) <= 10 * measured <= 11 * int(declared):
        yield Finding(where, f"measured against {name}", str(measured), f"{declared} ± 10 %")


def _twin(stream: Stream, iframes: str) -> Track | None:
    """The track out of whose segments an I-frame playlist is made."""
    playlist = stream.playlists[iframes]
    used = {piece.uri for piece in playlist.pieces}
    return next((track for _, track in stream.video() if used <= {p.uri for p in track.playlist.pieces}), None)


RULES = (
    Rule("apple-1.1", "must", "Video is H.264 (the other codecs that Apple plays, Millrace does not make)", h264),
    Rule("apple-1.3", "must", "H.264 is at most High profile, level 5.2", profile_and_level),
    Rule("apple-1.14", "must", "Interlaced material has been made progressive", progressive),
    Rule("apple-1.19", "must", "No more than 60 frames per second", frame_rate_limit),
    Rule("millrace-colour", "must", "The picture is 8-bit 4:2:0 BT.709 in video range, and says so", colour),
    Rule("millrace-square", "must", "Samples of the picture are square, and the stream says so", square_samples),
    Rule("apple-1.33", "should", "All variants have the same aspect ratio", same_aspect),
    Rule("apple-1.26", "must", "The measured average bit rate is within 10 % of AVERAGE-BANDWIDTH", average_rate),
    Rule("apple-1.27", "must", "The measured peak bit rate is within 10 % of BANDWIDTH", peak_rate),
    Rule("apple-1.30", "should", "The peak bit rate is at most 200 % of the average", peak_to_average),
    Rule("millrace-codecs", "must", "CODECS is what the parameter sets and audio headers say", codecs),
    Rule("millrace-resolution", "must", "RESOLUTION is the cropped size in the parameter sets", resolution),
    Rule("millrace-frame-rate", "must", "FRAME-RATE is the rate of the samples", frame_rate),
    Rule("millrace-channels", "should", "CHANNELS of an audio rendition is what its header says", channels),
)
