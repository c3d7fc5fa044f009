"""The check that costs nothing: a stream as its writer knows it, before a segment is read again. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from checker.playlist import parse_media, parse_multivariant
from checker.rules import Report, apply_rules
from checker.stream import Stream, Track
from checker.tracks import Segment, read_header
from shared.mp4.bmff import MalformedMedia


@dataclass(frozen=True)
class WrittenTrack:
    """A track of video or audio as it was written.

    Attributes:
        playlist: path of its media playlist. header_path, header: of its initialization segment.
        uris: path of each segment, in order. segments: what is in each of them.
    """

    playlist: str
    header_path: str
    header: bytes
    uris: Sequence[str]
    segments: Sequence[Segment]


def check_written(
    multivariant: str, documents: Mapping[str, str], tracks: Sequence[WrittenTrack], objects: Mapping[str, int]
) -> Report:
    """Apply the rules to what is about to be published; rules that need the segments' bytes come out as skipped.

    Args:
        multivariant: path of the multivariant playlist among the documents.
        documents: texts of the playlists by path.
        objects: bytes of every segment of every track by path, also of those of text.

    Raises:
        NotAPlaylist: one of the texts is no playlist.
        KeyError: there is no multivariant playlist.
    """
    top = parse_multivariant(documents[multivariant], multivariant)
    texts = {path: text for path, text in documents.items() if path.endswith(".m3u8") and path != multivariant}
    playlists = {path: parse_media(text, path) for path, text in texts.items()}
    named = {entry.uri for entry in (*top.variants, *top.renditions, *top.iframes) if entry.uri}
    unreadable = [(path, "not written") for path in sorted(named - playlists.keys())]
    listed = dict.fromkeys(piece.uri for playlist in playlists.values() for piece in playlist.pieces)
    unreadable += [(uri, "not uploaded") for uri in listed if uri not in objects]
    read, broken = {}, []
    for track in tracks:
        playlist = playlists.get(track.playlist)
        if playlist is None:
            continue
        if [piece.uri for piece in playlist.pieces] != list(track.uris):
            broken.append((track.playlist, f"{len(playlist.pieces)} segments listed, {len(track.uris)} made"))
            continue
        try:
            header = read_header(track.header)
        except MalformedMedia as error:
            broken.append((track.header_path, str(error)))
            continue
        read[track.playlist] = Track(playlist, header, tuple(track.segments))
    return apply_rules(Stream(top, playlists, read, tuple(unreadable), tuple(broken), measured=False))
