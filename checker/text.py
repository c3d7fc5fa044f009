"""Rules about what can be read: subtitles, and closed captions inside the pictures."""

from collections.abc import Iterator
from fractions import Fraction

from checker.finding import Finding, Rule, told
from checker.stream import Stream

_MILLISECOND = Fraction(1, 1000)


def attributes_told(stream: Stream) -> Iterator[Finding]:
    """A URI on subtitles, a channel and no URI on closed captions."""
    needed = {"SUBTITLES": ("URI",), "CLOSED-CAPTIONS": ("INSTREAM-ID",)}
    for entry in stream.master.renditions:
        kind = entry.attributes.get("TYPE", "")
        for name in needed.get(kind, ()):
            if not entry.attributes.get(name):
                yield Finding(entry.where, name, "missing", f"an attribute of {kind}")
        if kind == "CLOSED-CAPTIONS" and entry.uri:
            yield Finding(entry.where, "URI", entry.uri, "none: they lie in the pictures")


def boundaries(stream: Stream) -> Iterator[Finding]:
    """Text has a segment for each of the video's, of the same length, and the same target."""
    first = next((track.playlist for _, track in stream.video()), None)
    for entry, playlist in stream.subtitles():
        if first is None:
            return
        if playlist.target != first.target:
            yield Finding(entry.where, "EXT-X-TARGETDURATION", str(playlist.target), str(first.target))
        if len(playlist.pieces) != len(first.pieces):
            yield Finding(entry.where, "number of segments", str(len(playlist.pieces)), str(len(first.pieces)))
            continue
        for piece, other in zip(playlist.pieces, first.pieces, strict=True):
            if abs(piece.seconds - other.seconds) > _MILLISECOND:
                yield Finding(stream.name(piece.uri), "EXTINF", f"{told(piece.seconds)} s", f"{told(other.seconds)} s")


def signed(stream: Stream) -> Iterator[Finding]:
    """Segments say that they are WebVTT, and how their clock goes with the media's."""
    for _, playlist in stream.subtitles():
        for piece, segment in zip(playlist.pieces, stream.texts.get(playlist.url, ()), strict=False):
            if not segment.signed:
                yield Finding(stream.name(piece.uri), "first line", "something else", "WEBVTT")
            elif segment.shift is None:
                yield Finding(stream.name(piece.uri), "X-TIMESTAMP-MAP", "missing", "behind WEBVTT")


def cues_in_place(stream: Stream) -> Iterator[Finding]:
    """A segment has the cues that can be seen during it, in order, each of some length."""
    start_of_media = next((track.start for _, track in stream.video()), Fraction(0))
    for _, playlist in stream.subtitles():
        begin = start_of_media
        for piece, segment in zip(playlist.pieces, stream.texts.get(playlist.url, ()), strict=False):
            end = begin + piece.seconds
            for start, stop in ((a + (segment.shift or 0), b + (segment.shift or 0)) for a, b in segment.cues):
                # Cues are told in milliseconds, boundaries exactly.
                if not start < stop or start > end + _MILLISECOND or stop < begin - _MILLISECOND:
                    measured, expected = f"{told(start)} to {told(stop)} s", f"within {told(begin)} to {told(end)} s"
                    yield Finding(stream.name(piece.uri), "cue", measured, expected)
            begin = end


def captions_declared(stream: Stream) -> Iterator[Finding]:
    """The channels that the SEI of a variant holds are those of the group that it names."""
    for entry, track in stream.video():
        named = entry.attributes.get("CLOSED-CAPTIONS")
        declared = {
            one.attributes.get("INSTREAM-ID", "")
            for one in stream.master.renditions
            if one.attributes.get("TYPE") == "CLOSED-CAPTIONS" and one.attributes.get("GROUP-ID") == named
        }
        held = set(track.captions)
        # In other codecs nobody has looked.
        if track.header.video and declared != held:
            yield Finding(entry.where, "CLOSED-CAPTIONS", _listed(declared), _listed(held))


def _listed(channels: set[str]) -> str:
    return ", ".join(sorted(channels)) or "none"


RULES = (
    Rule("rfc8216bis-4.4.6.1", "must", "Subtitles have a URI, and closed captions a channel", attributes_told),
    Rule("millrace-text-boundaries", "must", "Text is cut where the video is", boundaries),
    Rule("rfc8216bis-3.1.4", "must", "Segments of text are WebVTT with X-TIMESTAMP-MAP", signed, needs_media=True),
    Rule("millrace-text-cues", "must", "Every cue is shown during its segment", cues_in_place, needs_media=True),
    Rule(
        "millrace-captions", "must", "The closed captions in the pictures are declared", captions_declared, needs_media=True
    ),
)  # fmt: skip
