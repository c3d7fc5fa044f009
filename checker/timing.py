"""Rules about time: key frames, segments, and what the playlists say of their length."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

from checker.finding import Finding, Rule, told
from checker.stream import Stream, Track

_MILLISECOND = Fraction(1, 1000)


def key_frame_distance(stream: Stream) -> Iterator[Finding]:
    """An IDR every two seconds."""
    for entry, track in stream.video():
        keys = [key for segment in track.segments for key in segment.keys]
        end = track.segments[0].start + sum(track.durations)
        gaps = [late - early for early, late in pairwise([*keys, end])]
        longest = Fraction(max(gaps, default=end), track.header.timescale)
        # A frame that lasts longer than two seconds is a key frame by itself.
        if longest > max(Fraction(2), track.frame or 0):
            yield Finding(entry.where, "longest distance of IDR frames", f"{told(longest)} s", "at most 2 s")


def starts_with_idr(stream: Stream) -> Iterator[Finding]:
    """Every segment begins with an IDR."""
    for entry, track in stream.video():
        for piece, segment in zip(track.playlist.pieces, track.segments, strict=True):
            if segment.start not in segment.keys:
                yield Finding(stream.name(piece.uri), f"first frame ({entry.where})", "no IDR", "IDR")


def continuous(stream: Stream) -> Iterator[Finding]:
    """Each fragment and segment begins where the one before it ends."""
    for track in _all(stream):
        expected = None
        for piece, segment in zip(track.playlist.pieces, track.segments, strict=True):
            for fragment in segment.fragments:
                if expected is not None and fragment.decode_time != expected:
                    yield Finding(stream.name(piece.uri), "decode time", str(fragment.decode_time), str(expected))
                expected = fragment.decode_time + fragment.duration


def target_is_six(stream: Stream) -> Iterator[Finding]:
    """A target of six seconds, where there is more than one segment."""
    for track in _all(stream):
        if len(track.segments) > 1 and track.playlist.target not in (None, 6):
            yield Finding(stream.name(track.playlist.url), "target duration", f"{track.playlist.target} s", "6 s")


def within_target(stream: Stream) -> Iterator[Finding]:
    """No segment is longer than the target by more than half a second."""
    for track in _all(stream):
        limit = Fraction(track.playlist.target or 6) + Fraction(1, 2)
        for piece, duration in zip(track.playlist.pieces, track.durations, strict=True):
            if Fraction(duration, track.header.timescale) > limit:
                long = told(Fraction(duration, track.header.timescale))
                yield Finding(stream.name(piece.uri), "length", f"{long} s", f"at most {told(limit)} s")


def extinf(stream: Stream) -> Iterator[Finding]:
    """EXTINF is the length of the media to the millisecond, and sums stay within a frame."""
    for track in _all(stream):
        sum_told = Fraction(0)
        for piece, duration, end in zip(track.playlist.pieces, track.durations, track.boundaries, strict=True):
            sum_told += piece.seconds
            real = Fraction(duration, track.header.timescale)
            if abs(piece.seconds - real) > _MILLISECOND:
                yield Finding(stream.name(piece.uri), "EXTINF", f"{told(piece.seconds)} s", f"{told(real)} s")
            elif abs(sum_told - end) > (track.frame or Fraction(1, 60)):
                yield Finding(stream.name(piece.uri), "sum of EXTINF", f"{told(sum_told)} s", f"{told(end)} s")


def target_covers(stream: Stream) -> Iterator[Finding]:
    """EXT-X-TARGETDURATION is there, and not less than any EXTINF, rounded."""
    for playlist in stream.playlists.values():
        longest = max((int(piece.seconds + Fraction(1, 2)) for piece in playlist.pieces), default=0)
        if playlist.target is None or playlist.target < longest:
            where = stream.name(playlist.url)
            yield Finding(where, "EXT-X-TARGETDURATION", str(playlist.target or "missing"), f"at least {longest}")


def same_target(stream: Stream) -> Iterator[Finding]:
    """One target for all audio and video playlists."""
    tracks = list(_all(stream))
    for track in tracks[1:]:
        if track.playlist.target != tracks[0].playlist.target:
            measured, expected = str(track.playlist.target), str(tracks[0].playlist.target)
            yield Finding(stream.name(track.playlist.url), "EXT-X-TARGETDURATION", measured, expected)


def same_range(stream: Stream) -> Iterator[Finding]:
    """All playlists begin and end together, within a video frame or an AAC frame, whichever is longer."""
    first = stream.lead
    if first is None:
        return
    for track in _all(stream):
        # A track that is cut into frames of its own can miss an instant by one of them.
        slack = max(track.frame or 0, first.frame or 0)
        measured = f"{told(track.start)} to {told(track.start + track.seconds)} s"
        expected = f"{told(first.start)} to {told(first.start + first.seconds)} s"
        apart = max(abs(track.start - first.start), abs(track.start + track.seconds - first.start - first.seconds))
        if apart > slack:
            yield Finding(stream.name(track.playlist.url), "time range", measured, expected)
    for entry, playlist in (*stream.trick_play(), *stream.subtitles()):
        if abs(playlist.seconds - first.seconds) > (first.frame or Fraction(1, 60)):
            yield Finding(entry.where, "length", f"{told(playlist.seconds)} s", f"{told(first.seconds)} s")


def video_boundaries(stream: Stream) -> Iterator[Finding]:
    """All video is cut at the same instants."""
    tracks = list(stream.video())
    for entry, track in tracks[1:]:
        ends, expected = track.boundaries[:-1], tracks[0][1].boundaries[:-1]
        if ends != expected:
            yield _difference(entry.where, ends, expected)


def audio_boundaries(stream: Stream) -> Iterator[Finding]:
    """Sound is cut where the video is, without one where the sound of the first variant is, within an AAC frame."""
    first = stream.lead
    for entry, track in stream.audio():
        ends, expected = track.boundaries[:-1], first.boundaries[:-1] if first else []
        near = track.frame or Fraction(1024, 48_000)
        if len(ends) != len(expected) or any(abs(a - b) > near for a, b in zip(ends, expected, strict=False)):
            yield _difference(entry.where, ends, expected)


def key_frame_ranges(stream: Stream) -> Iterator[Finding]:
    """Every byte range of an I-frame playlist begins at a moof and holds its first sample, an IDR."""
    known: dict[str, dict[int, int]] = {}
    for _, track in stream.video():
        for piece, segment in zip(track.playlist.pieces, track.segments, strict=True):
            heads = [(one.offset, one.samples[0]) for one in segment.fragments]
            known[piece.uri] = {offset: first.offset + first.size for offset, first in heads if first.idr}
    for _, playlist in stream.trick_play():
        for piece in playlist.pieces:
            if piece.uri not in known:
                continue
            offset, length = piece.byte_range or (0, 0)
            end = known[piece.uri].get(offset)
            if end is None or offset + length < end:
                expected = "a moof with its IDR frame" if end is None else f"at least {end - offset}@{offset}"
                yield Finding(stream.name(piece.uri), "byte range of an I-frame", f"{length}@{offset}", expected)


def _difference(where: str, ends: list[Fraction], expected: list[Fraction]) -> Finding:
    pairs = zip(ends, expected, strict=False)
    at = max(range(len(ends)), key=lambda i: abs(ends[i] - expected[i])) if len(ends) == len(expected) else None
    if at is None:
        return Finding(where, "number of boundaries", str(len(ends)), str(len(expected)))
    measured, wanted = list(pairs)[at]
    return Finding(where, f"end of segment {at}", f"{told(measured)} s", f"{told(wanted)} s")


def _all(stream: Stream) -> list[Track]:
    # Without a picture a rendition of sound is the variant as well.
    return list({track.playlist.url: track for _, track in (*stream.variants(), *stream.audio())}.values())


RULES = (
    Rule("apple-1.13", "should", "IDR frames are at most two seconds apart", key_frame_distance),
    Rule("apple-7.3", "must", "Decode times go on without gap or overlap", continuous, needs_media=True),
    Rule("apple-7.4", "must", "Every video segment starts with an IDR frame", starts_with_idr),
    Rule("apple-7.5", "should", "The target duration is six seconds", target_is_six),
    Rule("apple-7.7", "must", "No segment exceeds the target duration by more than half a second", within_target),
    Rule("apple-8.1", "must", "EXTINF is the length of the media, to a millisecond, and adds up", extinf),
    Rule("rfc8216bis-4.4.3.1", "must", "The target duration is not less than any rounded EXTINF", target_covers),
    Rule("apple-8.2", "must", "Audio and video playlists have the same target duration", same_target),
    Rule("apple-8.7", "must", "All playlists cover the same time range", same_range),
    Rule("apple-8.22", "must", "All video variants have the same segment boundaries", video_boundaries),
    Rule(
        "millrace-audio-boundaries", "must", "Sound is cut within a frame of the video's boundaries", audio_boundaries
    ),
    Rule("apple-6.10", "must", "I-frame byte ranges hold a moof and its IDR frame", key_frame_ranges, needs_media=True),
)
