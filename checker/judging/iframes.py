"""Rules about I-frame playlists: that they list the key frames of their rendition, each where and when it is."""

from collections.abc import Iterator
from itertools import accumulate

from checker.finding import Finding, Rule
from checker.judging.timing import ends_differ
from checker.presentation import Presentation


def key_frame_ranges(presentation: Presentation) -> Iterator[Finding]:
    """Every byte range of an I-frame playlist begins at a moof and holds its IDR frame."""
    for _, playlist in presentation.trick_play():
        track = presentation.source_of(playlist)
        listed = list(zip(playlist.uris, playlist.byte_ranges, strict=True))
        if track is None or listed == track.key_places:
            continue
        known = set(track.playlist.uris)
        needed = {(uri, offset): length for uri, (offset, length) in track.key_places}
        for uri, part in listed:
            offset, length = part or (0, 0)
            least = needed.get((uri, offset))
            if uri in known and (least is None or length < least):
                expected = "a moof with its IDR frame" if least is None else f"at least {least}@{offset}"
                yield Finding(presentation.name(uri), "byte range of an I-frame", f"{length}@{offset}", expected)


def key_frames_listed(presentation: Presentation) -> Iterator[Finding]:
    """All key frames are listed in order, by ranges that hold nothing else, and each for as long as it stands."""
    for entry, playlist in presentation.trick_play():
        track = presentation.source_of(playlist)
        if track is None:
            continue
        listed, expected = list(zip(playlist.uris, playlist.byte_ranges, strict=True)), track.key_places
        if len(listed) != len(expected):
            yield Finding(entry.where, "number of I-frames", str(len(listed)), str(len(expected)))
        elif listed != expected:
            at = next(number for number, one in enumerate(listed) if one != expected[number])
            (uri, part), (real_uri, (offset, length)) = listed[at], expected[at]
            measured = f"{part[1]}@{part[0]} of {presentation.name(uri)}" if part else presentation.name(uri)
            wanted = f"{length}@{offset} of {presentation.name(real_uri)}"
            yield Finding(entry.where, f"I-frame {at}", measured, wanted)
        else:
            yield from ends_differ(presentation, playlist, list(accumulate(track.key_spans)), track.timescale)


RULES = (
    Rule("apple-6.10", "must", "I-frame byte ranges hold a moof and its IDR frame", key_frame_ranges),
    Rule(
        "millrace-iframes", "must", "I-frame playlists list every IDR frame: its bytes, and its time", key_frames_listed
    ),
)
