"""Rules about the playlists as texts: tags, attributes, groups, addresses."""

from collections import Counter
from collections.abc import Iterable, Iterator

from checker.finding import Finding, Rule
from checker.playlist import Entry
from checker.stream import SOUND_FORMAT, Stream

# RFC 8216bis, section 8: what a tag needs. EXT-X-MAP in anything but an I-frame playlist needs 6, in one 5.
_MAP_VERSION, _IFRAME_MAP_VERSION = 6, 5
# Attributes of a variant that name groups.
_TEXT_GROUPS = ("SUBTITLES", "CLOSED-CAPTIONS")
_GROUPS = ("AUDIO", *_TEXT_GROUPS)


def resolvable(stream: Stream) -> Iterator[Finding]:
    """Every address answers."""
    for url, reason in stream.unreadable:
        yield Finding(stream.name(url), "cannot be read", reason, "readable")
    for entry in stream.master.variants:
        if entry.uri is None:
            yield Finding(entry.where, "EXT-X-STREAM-INF without an address", "missing", "URI")


def meaningful(stream: Stream) -> Iterator[Finding]:
    """What answers can be parsed."""
    for url, reason in stream.broken:
        yield Finding(stream.name(url), "has no meaning", reason, "a playlist, header or segment")


def header_named(stream: Stream) -> Iterator[Finding]:
    """EXT-X-MAP everywhere but in playlists of text, whose segments are WebVTT."""
    text = {entry.uri for entry in stream.master.renditions if entry.attributes.get("TYPE") == "SUBTITLES"}
    for playlist in stream.playlists.values():
        if playlist.header is None and playlist.url not in text:
            yield Finding(stream.name(playlist.url), "EXT-X-MAP", "missing", "the header")


def same_header(stream: Stream) -> Iterator[Finding]:
    """An I-frame playlist has the header of the playlist whose segments it uses."""
    owner = {piece.uri: track.playlist for _, track in stream.video() for piece in track.playlist.pieces}
    for entry, playlist in stream.trick_play():
        others = {owner[piece.uri].header for piece in playlist.pieces if piece.uri in owner}
        if playlist.header and others and others != {playlist.header}:
            expected = ", ".join(sorted(stream.name(one) for one in others if one))
            yield Finding(entry.where, "EXT-X-MAP", stream.name(playlist.header), expected)


def version(stream: Stream) -> Iterator[Finding]:
    """EXT-X-VERSION is enough for the tags that are used."""
    for playlist in stream.playlists.values():
        needed = (_IFRAME_MAP_VERSION if playlist.iframes_only else _MAP_VERSION) if playlist.header else 3
        if playlist.version < needed:
            yield Finding(stream.name(playlist.url), "EXT-X-VERSION", str(playlist.version), f"at least {needed}")


def ended(stream: Stream) -> Iterator[Finding]:
    """EXT-X-ENDLIST everywhere."""
    for playlist in stream.playlists.values():
        if not playlist.ended:
            yield Finding(stream.name(playlist.url), "EXT-X-ENDLIST", "missing", "at the end")


def on_demand(stream: Stream) -> Iterator[Finding]:
    """EXT-X-PLAYLIST-TYPE:VOD everywhere."""
    for playlist in stream.playlists.values():
        if playlist.kind != "VOD":
            yield Finding(stream.name(playlist.url), "EXT-X-PLAYLIST-TYPE", playlist.kind or "missing", "VOD")


def independent(stream: Stream) -> Iterator[Finding]:
    """EXT-X-INDEPENDENT-SEGMENTS in the master, or in all video playlists."""
    if not stream.master.independent and not all(track.playlist.independent for _, track in stream.video()):
        where = stream.name(stream.master.url)
        yield Finding(where, "EXT-X-INDEPENDENT-SEGMENTS", "missing", "in the multivariant playlist")


def iframes_there(stream: Stream) -> Iterator[Finding]:
    """At least one I-frame playlist, where there is a picture."""
    if not stream.master.iframes and _pictured(stream):
        yield Finding(stream.name(stream.master.url), "EXT-X-I-FRAME-STREAM-INF", "none", "at least one")


def iframes_only(stream: Stream) -> Iterator[Finding]:
    """EXT-X-I-FRAMES-ONLY in I-frame playlists."""
    for entry, playlist in stream.trick_play():
        if not playlist.iframes_only:
            yield Finding(entry.where, "EXT-X-I-FRAMES-ONLY", "missing", "in an I-frame playlist")


def _pictured(stream: Stream) -> list[Entry]:
    """The variants that are more than sound."""
    return [entry for entry in stream.master.variants if stream.has_picture(entry)]


def _lacking(entries: Iterable[Entry], name: str) -> Iterator[Finding]:
    for entry in entries:
        if not entry.attributes.get(name):
            yield Finding(entry.where, name, "missing", "an attribute of every such tag")


def codecs_told(stream: Stream) -> Iterator[Finding]:
    """CODECS on every variant."""
    yield from _lacking(stream.master.variants, "CODECS")


def resolution_told(stream: Stream) -> Iterator[Finding]:
    """RESOLUTION on every variant with a picture."""
    yield from _lacking(_pictured(stream), "RESOLUTION")


def iframe_codecs_told(stream: Stream) -> Iterator[Finding]:
    """CODECS on every I-frame variant."""
    yield from _lacking(stream.master.iframes, "CODECS")


def iframe_resolution_told(stream: Stream) -> Iterator[Finding]:
    """RESOLUTION on every I-frame variant."""
    yield from _lacking(stream.master.iframes, "RESOLUTION")


def average_told(stream: Stream) -> Iterator[Finding]:
    """AVERAGE-BANDWIDTH on every variant."""
    yield from _lacking(stream.master.variants, "AVERAGE-BANDWIDTH")


def bandwidth_told(stream: Stream) -> Iterator[Finding]:
    """BANDWIDTH on every variant and I-frame variant."""
    yield from _lacking([*stream.master.variants, *stream.master.iframes], "BANDWIDTH")


def frame_rate_told(stream: Stream) -> Iterator[Finding]:
    """FRAME-RATE on every variant with a picture."""
    yield from _lacking(_pictured(stream), "FRAME-RATE")


def language_told(stream: Stream) -> Iterator[Finding]:
    """LANGUAGE on every rendition but those of video."""
    yield from _lacking((one for one in stream.master.renditions if one.attributes.get("TYPE") != "VIDEO"), "LANGUAGE")


def separate_audio(stream: Stream) -> Iterator[Finding]:
    """Sound is not mixed into the video's segments."""
    for entry in _pictured(stream):
        if SOUND_FORMAT in entry.attributes.get("CODECS", "") and "AUDIO" not in entry.attributes:
            yield Finding(entry.where, "AUDIO", "missing", "the group of the sound that CODECS tells of")


def group_exists(stream: Stream) -> Iterator[Finding]:
    """The groups that a variant names exist, and it names those of text that do."""
    groups = {_group(entry) for entry in stream.master.renditions}
    for entry in stream.master.variants:
        named = {(kind, entry.attributes[kind]) for kind in _GROUPS if kind in entry.attributes}
        named -= {("CLOSED-CAPTIONS", "NONE")}
        for kind, group in sorted(named - groups):
            yield Finding(entry.where, kind, group, "a group of this playlist")
        for kind in sorted({kind for kind, _ in groups if kind in _TEXT_GROUPS} - {kind for kind, _ in named}):
            yield Finding(entry.where, kind, "none", "the group of this playlist")


def names_unique(stream: Stream) -> Iterator[Finding]:
    """NAME is unique in a group."""
    names = Counter((_group(entry), entry.attributes.get("NAME")) for entry in stream.master.renditions)
    for (group, name), count in names.items():
        if count > 1 or not name:
            yield Finding(f"group {group[1]}", f"NAME {name!r}", f"{count} times", "once")


def one_default(stream: Stream) -> Iterator[Finding]:
    """One audio rendition of a group is the default, of text at most one, and a player may choose it by itself."""
    defaults = [entry for entry in stream.master.renditions if entry.attributes.get("DEFAULT") == "YES"]
    counts = Counter(_group(entry) for entry in defaults)
    for kind, group in sorted({_group(entry) for entry in stream.master.renditions}):
        expected = {"AUDIO": (1,)}.get(kind, (0, 1))
        if counts[kind, group] not in expected:
            told = " or ".join(map(str, expected))
            yield Finding(f"group {group}", "renditions with DEFAULT=YES", str(counts[kind, group]), told)
    for entry in defaults:
        if entry.attributes.get("AUTOSELECT") == "NO":
            yield Finding(entry.where, "AUTOSELECT", "NO", "YES, as DEFAULT is")


def _group(entry: Entry) -> tuple[str, str]:
    return entry.attributes.get("TYPE", ""), entry.attributes.get("GROUP-ID", "")


RULES = (
    Rule("millrace-uri", "must", "Every address that the playlists hold can be read", resolvable),
    Rule("millrace-parse", "must", "Playlists, headers and segments can be parsed", meaningful),
    Rule("apple-8.20", "must", "Playlists of fragmented MP4 have EXT-X-MAP", header_named),
    Rule("millrace-same-header", "must", "A rendition's I-frame playlist has the rendition's header", same_header),
    Rule("rfc8216bis-8", "must", "EXT-X-VERSION is high enough for the tags that are used", version),
    Rule("millrace-ended", "must", "Every playlist ends with EXT-X-ENDLIST", ended),
    Rule("apple-8.6", "must", "Every media playlist has EXT-X-PLAYLIST-TYPE VOD", on_demand),
    Rule("apple-9.12", "must", "EXT-X-INDEPENDENT-SEGMENTS is in the master or in all video playlists", independent),
    Rule("apple-6.1", "must", "There are I-frame playlists, where there is a picture", iframes_there),
    Rule("apple-6.8", "must", "I-frame playlists have EXT-X-I-FRAMES-ONLY", iframes_only),
    Rule("apple-9.1", "must", "Every variant has CODECS", codecs_told),
    Rule("apple-9.2", "must", "Every variant with a picture has RESOLUTION", resolution_told),
    Rule("apple-9.3", "must", "Every I-frame variant has CODECS", iframe_codecs_told),
    Rule("apple-9.4", "must", "Every I-frame variant has RESOLUTION", iframe_resolution_told),
    Rule("rfc8216bis-4.4.6.2", "must", "Every variant has BANDWIDTH", bandwidth_told),
    Rule("apple-9.14", "must", "Every variant has AVERAGE-BANDWIDTH", average_told),
    Rule("apple-9.15", "must", "Every variant with a picture has FRAME-RATE", frame_rate_told),
    Rule("apple-8.10", "must", "Every rendition of sound or text has LANGUAGE", language_told),
    Rule("apple-9.5", "should", "Sound is in a group of its own", separate_audio),
    Rule(
        "millrace-group", "must", "The groups that variants name are there, and those of text are named", group_exists
    ),
    Rule("rfc8216bis-4.4.6.1.1", "must", "NAME is unique within a group", names_unique),
    Rule("millrace-default", "must", "A group of sound has one default, one of text at most one", one_default),
)
