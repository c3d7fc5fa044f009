"""Rules about the boxes of initialization segments and segments: what they claim to be."""

from collections.abc import Iterator

from checker.finding import Finding, Rule
from checker.presentation import Presentation

_STRUCTURAL_BRANDS = frozenset({"cmfc", "cmf2"})
_SEGMENT_BRANDS = frozenset({"msdh", "cmfs"})
_LAST_SEGMENT = "lmsg"


def header_brand(presentation: Presentation) -> Iterator[Finding]:
    """A structural brand of CMAF in every initialization segment, and what that brand asks of fragments."""
    for track in presentation.all_tracks():
        where, brands = presentation.name(track.playlist.initialization or ""), track.initialization.brands
        if not _STRUCTURAL_BRANDS & set(brands):
            yield Finding(where, "brands", " ".join(brands), "cmfc or cmf2")
        if "cmf2" in brands:
            for uri, segment in zip(track.playlist.uris, track.segments, strict=True):
                if not segment.described:
                    yield Finding(presentation.name(uri), "sample_description_index", "missing", "in every tfhd")


def segment_brands(presentation: Presentation) -> Iterator[Finding]:
    """Every segment is a media segment and one of CMAF, and the last one alone says that it is."""
    for track in presentation.all_tracks():
        last = len(track.segments) - 1
        for number, (uri, segment) in enumerate(zip(track.playlist.uris, track.segments, strict=True)):
            expected = _SEGMENT_BRANDS | ({_LAST_SEGMENT} if number == last else set())
            if expected - set(segment.brands) or (_LAST_SEGMENT in segment.brands) != (number == last):
                brands = " ".join(segment.brands) or "none"
                yield Finding(presentation.name(uri), "brands", brands, " ".join(sorted(expected)))


def no_alternates(presentation: Presentation) -> Iterator[Finding]:
    """No track is in a group of alternatives: each is alone in its file."""
    for track in presentation.all_tracks():
        if track.initialization.alternate_group:
            where = presentation.name(track.playlist.initialization or "")
            yield Finding(where, "alternate_group", str(track.initialization.alternate_group), "0")


def stream_id(presentation: Presentation) -> Iterator[Finding]:
    """ES_ID is 0 in files."""
    for track in presentation.all_tracks():
        audio = track.initialization.audio
        if audio and audio.stream_id:
            yield Finding(presentation.name(track.playlist.initialization or ""), "ES_ID", str(audio.stream_id), "0")


def preroll(presentation: Presentation) -> Iterator[Finding]:
    """AAC whose priming an edit list hides says so: every packet is in a group that needs the packet before it."""
    for track in presentation.all_tracks():
        if not track.initialization.audio or not track.hidden:
            continue
        if track.initialization.preroll != 1:
            where, found = presentation.name(track.playlist.initialization or ""), track.initialization.preroll
            yield Finding(where, "roll group", "missing" if found is None else f"{found} packets", "1 packet")
        for uri, segment in zip(track.playlist.uris, track.segments, strict=True):
            if not segment.rolling:
                yield Finding(presentation.name(uri), "packets in the roll group", "not all", "all")


RULES = (
    Rule("cmaf-header", "must", "Initialization segments are CMAF headers, by their brand", header_brand, True),
    Rule("cmaf-segments", "must", "Segments are CMAF segments, and the last one says so", segment_brands, True),
    Rule("cmaf-alternate-group", "must", "No track is in a group of alternatives", no_alternates, True),
    Rule("mp4-es-id", "must", "The ES_ID of MPEG-4 audio in a file is 0", stream_id, True),
    Rule("mp4-audio-preroll", "must", "AAC with hidden priming says that a packet needs the one before", preroll, True),
)
