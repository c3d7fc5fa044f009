"""Reads a stream from where it lies: over HTTP, or out of a folder."""

import asyncio
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import aiohttp

from checker.cues import TextSegment, read_text
from checker.playlist import MediaPlaylist, NotAPlaylist, parse_media, parse_multivariant
from checker.stream import Stream, Track
from checker.tracks import Header, Segment, read_header, read_segment
from shared.mp4.bmff import MalformedMedia

_TIMEOUT_SECONDS = 60
_PARALLEL = 8
# No header or playlist is near to that, and no segment of a few seconds either.
_MOST_BYTES = 512 * 1024 * 1024


class Unreadable(Exception):
    """An address does not answer; the text says why."""


class Source(Protocol):
    """Where bytes come from."""

    async def read(self, address: str) -> bytes:
        """All bytes at an address; raises Unreadable."""


class Files:
    """Addresses are paths."""

    async def read(self, address: str) -> bytes:
        """Read a file."""
        # A reference in a playlist is percent-encoded, the path on the command line is not.
        paths = [Path(address), Path(unquote(address.partition("?")[0]))]
        try:
            path = next(path for path in paths if path.is_file())
            return await asyncio.to_thread(path.read_bytes)
        except StopIteration:
            raise Unreadable("no such file") from None
        except OSError as error:
            raise Unreadable(error.strerror or str(error)) from error


class Http:
    """Addresses are URLs."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def read(self, address: str) -> bytes:
        """GET an address; anything but 200 is a failure."""
        try:
            async with self._session.get(address, timeout=aiohttp.ClientTimeout(_TIMEOUT_SECONDS)) as response:
                if response.status != 200:
                    raise Unreadable(f"HTTP status {response.status}")
                if (response.content_length or 0) > _MOST_BYTES:
                    raise Unreadable(f"{response.content_length} bytes are too many")
                return await response.read()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unreadable(f"{type(error).__name__}: {error}") from error


async def read_stream(address: str) -> Stream:
    """Read everything that a master playlist leads to.

    Raises:
        Unreadable: the master playlist does not answer.
        NotAPlaylist: it is none.
    """
    if urlsplit(address).scheme in ("http", "https"):
        async with aiohttp.ClientSession() as session:
            return await Reading(Http(session)).stream(address)
    return await Reading(Files()).stream(address)


class Reading:
    """One pass over a stream; collects what cannot be read instead of stopping at it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._turns = asyncio.Semaphore(_PARALLEL)
        self._seen: set[str] = set()
        self._unreadable: dict[str, str] = {}
        self._broken: dict[str, str] = {}

    async def stream(self, address: str) -> Stream:
        """Read the stream of a master playlist."""
        master = parse_multivariant((await self._source.read(address)).decode("utf-8", "replace"), address)
        entries = [*master.variants, *master.renditions, *master.iframes]
        wanted = list(dict.fromkeys(entry.uri for entry in entries if entry.uri))
        playlists = {one.url: one for one in await asyncio.gather(*(self._playlist(uri) for uri in wanted)) if one}
        tricks = {entry.uri for entry in master.iframes}
        # One track after the other: the memory that this takes is that of one track's segments in flight.
        tracks = {}
        for url, playlist in playlists.items():
            if url not in tricks and (track := await self._track(playlist)):
                tracks[url] = track
        texts = {}
        for entry in master.renditions:
            text = playlists.get(entry.uri or "")
            if text and entry.attributes.get("TYPE") == "SUBTITLES" and (segments := await self._text(text)):
                texts[text.url] = segments
        # What no track is made of (the segments of I-frame playlists) has to be there all the same.
        pieces = dict.fromkeys(piece.uri for playlist in playlists.values() for piece in playlist.pieces)
        await asyncio.gather(*(self._visit(uri) for uri in pieces if uri not in self._seen))
        unreadable, broken = tuple(self._unreadable.items()), tuple(self._broken.items())
        return Stream(master, playlists, tracks, unreadable, broken, texts=texts)

    async def _playlist(self, url: str) -> MediaPlaylist | None:
        body = await self._read(url)
        if body is None:
            return None
        try:
            return parse_media(body.decode("utf-8", "replace"), url)
        except NotAPlaylist as error:
            self._broken[url] = str(error)
            return None

    async def _track(self, playlist: MediaPlaylist) -> Track | None:
        if not playlist.header:
            return None
        body = await self._read(playlist.header)
        if body is None:
            return None
        try:
            header = read_header(body)
        except MalformedMedia as error:
            self._broken[playlist.header] = str(error)
            return None
        found = await asyncio.gather(*(self._segment(piece.uri, header) for piece in playlist.pieces))
        segments = [segment for segment in found if segment]
        # A track with a hole would break every rule about time as well, which says nothing more.
        return Track(playlist, header, tuple(segments)) if segments and len(segments) == len(found) else None

    async def _text(self, playlist: MediaPlaylist) -> tuple[TextSegment, ...] | None:
        bodies = await asyncio.gather(*(self._visit(piece.uri) for piece in playlist.pieces))
        found = [read_text(body) for body in bodies if body is not None]
        return tuple(found) if len(found) == len(bodies) else None

    async def _segment(self, url: str, header: Header) -> Segment | None:
        async with self._turns:
            body = await self._read(url)
            if body is None:
                return None
            try:
                return read_segment(body, header)
            except MalformedMedia as error:
                self._broken[url] = str(error)
                return None

    async def _visit(self, url: str) -> bytes | None:
        async with self._turns:
            return await self._read(url)

    async def _read(self, url: str) -> bytes | None:
        self._seen.add(url)
        try:
            return await self._source.read(url)
        except Unreadable as error:
            self._unreadable[url] = str(error)
            return None
