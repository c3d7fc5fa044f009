"""The check that costs nothing: what the uploader knows of a stream already, without reading a segment again. Pure."""

from collections.abc import Mapping
from itertools import accumulate

from services.uploader import presentation
from services.uploader.check.playlist import parse_media, parse_multivariant
from services.uploader.check.rules import Report, apply_rules
from services.uploader.check.stream import Stream, Track
from services.uploader.check.tracks import Segment, read_header
from services.uploader.layout import HEADER, MASTER
from shared.media.bmff import MalformedMedia


def check_presentation(stream: presentation.Presentation, documents: Mapping[str, str]) -> Report:
    """Apply the rules to what is about to be published; rules that need the segments' bytes come out as skipped.

    Args:
        documents: texts of the playlists by path below the output prefix, the master among them.

    Raises:
        NotAPlaylist: one of the texts is no playlist.
        KeyError: there is no master.
    """
    master = parse_multivariant(documents[MASTER], MASTER)
    texts = {path: text for path, text in documents.items() if path.endswith(".m3u8") and path != MASTER}
    playlists = {path: parse_media(text, path) for path, text in texts.items()}
    named = {entry.uri for entry in (*master.variants, *master.renditions, *master.iframes) if entry.uri}
    unreadable = [(path, "not written") for path in sorted(named - playlists.keys())]
    tracks, broken = {}, []
    for track in stream.tracks:
        playlist = playlists.get(track.playlist)
        if playlist is None:
            continue
        missing = [piece.uri for piece in playlist.pieces if piece.uri not in track.objects()]
        unreadable += [(uri, "not uploaded") for uri in missing]
        if missing or len(playlist.pieces) != len(track.sizes):
            broken.append((track.playlist, f"{len(playlist.pieces)} segments listed, {len(track.sizes)} made"))
            continue
        if track.kind == "text":
            continue
        try:
            header = read_header(track.header)
        except MalformedMedia as error:
            broken.append((f"{track.folder}/{HEADER}", str(error)))
            continue
        tracks[track.playlist] = Track(playlist, header, tuple(_segments(track)))
    return apply_rules(Stream(master, playlists, tracks, tuple(unreadable), tuple(broken), measured=False))


def _segments(track: presentation.Track) -> list[Segment]:
    starts = accumulate(track.durations, initial=0)
    marks = track.iframes if isinstance(track, presentation.Rendition) else ()
    segments = []
    for number, (size, start, duration) in enumerate(zip(track.sizes, starts, track.durations, strict=False)):
        steps = [ticks for _, _, ticks in marks[number]] if number < len(marks) else []
        keys = tuple(start + step for step in accumulate(steps[:-1], initial=0)) if steps else ()
        segments.append(Segment(size, start, duration, keys))
    return segments
