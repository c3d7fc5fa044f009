"""Rules about time: key frames, segments, and what the playlists say of their length."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import accumulate, pairwise

from checker.finding import Finding, Rule, told
from checker.playlist import MediaPlaylist
from checker.presentation import AAC_FRAME, USUAL_TARGET, Presentation, Track

MILLISECOND, MICROSECOND = Fraction(1, 1000), Fraction(1, 1_000_000)


def key_frame_distance(presentation: Presentation) -> Iterator[Finding]:
    """An IDR every two seconds."""
    for entry, track in presentation.video():
        longest = Fraction(max(track.key_spans, default=track.ends[-1]), track.timescale)
        # A frame that lasts longer than two seconds is a key frame by itself.
        if longest > max(Fraction(2), track.frame or 0):
            yield Finding(entry.where, "longest distance of IDR frames", f"{told(longest)} s", "at most 2 s")


def starts_with_idr(presentation: Presentation) -> Iterator[Finding]:
    """Every segment begins with an IDR."""
    for entry, track in presentation.video():
        for uri, segment in zip(track.playlist.uris, track.segments, strict=True):
            if not segment.keys or segment.keys[0].time != segment.start:
                yield Finding(presentation.name(uri), f"first frame ({entry.where})", "no IDR", "IDR")


def continuous(presentation: Presentation) -> Iterator[Finding]:
    """Each fragment and segment begins where the one before it ends."""
    for track in presentation.all_tracks():
        expected = None
        for uri, segment in zip(track.playlist.uris, track.segments, strict=True):
            for fragment in segment.fragments:
                if expected is not None and fragment.decode_time != expected:
                    yield Finding(presentation.name(uri), "decode time", str(fragment.decode_time), str(expected))
                expected = fragment.decode_time + fragment.duration


def target_is_six(presentation: Presentation) -> Iterator[Finding]:
    """A target of six seconds, where there is more than one segment."""
    for track in presentation.all_tracks():
        if len(track.segments) > 1 and track.playlist.target not in (None, USUAL_TARGET):
            where = presentation.name(track.playlist.url)
            yield Finding(where, "target duration", f"{track.playlist.target} s", f"{USUAL_TARGET} s")


def within_target(presentation: Presentation) -> Iterator[Finding]:
    """No segment is longer than the target by more than half a second."""
    for track in presentation.all_tracks():
        limit = Fraction(track.playlist.target or USUAL_TARGET) + Fraction(1, 2)
        if max(track.durations) <= limit * track.timescale:
            continue
        for uri, duration in zip(track.playlist.uris, track.durations, strict=True):
            if duration > limit * track.timescale:
                long = told(Fraction(duration, track.timescale))
                yield Finding(presentation.name(uri), "length", f"{long} s", f"at most {told(limit)} s")


def extinf(presentation: Presentation) -> Iterator[Finding]:
    """EXTINF is the length of the media to the millisecond, and sums stay within a frame."""
    for track in presentation.all_tracks():
        playlist, unit = track.playlist, track.timescale * track.playlist.timescale
        # As whole numbers, which many are compared with.
        most, frame = int(MILLISECOND * unit), int((track.frame or Fraction(1, 60)) * unit)
        sums = accumulate(playlist.durations)
        for number, (listed, real, listed_end, end) in enumerate(
            zip(playlist.durations, track.durations, sums, track.ends, strict=True)
        ):
            if abs(listed * track.timescale - real * playlist.timescale) > most:
                what, pair = "EXTINF", (listed, real)
            elif abs(listed_end * track.timescale - end * playlist.timescale) > frame:
                what, pair = "sum of EXTINF", (listed_end, end)
            else:
                continue
            told_of, measured = Fraction(pair[0], playlist.timescale), Fraction(pair[1], track.timescale)
            yield Finding(presentation.name(playlist.uris[number]), what, f"{told(told_of)} s", f"{told(measured)} s")


def extinf_exact(presentation: Presentation) -> Iterator[Finding]:
    """By EXTINF each segment ends where it does, rounded to the microsecond; so does one of text, where one of video does."""
    for track in presentation.all_tracks():
        yield from ends_differ(presentation, track.playlist, track.ends, track.timescale)
    first = next((track for _, track in presentation.video()), None)
    for _, playlist in presentation.subtitles():
        if first and len(playlist.uris) == len(first.segments):
            yield from ends_differ(presentation, playlist, first.ends, first.timescale)


def ends_differ(
    presentation: Presentation, playlist: MediaPlaylist, ends: Sequence[int], timescale: int
) -> Iterator[Finding]:
    """The first segment that by its EXTINF ends elsewhere than at ``ends`` (ticks), which are as many."""
    most = int(MICROSECOND * timescale * playlist.timescale / 2)
    for number, (listed, end) in enumerate(zip(accumulate(playlist.durations), ends, strict=True)):
        if abs(listed * timescale - end * playlist.timescale) > most:
            where = f"{presentation.name(playlist.url)}, segment {number}"
            measured, expected = Fraction(listed, playlist.timescale), Fraction(end, timescale)
            # All that follow are as much too early or late.
            yield Finding(where, "end by EXTINF", f"{told(measured)} s", f"{told(expected)} s")
            return


def target_covers(presentation: Presentation) -> Iterator[Finding]:
    """EXT-X-TARGETDURATION is there, and not less than any EXTINF, rounded."""
    for playlist in presentation.playlists.values():
        longest = _rounded_longest(playlist)
        if playlist.target is None or playlist.target < longest:
            where = presentation.name(playlist.url)
            yield Finding(where, "EXT-X-TARGETDURATION", str(playlist.target or "missing"), f"at least {longest}")


def target_exact(presentation: Presentation) -> Iterator[Finding]:
    """It is the longest EXTINF, rounded: of all that are played together, or of the I-frame playlist."""
    iframes = {playlist.url for _, playlist in presentation.trick_play()}
    together = [playlist for playlist in presentation.playlists.values() if playlist.url not in iframes]
    expected = dict.fromkeys((one.url for one in together), max(map(_rounded_longest, together), default=1))
    for playlist in presentation.playlists.values():
        longest = expected.get(playlist.url) or _rounded_longest(playlist)
        if playlist.target is not None and playlist.target > longest:
            where = presentation.name(playlist.url)
            yield Finding(where, "EXT-X-TARGETDURATION", str(playlist.target), str(longest))


def _rounded_longest(playlist: MediaPlaylist) -> int:
    """The longest EXTINF, rounded to whole seconds, of which a target has at least one."""
    longest = Fraction(max(playlist.durations, default=0), playlist.timescale)
    return max(1, int(longest + Fraction(1, 2)))


def same_target(presentation: Presentation) -> Iterator[Finding]:
    """One target for all audio and video playlists."""
    tracks = presentation.all_tracks()
    for track in tracks[1:]:
        if track.playlist.target != tracks[0].playlist.target:
            measured, expected = str(track.playlist.target), str(tracks[0].playlist.target)
            yield Finding(presentation.name(track.playlist.url), "EXT-X-TARGETDURATION", measured, expected)


def same_range(presentation: Presentation) -> Iterator[Finding]:
    """All playlists begin and end together, within a video frame or an AAC frame, whichever is longer."""
    first = presentation.lead
    if first is None:
        return
    for track in presentation.all_tracks():
        # A track that is cut into frames of its own can miss an instant by one of them.
        slack = max(track.frame or 0, first.frame or 0)
        measured = f"{told(track.start)} to {told(track.start + track.seconds)} s"
        expected = f"{told(first.start)} to {told(first.start + first.seconds)} s"
        apart = max(abs(track.start - first.start), abs(track.start + track.seconds - first.start - first.seconds))
        if apart > slack:
            yield Finding(presentation.name(track.playlist.url), "time range", measured, expected)
    for entry, playlist in (*presentation.trick_play(), *presentation.subtitles()):
        if abs(playlist.seconds - first.seconds) > (first.frame or Fraction(1, 60)):
            yield Finding(entry.where, "length", f"{told(playlist.seconds)} s", f"{told(first.seconds)} s")


def video_boundaries(presentation: Presentation) -> Iterator[Finding]:
    """All video is cut at the same instants."""
    pairs = list(presentation.video())
    for (_, first), (entry, track) in pairwise(pairs):
        yield from _cut_elsewhere(entry.where, track, first, Fraction(0))


def audio_boundaries(presentation: Presentation) -> Iterator[Finding]:
    """Audio is cut where the video is, without one where the audio of the first variant is, within an AAC frame."""
    first = presentation.lead
    for entry, track in presentation.audio():
        if first:
            yield from _cut_elsewhere(entry.where, track, first, track.frame or Fraction(AAC_FRAME, 48_000))


def _cut_elsewhere(where: str, track: Track, first: Track, slack: Fraction) -> Iterator[Finding]:
    """The boundary between segments that is farthest from that of the first track, where it is too far."""
    ends, expected = track.presented_ends[:-1], first.presented_ends[:-1]
    if len(ends) != len(expected):
        yield Finding(where, "number of boundaries", str(len(ends)), str(len(expected)))
        return
    apart = [abs(end * first.timescale - other * track.timescale) for end, other in zip(ends, expected, strict=True)]
    if max(apart, default=0) > slack * first.timescale * track.timescale:
        at = apart.index(max(apart))
        measured, wanted = Fraction(ends[at], track.timescale), Fraction(expected[at], first.timescale)
        yield Finding(where, f"end of segment {at}", f"{told(measured)} s", f"{told(wanted)} s")


RULES = (
    Rule("apple-1.13", "should", "IDR frames are at most two seconds apart", key_frame_distance),
    Rule("apple-7.3", "must", "Decode times go on without gap or overlap", continuous, needs_media=True),
    Rule("apple-7.4", "must", "Every video segment starts with an IDR frame", starts_with_idr),
    Rule("apple-7.5", "should", "The target duration is six seconds", target_is_six),
    Rule("apple-7.7", "must", "No segment exceeds the target duration by more than half a second", within_target),
    Rule("apple-8.1", "must", "EXTINF is the length of the media, to a millisecond, and adds up", extinf),
    Rule("millrace-extinf", "must", "By EXTINF segments end where they do, to the microsecond", extinf_exact),
    Rule("rfc8216bis-4.4.3.1", "must", "The target duration is not less than any rounded EXTINF", target_covers),
    Rule("millrace-target", "must", "The target duration is not more than the longest rounded EXTINF", target_exact),
    Rule("apple-8.2", "must", "Audio and video playlists have the same target duration", same_target),
    Rule("apple-8.7", "must", "All playlists cover the same time range", same_range),
    Rule("apple-8.22", "must", "All video variants have the same segment boundaries", video_boundaries),
    Rule(
        "millrace-audio-boundaries", "must", "Audio is cut within a frame of the video's boundaries", audio_boundaries
    ),
)
