"""Rules about encryption: what tracks, playlists and manifest say of keys, and that all of them say the same."""

import re
from collections import Counter
from collections.abc import Iterator
from uuid import UUID

from checker.finding import Finding, Rule
from checker.judging.dash import pairs
from checker.keys import SAMPLES, KeyTag, key_tags
from checker.manifest import Descriptor
from checker.playlist import MediaPlaylist
from checker.presentation import Presentation, Track
from checker.protection import TrackProtection

_SESSION = "EXT-X-SESSION-KEY"
_QUOTED, _BYTES = r'"[^"\r\n]*"', r"0[xX][0-9a-fA-F]{32}"
_FORMS = {
    "METHOD": "NONE|AES-128|SAMPLE-AES|SAMPLE-AES-CTR",
    "URI": _QUOTED,
    "IV": _BYTES,
    "KEYID": _BYTES,
    "KEYFORMAT": _QUOTED,
    "KEYFORMATVERSIONS": r'"[0-9]+(/[0-9]+)*"',
}
# ISO/IEC 23000-19, 8.2.3: of pictures one block of ten, of sound all.
_PATTERNS = {True: (0, 0), False: (1, 9)}
_COMMON_ENCRYPTION = "urn:mpeg:dash:mp4protection:2011"


def keys_written(presentation: Presentation) -> Iterator[Finding]:
    """Attributes of keys are written as their types demand, once, and those that are needed are there."""
    top = presentation.multivariant
    lists = [(top.url, key_tags(top.tags, _SESSION))]
    lists += [(url, key_tags(playlist.tags)) for url, playlist in presentation.playlists.items()]
    for url, tags in lists:
        for key in tags:
            yield from _ill_formed(f"{presentation.name(url)}, line {key.tag.line}", key)


def _ill_formed(where: str, key: KeyTag) -> Iterator[Finding]:
    if key.malformed:
        yield Finding(where, f"#{key.tag.name}", key.malformed, "an attribute list")
    for name, count in Counter(name for name, _ in key.raw).items():
        if count > 1:
            yield Finding(where, name, f"{count} times", "once")
    for name, value in key.raw:
        form = _FORMS.get(name)
        if form and not re.fullmatch(form, value):
            yield Finding(where, name, value, f"a value like {form}")
    for name in ("METHOD", "URI"):
        if name not in key.attributes and not (name == "URI" and key.method == "NONE"):
            yield Finding(where, name, "missing", "an attribute of every key")
    if key.method == "NONE" and key.tag.name == _SESSION:
        yield Finding(where, "METHOD", "NONE", "a method of encryption")


def one_set_of_keys(presentation: Presentation) -> Iterator[Finding]:
    """The keys stand before the first segment, one of each format, and all of one method."""
    for url, playlist in presentation.playlists.items():
        keys, where = key_tags(playlist.tags), presentation.name(url)
        for key in keys:
            if key.tag.line > playlist.first_line:
                yield Finding(f"{where}, line {key.tag.line}", "#EXT-X-KEY", "there", "before the first segment")
        for key_format, count in Counter(key.format for key in keys).items():
            if count > 1:
                yield Finding(where, f"keys of format {key_format}", f"{count} times", "once")
        methods = {key.method for key in keys}
        if len(methods) > 1:
            yield Finding(where, "METHOD", " ".join(sorted(methods)), "the same for all keys")


def same_lines(presentation: Presentation) -> Iterator[Finding]:
    """Tracks that are encrypted with one key say the same of it, and so do I-frame playlists."""
    first: dict[str, MediaPlaylist] = {}
    expected = {
        track.playlist.url: first.setdefault(protection.kid, track.playlist)
        for track, protection in _encrypted(presentation)
    }
    expected |= {
        playlist.url: source.playlist
        for _, playlist in presentation.trick_play()
        if (source := presentation.source_of(playlist))
    }
    for url, other in expected.items():
        if _lines(presentation.playlists[url]) != _lines(other):
            where = presentation.name(url)
            yield Finding(where, "#EXT-X-KEY", "other lines", f"those of {presentation.name(other.url)}")


def _lines(playlist: MediaPlaylist) -> list[str]:
    return [key.tag.value or "" for key in key_tags(playlist.tags)]


def text_is_clear(presentation: Presentation) -> Iterator[Finding]:
    """No key in playlists of text."""
    for entry, playlist in presentation.subtitles():
        if key_tags(playlist.tags):
            yield Finding(entry.where, "#EXT-X-KEY", "there", "none: text is not encrypted")


def all_or_none(presentation: Presentation) -> Iterator[Finding]:
    """Where one track of video or audio is encrypted, all are; and each is just where its playlist says so."""
    tracks = presentation.all_tracks()
    encrypted = [track for track in tracks if _lines(track.playlist)]
    for track in tracks if encrypted else ():
        if not _lines(track.playlist):
            where = presentation.name(track.playlist.url)
            yield Finding(where, "#EXT-X-KEY", "missing", "there, as in other playlists")
    for track in tracks:
        sampled = any(key.method == SAMPLES for key in key_tags(track.playlist.tags))
        if sampled != (track.initialization.protection is not None):
            where = presentation.name(track.playlist.initialization or "")
            yield Finding(where, "encryption of samples", "none" if sampled else "some", "what the playlist says")


def session_keys(presentation: Presentation) -> Iterator[Finding]:
    """Keys of the multivariant playlist are keys of media playlists, and each stands there once."""
    keys, top = key_tags(presentation.multivariant.tags, _SESSION), presentation.name(presentation.multivariant.url)
    for value, count in Counter(key.tag.value for key in keys).items():
        if count > 1:
            yield Finding(top, f"#{_SESSION}:{value}", f"{count} times", "once")
    used = {key.attributes.get("URI"): key for each in presentation.playlists.values() for key in key_tags(each.tags)}
    for key in keys:
        where, same = f"{top}, line {key.tag.line}", used.get(key.attributes.get("URI"))
        if same is None:
            yield Finding(where, "URI", key.attributes.get("URI", "missing"), "that of a key in a media playlist")
            continue
        for name in ("METHOD", "KEYFORMAT", "KEYFORMATVERSIONS"):
            if key.attributes.get(name) != same.attributes.get(name):
                expected = same.attributes.get(name, "none, as in the media playlist")
                yield Finding(where, name, key.attributes.get(name, "none"), expected)


def session_keys_there(presentation: Presentation) -> Iterator[Finding]:
    """Each key for samples stands in the multivariant playlist as well."""
    told = {key.attributes.get("URI") for key in key_tags(presentation.multivariant.tags, _SESSION)}
    needed = {
        key.attributes["URI"]: None
        for playlist in presentation.playlists.values()
        for key in key_tags(playlist.tags)
        if key.method == SAMPLES and "URI" in key.attributes
    }
    for uri in needed:
        if uri not in told:
            yield Finding(presentation.name(presentation.multivariant.url), f"#{_SESSION}", "missing", uri)


def sample_entries(presentation: Presentation) -> Iterator[Finding]:
    """Tracks are encrypted by ``cbcs`` as CMAF has it, in a way that Apple's players take."""
    for track, protection in _encrypted(presentation):
        where = presentation.name(track.playlist.initialization or "")
        expected = {
            "scheme": (protection.scheme, "cbcs"),
            "version of tenc": (protection.version, 1),
            "default_isProtected": (protection.protected, True),
            "pattern": (protection.pattern, _PATTERNS[track.initialization.is_audio]),
            "bytes of a sample's initialization vector": (protection.iv_size, 0),
            "bytes of the constant initialization vector": (len(protection.iv) // 2, 16),
        }
        for name, (measured, wanted) in expected.items():
            if measured != wanted:
                yield Finding(where, name, str(measured), str(wanted))


def lines_match_tracks(presentation: Presentation) -> Iterator[Finding]:
    """Initialization vectors and ids of keys in playlists are those of the tracks."""
    for track, protection in _encrypted(presentation):
        for key in key_tags(track.playlist.tags):
            where = f"{presentation.name(track.playlist.url)}, line {key.tag.line}"
            for name, real in (("IV", protection.iv), ("KEYID", protection.kid)):
                told = key.hexadecimal(name)
                if told is not None and told != real:
                    yield Finding(where, name, told, real)


def sample_maps(presentation: Presentation) -> Iterator[Finding]:
    """The maps of samples cover them, end with the slices, and can be found by every reader."""
    for track, _ in _encrypted(presentation):
        for uri, segment in zip(track.playlist.uris, track.segments, strict=True):
            for fault in segment.map_faults:
                yield Finding(presentation.name(uri), "maps of samples", fault, "what the samples have")


def manifest_tells(presentation: Presentation) -> Iterator[Finding]:
    """The manifest names scheme and key of each encrypted track, and of nothing else."""
    for one, representation, track in pairs(presentation):
        told, protection = (
            _content_protection(one.descriptors, representation.properties),
            track.initialization.protection,
        )
        common = [(each.value, each.default_kid) for each in told if each.scheme == _COMMON_ENCRYPTION]
        real = [(protection.scheme, str(UUID(hex=protection.kid)))] if protection else []
        if common != real or (told and not protection):
            measured = ", ".join(f"{each.scheme} {each.value} {each.default_kid}" for each in told)
            expected = " ".join(real[0]) if real else "none: it is not encrypted"
            yield Finding(representation.where, "ContentProtection", measured or "missing", expected)
    for kind in ("text", "image"):
        for one, representation in presentation.manifest.of(kind) if presentation.manifest else ():
            if _content_protection(one.descriptors, representation.properties):
                yield Finding(one.where, "ContentProtection", "there", f"none: {kind} is not encrypted")


def _content_protection(*groups: tuple[Descriptor, ...]) -> list[Descriptor]:
    return [each for group in groups for each in group if each.element == "ContentProtection"]


def _encrypted(presentation: Presentation) -> Iterator[tuple[Track, TrackProtection]]:
    """The tracks whose samples are encrypted."""
    for track in presentation.all_tracks():
        if track.initialization.protection:
            yield track, track.initialization.protection


RULES = (
    Rule("rfc8216bis-4.4.4.4", "must", "Keys are written as the types of their attributes demand", keys_written),
    Rule("millrace-keys", "must", "A playlist has one set of keys, before its first segment", one_set_of_keys),
    Rule(
        "millrace-key-lines",
        "must",
        "Playlists of segments that are encrypted with one key have the same lines",
        same_lines,
    ),
    Rule("millrace-text-clear", "must", "Playlists of text name no keys", text_is_clear),
    Rule("millrace-all-encrypted", "must", "All tracks are encrypted or none, as the playlists say", all_or_none),
    Rule(
        "rfc8216bis-4.4.6.5",
        "must",
        "Keys of the multivariant playlist are those of media playlists, once",
        session_keys,
    ),
    Rule("millrace-session-keys", "should", "Keys for samples are in the multivariant playlist", session_keys_there),
    Rule(
        "cmaf-encryption",
        "must",
        "Encrypted tracks have tenc of version 1, the pattern of cbcs, a constant IV",
        sample_entries,
    ),
    Rule("millrace-key-values", "must", "IV and KEYID of keys are those of the track", lines_match_tracks),
    Rule("cmaf-sample-maps", "must", "Maps of encrypted samples fit them and end with slices", sample_maps, True),
    Rule("dash-protection", "must", "The manifest tells scheme and key id of encrypted tracks", manifest_tells),
)
