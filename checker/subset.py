"""The check that costs nothing: a presentation as its writer knows it, before a segment is read again. Pure.

All that is written in a document is read out of the document, and initialization segments are read as they are. What no
document tells is taken from the caller: how many bytes and ticks a segment has, and where its key frames lie. Whoever writes
a wrong number there is found by ``python -m checker``, which reads the segments.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from checker.beside import (
    initialization_addresses,
    manifest_address,
    sheet_address,
    sprite_cues_address,
    text_addresses,
)
from checker.boxes import MalformedMedia
from checker.cues import read_webvtt
from checker.finding import Rule
from checker.initialization import InitializationSegment, read_initialization
from checker.jpeg import jpeg_size
from checker.manifest import Manifest, NotAManifest, parse_manifest
from checker.playlist import MediaPlaylist, parse_media, parse_multivariant
from checker.presentation import Presentation, Sprite, Track
from checker.rules import RULES, Report, apply_rules
from checker.segments import Segment


@dataclass(frozen=True)
class WrittenTrack:
    """A track of video or audio as it was written.

    Attributes:
        playlist: path of its media playlist.
        initialization_path, initialization: path and bytes of its initialization segment.
        uris: path of each segment, in order. segments: what is in each of them.
        beside: bytes of other initialization segments, for the manifest, by path.
    """

    playlist: str
    initialization_path: str
    initialization: bytes
    uris: Sequence[str]
    segments: Sequence[Segment]
    beside: Mapping[str, bytes] = field(default_factory=dict)


def check_written(
    multivariant: str,
    documents: Mapping[str, bytes],
    tracks: Sequence[WrittenTrack],
    objects: Mapping[str, int],
    rules: tuple[Rule, ...] = RULES,
) -> Report:
    """Apply the rules to what is about to be published; rules that need the segments' bytes come out as skipped.

    Args:
        multivariant: path of the multivariant playlist among the documents.
        documents: playlists, manifest, and sheet and cues for the seek bar, by path.
        objects: bytes of every segment of every track and of every file of text, by path.

    Raises:
        NotAPlaylist: one of the playlists is none.
        KeyError: there is no multivariant playlist.
    """
    top = parse_multivariant(documents[multivariant], multivariant)
    playlists = {
        path: parse_media(body, path)
        for path, body in documents.items()
        if path.endswith(".m3u8") and path != multivariant
    }
    named = {entry.uri for entry in (*top.variants, *top.renditions, *top.iframes) if entry.uri}
    listed = dict.fromkeys(uri for playlist in playlists.values() for uri in playlist.uris)
    sizes = {**objects, **{path: len(body) for path, body in documents.items()}}
    wanted = {**dict.fromkeys(sorted(named - playlists.keys())), **listed}
    found, broken = _tracks(tracks, playlists)
    beside = _beside(tracks, broken)
    manifest = _manifest(documents, manifest_address(multivariant), broken)
    sheet, cues = sheet_address(manifest) if manifest else None, sprite_cues_address(multivariant)
    if manifest:
        known = {one.playlist.initialization for one in found.values()}
        wanted |= dict.fromkeys(initialization_addresses(manifest, known))
        wanted |= dict.fromkeys([*text_addresses(manifest), *([sheet, cues] if sheet else [])])
    return apply_rules(
        Presentation(
            multivariant=top,
            playlists=playlists,
            tracks=found,
            initializations=beside,
            unreadable=tuple((path, "not written") for path in wanted if path not in sizes),
            broken=tuple(broken),
            measured=False,
            sizes=sizes,
            manifest=manifest,
            manifest_url=manifest_address(multivariant),
            sprite=Sprite(
                read_webvtt(documents[cues]) if cues in documents else None,
                jpeg_size(documents[sheet]) if sheet and sheet in documents else None,
            ),
        ),
        rules,
    )


def _tracks(
    tracks: Sequence[WrittenTrack], playlists: Mapping[str, MediaPlaylist]
) -> tuple[dict[str, Track], list[tuple[str, str]]]:
    """Those that could be read, by their playlist, and of the others address and reason."""
    found: dict[str, Track] = {}
    broken: list[tuple[str, str]] = []
    for track in tracks:
        playlist = playlists.get(track.playlist)
        if playlist is None:
            continue
        if not track.segments or playlist.uris != list(track.uris):
            broken.append((track.playlist, f"{len(playlist.uris)} segments listed, {len(track.uris)} made"))
            continue
        if playlist.initialization not in (None, track.initialization_path):
            broken.append((track.playlist, f"EXT-X-MAP leads to {playlist.initialization}"))
            continue
        try:
            found[track.playlist] = Track(playlist, read_initialization(track.initialization), tuple(track.segments))
        except MalformedMedia as error:
            broken.append((track.initialization_path, str(error)))
    return found, broken


def _beside(tracks: Sequence[WrittenTrack], broken: list[tuple[str, str]]) -> dict[str, InitializationSegment]:
    found: dict[str, InitializationSegment] = {}
    for path, body in (item for track in tracks for item in track.beside.items()):
        try:
            found[path] = read_initialization(body)
        except MalformedMedia as error:
            broken.append((path, str(error)))
    return found


def _manifest(documents: Mapping[str, bytes], path: str, broken: list[tuple[str, str]]) -> Manifest | None:
    if path not in documents:
        return None
    try:
        return parse_manifest(documents[path], path)
    except NotAManifest as error:
        broken.append((path, str(error)))
        return None
