"""Rules about how playlists are written: which tags stand where, and what values their attributes may have."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from checker.finding import Finding, Rule
from checker.playlist import Entry, Tag
from checker.presentation import Presentation

# RFC 8216bis, 4.4: tags of both kinds of playlist; of multivariant playlists; of media playlists and their segments.
_BOTH = {"EXTM3U", "EXT-X-VERSION", "EXT-X-INDEPENDENT-SEGMENTS", "EXT-X-START", "EXT-X-DEFINE"}
_MULTIVARIANT = {
    "EXT-X-MEDIA",
    "EXT-X-STREAM-INF",
    "EXT-X-I-FRAME-STREAM-INF",
    "EXT-X-SESSION-DATA",
    "EXT-X-SESSION-KEY",
    "EXT-X-CONTENT-STEERING",
}
_PLAYLIST = {
    "EXT-X-TARGETDURATION",
    "EXT-X-MEDIA-SEQUENCE",
    "EXT-X-DISCONTINUITY-SEQUENCE",
    "EXT-X-ENDLIST",
    "EXT-X-PLAYLIST-TYPE",
    "EXT-X-I-FRAMES-ONLY",
    "EXT-X-PART-INF",
    "EXT-X-SERVER-CONTROL",
}
_SEGMENT = {
    "EXTINF",
    "EXT-X-BYTERANGE",
    "EXT-X-DISCONTINUITY",
    "EXT-X-KEY",
    "EXT-X-MAP",
    "EXT-X-PROGRAM-DATE-TIME",
    "EXT-X-GAP",
    "EXT-X-BITRATE",
    "EXT-X-PART",
    "EXT-X-DATERANGE",
    "EXT-X-SKIP",
    "EXT-X-PRELOAD-HINT",
    "EXT-X-RENDITION-REPORT",
}
_ONCE = (_BOTH | _PLAYLIST) - {"EXT-X-DEFINE"}
_BARE = {"EXTM3U", "EXT-X-INDEPENDENT-SEGMENTS", "EXT-X-ENDLIST", "EXT-X-I-FRAMES-ONLY"}

# 4.2: what the values look like, quotes included.
_INTEGER, _FLOAT, _QUOTED = r"(0|[1-9][0-9]{0,19})", r"[0-9]+(\.[0-9]+)?", r'"[^"\r\n]*"'
_FORMS = {
    **dict.fromkeys(("BANDWIDTH", "AVERAGE-BANDWIDTH"), _INTEGER),
    **dict.fromkeys(("FRAME-RATE", "SCORE"), _FLOAT),
    **dict.fromkeys(("DEFAULT", "AUTOSELECT", "FORCED"), "YES|NO"),
    **dict.fromkeys(
        (
            "URI",
            "GROUP-ID",
            "LANGUAGE",
            "ASSOC-LANGUAGE",
            "NAME",
            "INSTREAM-ID",
            "CHARACTERISTICS",
            "CHANNELS",
            "CODECS",
            "SUPPLEMENTAL-CODECS",
            "AUDIO",
            "VIDEO",
            "SUBTITLES",
            "STABLE-RENDITION-ID",
            "STABLE-VARIANT-ID",
            "PATHWAY-ID",
        ),
        _QUOTED,
    ),
    "RESOLUTION": r"[1-9][0-9]*x[1-9][0-9]*",
    "TYPE": "AUDIO|VIDEO|SUBTITLES|CLOSED-CAPTIONS",
    "CLOSED-CAPTIONS": f"NONE|{_QUOTED}",
    "VIDEO-RANGE": "SDR|HLG|PQ",
    "HDCP-LEVEL": "NONE|TYPE-0|TYPE-1",
}


def tags_known(presentation: Presentation) -> Iterator[Finding]:
    """Tags that the specification knows, where they belong, and once where that is all that makes sense."""
    yield from _misplaced(presentation, presentation.multivariant.url, presentation.multivariant.tags, _MULTIVARIANT)
    for playlist in presentation.playlists.values():
        yield from _misplaced(presentation, playlist.url, playlist.tags, _PLAYLIST | _SEGMENT)


def _misplaced(presentation: Presentation, url: str, tags: Iterable[Tag], own: set[str]) -> Iterator[Finding]:
    where = presentation.name(url)
    counts: Counter[str] = Counter()
    for tag in tags:
        counts[tag.name] += 1
        if tag.name not in own | _BOTH:
            yield Finding(f"{where}, line {tag.line}", f"#{tag.name}", "there", "a tag of this kind of playlist")
        elif (tag.value is None) != (tag.name in _BARE or tag.name in ("EXT-X-DISCONTINUITY", "EXT-X-GAP")):
            expected = "no value" if tag.value else "a value"
            yield Finding(f"{where}, line {tag.line}", f"#{tag.name}", tag.value or "no value", expected)
    for name, count in counts.items():
        if name in _ONCE and count > 1:
            yield Finding(where, f"#{name}", f"{count} times", "once")


def attributes_written(presentation: Presentation) -> Iterator[Finding]:
    """Attribute lists can be read from end to end, hold nothing twice, and values are of their types."""
    top = presentation.multivariant
    for entry in (*top.variants, *top.renditions, *top.iframes):
        yield from _ill_formed(presentation, entry)


def _ill_formed(presentation: Presentation, entry: Entry) -> Iterator[Finding]:
    where = f"{presentation.name(presentation.multivariant.url)}, line {entry.tag.line}"
    if entry.malformed or not entry.raw:
        yield Finding(where, f"#{entry.tag.name}", entry.malformed or "nothing", "an attribute list")
    for name, count in Counter(name for name, _ in entry.raw).items():
        if count > 1:
            yield Finding(where, name, f"{count} times", "once")
    for name, value in entry.raw:
        form = _FORMS.get(name)
        if form and not re.fullmatch(form, value):
            yield Finding(where, name, value, f"a value like {form}")


RULES = (
    Rule("rfc8216bis-4.1", "must", "Tags are known, stand where they belong, and no oftener than they may", tags_known),
    Rule("rfc8216bis-4.2", "must", "Attributes are written as their types demand, and once", attributes_written),
)
