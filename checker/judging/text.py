"""Rules about what can be read: subtitles, and closed captions inside the pictures."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from fractions import Fraction

from checker.cues import Cue, WebVtt
from checker.finding import Finding, Rule, told
from checker.playlist import MediaPlaylist
from checker.presentation import Presentation, Track

_MILLISECOND = Fraction(1, 1000)
# Half a tick of the clock that X-TIMESTAMP-MAP tells.
_HALF_A_TICK = Fraction(1, 180_000)


def attributes_told(presentation: Presentation) -> Iterator[Finding]:
    """A URI on subtitles, a channel and no URI on closed captions."""
    needed = {"SUBTITLES": ("URI",), "CLOSED-CAPTIONS": ("INSTREAM-ID",)}
    for entry in presentation.multivariant.renditions:
        kind = entry.attributes.get("TYPE", "")
        for name in needed.get(kind, ()):
            if not entry.attributes.get(name):
                yield Finding(entry.where, name, "missing", f"an attribute of {kind}")
        if kind == "CLOSED-CAPTIONS" and entry.uri:
            yield Finding(entry.where, "URI", entry.uri, "none: they lie in the pictures")


def boundaries(presentation: Presentation) -> Iterator[Finding]:
    """Text has a segment for each of the video's, of the same length, and the same target."""
    first = next((track.playlist for _, track in presentation.video()), None)
    for entry, playlist in presentation.subtitles():
        if first is None:
            return
        if playlist.target != first.target:
            yield Finding(entry.where, "EXT-X-TARGETDURATION", str(playlist.target), str(first.target))
        if len(playlist.uris) != len(first.uris):
            yield Finding(entry.where, "number of segments", str(len(playlist.uris)), str(len(first.uris)))
            continue
        most = int(_MILLISECOND * playlist.timescale * first.timescale)
        for uri, mine, other in zip(playlist.uris, playlist.durations, first.durations, strict=True):
            if abs(mine * first.timescale - other * playlist.timescale) > most:
                measured, expected = Fraction(mine, playlist.timescale), Fraction(other, first.timescale)
                yield Finding(presentation.name(uri), "EXTINF", f"{told(measured)} s", f"{told(expected)} s")


def signed(presentation: Presentation) -> Iterator[Finding]:
    """Segments say that they are WebVTT, and how their clock goes with the media's."""
    for _, playlist in presentation.subtitles():
        for uri, segment in zip(playlist.uris, presentation.texts.get(playlist.url, ()), strict=False):
            if not segment.signed:
                yield Finding(presentation.name(uri), "first line", "something else", "WEBVTT")
            elif segment.shift is None:
                yield Finding(presentation.name(uri), "X-TIMESTAMP-MAP", "missing", "behind WEBVTT")


def cues_in_place(presentation: Presentation) -> Iterator[Finding]:
    """A segment has the cues that can be seen during it, each of some length."""
    start_of_media = _start(presentation)
    for _, playlist in presentation.subtitles():
        begin = start_of_media
        for uri, ticks, segment in zip(
            playlist.uris, playlist.durations, presentation.texts.get(playlist.url, ()), strict=False
        ):
            end, shift = begin + Fraction(ticks, playlist.timescale), segment.shift or 0
            for cue in segment.cues:
                start, stop = Fraction(cue.start, 1000) + shift, Fraction(cue.end, 1000) + shift
                # Cues are told in milliseconds, boundaries exactly.
                if not start < stop or start > end + _MILLISECOND or stop < begin - _MILLISECOND:
                    measured, expected = f"{told(start)} to {told(stop)} s", f"within {told(begin)} to {told(end)} s"
                    yield Finding(presentation.name(uri), "cue", measured, expected)
            begin = end


def same_as_whole(presentation: Presentation) -> Iterator[Finding]:
    """A text's one file, for players of DASH, has the cues of its segments, whose clock begins with the media."""
    first = next((track for _, track in presentation.video()), None)
    folders = {url.rpartition("/")[0]: url for url in presentation.whole_texts}
    for _, playlist in presentation.subtitles():
        url, segments = folders.get(playlist.url.rpartition("/")[0]), presentation.texts.get(playlist.url, ())
        if url is None or first is None or len(segments) != len(first.segments):
            continue
        whole = presentation.whole_texts[url]
        if not whole.signed:
            yield Finding(presentation.name(url), "first line", "something else", "WEBVTT")
        yield from _differences(presentation, playlist, segments, whole, first)


def _differences(
    presentation: Presentation, playlist: MediaPlaylist, segments: tuple[WebVtt, ...], whole: WebVtt, first: Track
) -> Iterator[Finding]:
    start = _start(presentation)
    for uri, segment, seen in zip(playlist.uris, segments, _seen(whole, first), strict=True):
        if list(segment.cues) != seen:
            yield Finding(presentation.name(uri), "cues", _brief(segment.cues), _brief(seen))
        if segment.shift is not None and abs(segment.shift - start) > _HALF_A_TICK:
            yield Finding(presentation.name(uri), "X-TIMESTAMP-MAP", f"{told(segment.shift)} s", f"{told(start)} s")


def _seen(whole: WebVtt, video: Track) -> list[list[Cue]]:
    """For each segment of the video the cues that can be seen during it."""
    ends = [end * 1000 for end in video.ends]
    found: list[list[Cue]] = [[] for _ in ends]
    for cue in whole.cues:
        number = bisect_right(ends, cue.start * video.timescale)
        while number < len(ends) and (number == 0 or ends[number - 1] < cue.end * video.timescale):
            found[number].append(cue)
            number += 1
    return found


def _brief(cues: Sequence[Cue]) -> str:
    return ", ".join(f"{cue.start}-{cue.end} ms" for cue in cues[:3]) + (
        f" … {len(cues)} in all" if len(cues) > 3 else ""
    )


def _start(presentation: Presentation) -> Fraction:
    return next((track.start for _, track in presentation.video()), Fraction(0))


def captions_declared(presentation: Presentation) -> Iterator[Finding]:
    """The channels that the SEI of a variant holds are those of the group that it names."""
    for entry, track in presentation.video():
        named = entry.attributes.get("CLOSED-CAPTIONS")
        declared = {
            one.attributes.get("INSTREAM-ID", "")
            for one in presentation.multivariant.renditions
            if one.attributes.get("TYPE") == "CLOSED-CAPTIONS" and one.attributes.get("GROUP-ID") == named
        }
        held = set(track.captions)
        # In other codecs nobody has looked.
        if track.initialization.parameter_sets and declared != held:
            yield Finding(entry.where, "CLOSED-CAPTIONS", _listed(declared), _listed(held))


def _listed(channels: set[str]) -> str:
    return ", ".join(sorted(channels)) or "none"


RULES = (
    Rule("rfc8216bis-4.4.6.1", "must", "Subtitles have a URI, and closed captions a channel", attributes_told),
    Rule("millrace-text-boundaries", "must", "Text is cut where the video is", boundaries),
    Rule("rfc8216bis-3.1.4", "must", "Segments of text are WebVTT with X-TIMESTAMP-MAP", signed, needs_media=True),
    Rule("millrace-text-cues", "must", "Every cue is shown during its segment", cues_in_place, needs_media=True),
    Rule(
        "millrace-text-whole", "must", "A text's one file has the cues of its segments", same_as_whole, needs_media=True
    ),
    Rule(
        "millrace-captions",
        "must",
        "The closed captions in the pictures are declared",
        captions_declared,
        needs_media=True,
    ),
)
