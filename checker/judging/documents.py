"""Rules about the playlists as texts: tags, attributes, groups, addresses."""

from collections import Counter
from collections.abc import Iterable, Iterator

from checker.finding import Finding, Rule
from checker.initialization import AUDIO_FORMATS
from checker.keys import SAMPLES, is_whole, key_tags
from checker.playlist import Entry, MediaPlaylist
from checker.presentation import Presentation

# RFC 8216bis, section 8: what a tag needs. EXT-X-MAP in anything but an I-frame playlist needs 6, in one 5.
_MAP_VERSION, _IFRAME_MAP_VERSION = 6, 5
# What is more than a key for whole segments needs this.
_KEY_FORMAT_VERSION = 5
# Attributes of a variant that name groups.
_TEXT_GROUPS = ("SUBTITLES", "CLOSED-CAPTIONS")
_GROUPS = ("AUDIO", *_TEXT_GROUPS)


def resolvable(presentation: Presentation) -> Iterator[Finding]:
    """Every address answers."""
    for url, reason in presentation.unreadable:
        yield Finding(presentation.name(url), "cannot be read", reason, "readable")
    for entry in presentation.multivariant.variants:
        if entry.uri is None:
            yield Finding(entry.where, "EXT-X-STREAM-INF without an address", "missing", "URI")


def meaningful(presentation: Presentation) -> Iterator[Finding]:
    """What answers can be parsed."""
    for url, reason in presentation.broken:
        yield Finding(
            presentation.name(url), "has no meaning", reason, "a playlist, manifest, initialization segment or segment"
        )


def initialization_named(presentation: Presentation) -> Iterator[Finding]:
    """EXT-X-MAP everywhere but in playlists of text, whose segments are WebVTT."""
    text = {entry.uri for entry in presentation.multivariant.renditions if entry.attributes.get("TYPE") == "SUBTITLES"}
    for playlist in presentation.playlists.values():
        if playlist.initialization is None and playlist.url not in text:
            yield Finding(presentation.name(playlist.url), "EXT-X-MAP", "missing", "the initialization segment")


def same_initialization(presentation: Presentation) -> Iterator[Finding]:
    """An I-frame playlist has the initialization segment of the playlist whose segments it uses."""
    for entry, playlist in presentation.trick_play():
        source = presentation.source_of(playlist)
        if source and playlist.initialization and playlist.initialization != source.playlist.initialization:
            expected = presentation.name(source.playlist.initialization or "none")
            yield Finding(entry.where, "EXT-X-MAP", presentation.name(playlist.initialization), expected)


def version(presentation: Presentation) -> Iterator[Finding]:
    """EXT-X-VERSION is enough for the tags that are used."""
    for playlist in presentation.playlists.values():
        needed = (_IFRAME_MAP_VERSION if playlist.iframes_only else _MAP_VERSION) if playlist.initialization else 3
        needed = max(needed, _key_version(playlist))
        if playlist.version < needed:
            yield Finding(presentation.name(playlist.url), "EXT-X-VERSION", str(playlist.version), f"at least {needed}")


def _key_version(playlist: MediaPlaylist) -> int:
    keys = key_tags(playlist.tags)
    if any(key.method == SAMPLES or {"KEYFORMAT", "KEYFORMATVERSIONS"} & key.attributes.keys() for key in keys):
        return _KEY_FORMAT_VERSION
    return 2 if keys else 1


def ended(presentation: Presentation) -> Iterator[Finding]:
    """EXT-X-ENDLIST everywhere."""
    for playlist in presentation.playlists.values():
        if not playlist.ended:
            yield Finding(presentation.name(playlist.url), "EXT-X-ENDLIST", "missing", "at the end")


def on_demand(presentation: Presentation) -> Iterator[Finding]:
    """EXT-X-PLAYLIST-TYPE:VOD everywhere."""
    for playlist in presentation.playlists.values():
        if playlist.kind != "VOD":
            yield Finding(presentation.name(playlist.url), "EXT-X-PLAYLIST-TYPE", playlist.kind or "missing", "VOD")


def independent(presentation: Presentation) -> Iterator[Finding]:
    """EXT-X-INDEPENDENT-SEGMENTS in the multivariant playlist, or in all video playlists."""
    if not presentation.multivariant.independent and not all(
        track.playlist.independent for _, track in presentation.video()
    ):
        where = presentation.name(presentation.multivariant.url)
        yield Finding(where, "EXT-X-INDEPENDENT-SEGMENTS", "missing", "in the multivariant playlist")


def iframes_there(presentation: Presentation) -> Iterator[Finding]:
    """At least one I-frame playlist, where there is video whose key frames can be had without the rest of their segment."""
    whole = any(is_whole(playlist) for playlist in presentation.playlists.values())
    if not presentation.multivariant.iframes and _with_video(presentation) and not whole:
        yield Finding(
            presentation.name(presentation.multivariant.url), "EXT-X-I-FRAME-STREAM-INF", "none", "at least one"
        )


def iframes_only(presentation: Presentation) -> Iterator[Finding]:
    """EXT-X-I-FRAMES-ONLY in I-frame playlists."""
    for entry, playlist in presentation.trick_play():
        if not playlist.iframes_only:
            yield Finding(entry.where, "EXT-X-I-FRAMES-ONLY", "missing", "in an I-frame playlist")


def _with_video(presentation: Presentation) -> list[Entry]:
    """The variants that are more than audio."""
    return [entry for entry in presentation.multivariant.variants if presentation.has_video(entry)]


def _lacking(entries: Iterable[Entry], name: str) -> Iterator[Finding]:
    for entry in entries:
        if not entry.attributes.get(name):
            yield Finding(entry.where, name, "missing", "an attribute of every such tag")


def codecs_told(presentation: Presentation) -> Iterator[Finding]:
    """CODECS on every variant."""
    yield from _lacking(presentation.multivariant.variants, "CODECS")


def resolution_told(presentation: Presentation) -> Iterator[Finding]:
    """RESOLUTION on every variant with video."""
    yield from _lacking(_with_video(presentation), "RESOLUTION")


def iframe_codecs_told(presentation: Presentation) -> Iterator[Finding]:
    """CODECS on every I-frame variant."""
    yield from _lacking(presentation.multivariant.iframes, "CODECS")


def iframe_resolution_told(presentation: Presentation) -> Iterator[Finding]:
    """RESOLUTION on every I-frame variant."""
    yield from _lacking(presentation.multivariant.iframes, "RESOLUTION")


def average_told(presentation: Presentation) -> Iterator[Finding]:
    """AVERAGE-BANDWIDTH on every variant."""
    yield from _lacking(presentation.multivariant.variants, "AVERAGE-BANDWIDTH")


def bandwidth_told(presentation: Presentation) -> Iterator[Finding]:
    """BANDWIDTH on every variant and I-frame variant."""
    yield from _lacking([*presentation.multivariant.variants, *presentation.multivariant.iframes], "BANDWIDTH")


def frame_rate_told(presentation: Presentation) -> Iterator[Finding]:
    """FRAME-RATE on every variant with video."""
    yield from _lacking(_with_video(presentation), "FRAME-RATE")


def language_told(presentation: Presentation) -> Iterator[Finding]:
    """LANGUAGE on every rendition but those of video."""
    yield from _lacking(
        (one for one in presentation.multivariant.renditions if one.attributes.get("TYPE") != "VIDEO"), "LANGUAGE"
    )


def separate_audio(presentation: Presentation) -> Iterator[Finding]:
    """Audio is not mixed into the video's segments."""
    for entry in _with_video(presentation):
        formats = {one.strip().partition(".")[0] for one in entry.attributes.get("CODECS", "").split(",")}
        if formats & AUDIO_FORMATS and "AUDIO" not in entry.attributes:
            yield Finding(entry.where, "AUDIO", "missing", "the group of the audio that CODECS tells of")


def group_exists(presentation: Presentation) -> Iterator[Finding]:
    """The groups that a variant names exist, and it names those of text that do."""
    groups = {_group(entry) for entry in presentation.multivariant.renditions}
    for entry in presentation.multivariant.variants:
        named = {(kind, entry.attributes[kind]) for kind in _GROUPS if kind in entry.attributes}
        named -= {("CLOSED-CAPTIONS", "NONE")}
        for kind, group in sorted(named - groups):
            yield Finding(entry.where, kind, group, "a group of this playlist")
        for kind in sorted({kind for kind, _ in groups if kind in _TEXT_GROUPS} - {kind for kind, _ in named}):
            yield Finding(entry.where, kind, "none", "the group of this playlist")


def names_unique(presentation: Presentation) -> Iterator[Finding]:
    """NAME is unique in a group."""
    names = Counter((_group(entry), entry.attributes.get("NAME")) for entry in presentation.multivariant.renditions)
    for (group, name), count in names.items():
        if count > 1 or not name:
            yield Finding(f"group {group[1]}", f"NAME {name!r}", f"{count} times", "once")


def one_default(presentation: Presentation) -> Iterator[Finding]:
    """One audio rendition of a group is the default, of text at most one, and a player may choose it by itself."""
    defaults = [entry for entry in presentation.multivariant.renditions if entry.attributes.get("DEFAULT") == "YES"]
    counts = Counter(_group(entry) for entry in defaults)
    for kind, group in sorted({_group(entry) for entry in presentation.multivariant.renditions}):
        expected = {"AUDIO": (1,)}.get(kind, (0, 1))
        if counts[kind, group] not in expected:
            told = " or ".join(map(str, expected))
            yield Finding(f"group {group}", "renditions with DEFAULT=YES", str(counts[kind, group]), told)
    for entry in defaults:
        if entry.attributes.get("AUTOSELECT") == "NO":
            yield Finding(entry.where, "AUTOSELECT", "NO", "YES, as DEFAULT is")


def _group(entry: Entry) -> tuple[str, str]:
    return entry.attributes.get("TYPE", ""), entry.attributes.get("GROUP-ID", "")


def numbered_from_zero(presentation: Presentation) -> Iterator[Finding]:
    """EXT-X-MEDIA-SEQUENCE is 0: nothing has been taken away from the beginning."""
    for playlist in presentation.playlists.values():
        if playlist.first_number:
            where = presentation.name(playlist.url)
            yield Finding(where, "EXT-X-MEDIA-SEQUENCE", str(playlist.first_number), "0")


def listed_once(presentation: Presentation) -> Iterator[Finding]:
    """No segment is listed twice in a playlist."""
    for playlist in presentation.playlists.values():
        listed = list(zip(playlist.uris, playlist.byte_ranges, strict=True))
        if len(set(listed)) < len(listed):
            (uri, _), count = Counter(listed).most_common(1)[0]
            yield Finding(
                presentation.name(playlist.url), f"segment {presentation.name(uri)}", f"{count} times", "once"
            )


RULES = (
    Rule("millrace-uri", "must", "Every address that the playlists hold can be read", resolvable),
    Rule(
        "millrace-parse", "must", "Playlists, manifest, initialization segments and segments can be parsed", meaningful
    ),
    Rule("apple-8.20", "must", "Playlists of fragmented MP4 have EXT-X-MAP", initialization_named),
    Rule(
        "millrace-same-initialization",
        "must",
        "An I-frame playlist has its rendition's initialization segment",
        same_initialization,
    ),
    Rule("rfc8216bis-8", "must", "EXT-X-VERSION is high enough for the tags that are used", version),
    Rule("millrace-ended", "must", "Every playlist ends with EXT-X-ENDLIST", ended),
    Rule("apple-8.6", "must", "Every media playlist has EXT-X-PLAYLIST-TYPE VOD", on_demand),
    Rule("millrace-once", "must", "A playlist lists each segment once", listed_once),
    Rule("millrace-media-sequence", "must", "The first segment that a playlist lists is number 0", numbered_from_zero),
    Rule(
        "apple-9.12",
        "must",
        "EXT-X-INDEPENDENT-SEGMENTS is in the multivariant playlist or in all video playlists",
        independent,
    ),
    Rule("apple-6.1", "must", "There are I-frame playlists, where there is video", iframes_there),
    Rule("apple-6.8", "must", "I-frame playlists have EXT-X-I-FRAMES-ONLY", iframes_only),
    Rule("apple-9.1", "must", "Every variant has CODECS", codecs_told),
    Rule("apple-9.2", "must", "Every variant with video has RESOLUTION", resolution_told),
    Rule("apple-9.3", "must", "Every I-frame variant has CODECS", iframe_codecs_told),
    Rule("apple-9.4", "must", "Every I-frame variant has RESOLUTION", iframe_resolution_told),
    Rule("rfc8216bis-4.4.6.2", "must", "Every variant has BANDWIDTH", bandwidth_told),
    Rule("apple-9.14", "must", "Every variant has AVERAGE-BANDWIDTH", average_told),
    Rule("apple-9.15", "must", "Every variant with video has FRAME-RATE", frame_rate_told),
    Rule("apple-8.10", "must", "Every rendition of audio or text has LANGUAGE", language_told),
    Rule("apple-9.5", "should", "Audio is in a group of its own", separate_audio),
    Rule(
        "millrace-group", "must", "The groups that variants name are there, and those of text are named", group_exists
    ),
    Rule("rfc8216bis-4.4.6.1.1", "must", "NAME is unique within a group", names_unique),
    Rule("millrace-default", "must", "A group of audio has one default, one of text at most one", one_default),
)
