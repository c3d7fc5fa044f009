"""Reads a presentation: everything that a multivariant playlist leads to, and what lies beside it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import urlsplit

import aiohttp

from checker.beside import (
    initialization_addresses,
    manifest_address,
    sheet_address,
    sprite_cues_address,
    text_addresses,
)
from checker.boxes import MalformedMedia
from checker.cues import WebVtt, read_webvtt
from checker.initialization import InitializationSegment, read_initialization
from checker.jpeg import jpeg_size
from checker.keys import decrypted, is_whole, whole_key
from checker.manifest import Manifest, NotAManifest, parse_manifest
from checker.playlist import ByteRange, MediaPlaylist, NotAPlaylist, parse_media, parse_multivariant
from checker.presentation import Presentation, Sprite, Track
from checker.segments import Segment, read_segment
from checker.source import Files, Http, Source, Unreadable

T = TypeVar("T")

_PARALLEL = 8


async def read_presentation(address: str, *, key: bytes | None = None) -> Presentation:
    """Read everything that belongs to the multivariant playlist at a URL or a path.

    Args:
        key: of segments that are encrypted as a whole; None to read it from where the playlists say.

    Raises:
        Unreadable: the multivariant playlist does not answer.
        NotAPlaylist: it is none.
    """
    if urlsplit(address).scheme in ("http", "https"):
        async with aiohttp.ClientSession() as session:
            return await Reading(Http(session), key).presentation(address)
    return await Reading(Files(), key).presentation(address)


class Reading:
    """One pass over a presentation; collects what cannot be read instead of stopping at it."""

    def __init__(self, source: Source, key: bytes | None = None) -> None:
        self._source = source
        self._key = key
        self._turns = asyncio.Semaphore(_PARALLEL)
        self._seen: set[str] = set()
        self._sizes: dict[str, int] = {}
        self._unreadable: dict[str, str] = {}
        self._broken: dict[str, str] = {}

    async def presentation(self, address: str) -> Presentation:
        """Read the presentation of a multivariant playlist."""
        top = parse_multivariant(await self._source.read(address), address)
        entries = [*top.variants, *top.renditions, *top.iframes]
        wanted = list(dict.fromkeys(entry.uri for entry in entries if entry.uri))
        found = await asyncio.gather(*(self._parsed(uri, parse_media) for uri in wanted))
        playlists = {one.url: one for one in found if one}
        iframes = {entry.uri for entry in top.iframes}
        texts = {entry.uri for entry in top.renditions if entry.attributes.get("TYPE") == "SUBTITLES"}
        # One track after the other: the memory that this takes is that of one track's segments in flight.
        tracks, segments = {}, {}
        for url, playlist in playlists.items():
            if url in texts:
                if (text := await self._text(playlist)) is not None:
                    segments[url] = text
            elif url not in iframes and (track := await self._track(playlist)):
                tracks[url] = track
        # What no track is made of (segments of I-frame playlists) has to be there all the same.
        listed = dict.fromkeys(uri for playlist in playlists.values() for uri in playlist.uris)
        await asyncio.gather(*(self._bytes(uri) for uri in listed if uri not in self._seen))
        manifest = await self._optional(manifest_address(address), parse_manifest)
        known = {track.playlist.initialization for track in tracks.values()}
        initializations = await self._initializations(initialization_addresses(manifest, known) if manifest else [])
        whole_texts = await self._whole_texts(manifest)
        sprite = await self._sprite(manifest, sprite_cues_address(address))
        return Presentation(
            multivariant=top,
            playlists=playlists,
            tracks=tracks,
            initializations=initializations,
            unreadable=tuple(self._unreadable.items()),
            broken=tuple(self._broken.items()),
            sizes=self._sizes,
            texts=segments,
            whole_texts=whole_texts,
            manifest=manifest,
            manifest_url=manifest_address(address),
            sprite=sprite,
        )

    async def _track(self, playlist: MediaPlaylist) -> Track | None:
        if not playlist.initialization:
            return None
        initialization = await self._parsed(playlist.initialization, lambda body, _: read_initialization(body))
        if initialization is None:
            return None
        if is_whole(playlist):
            found = await self._decrypted(playlist, initialization)
        else:
            listed = zip(playlist.uris, playlist.byte_ranges, strict=True)
            found = await asyncio.gather(*(self._segment(uri, part, initialization) for uri, part in listed))
        # A track with a hole would break every rule about time as well, which says nothing more.
        segments = _without_holes(found)
        return Track(playlist, initialization, segments) if segments else None

    async def _initializations(self, addresses: Sequence[str]) -> dict[str, InitializationSegment]:
        found = {url: await self._parsed(url, lambda body, _: read_initialization(body)) for url in addresses}
        return {url: one for url, one in found.items() if one}

    async def _segment(self, url: str, part: ByteRange | None, initialization: InitializationSegment) -> Segment | None:
        return await self._parsed(url, lambda body, _: read_segment(body, initialization), part=part)

    async def _decrypted(self, playlist: MediaPlaylist, initialization: InitializationSegment) -> list[Segment | None]:
        """The segments of a playlist that are encrypted as a whole, read as a player does; they are as long as they lie there."""
        try:
            told = whole_key(playlist)
        except MalformedMedia as error:
            self._broken[playlist.url] = str(error)
            return []
        key = self._key or (await self._bytes(told.uri) if told else None)
        if told is None or key is None:
            return []

        async def segment(number: int, url: str, part: ByteRange | None) -> Segment | None:
            iv = told.iv or (playlist.first_number + number).to_bytes(16)
            parse = lambda body, _: read_segment(decrypted(body, key, iv), initialization)._replace(size=len(body))  # noqa: E731
            return await self._parsed(url, parse, part=part)

        listed = zip(playlist.uris, playlist.byte_ranges, strict=True)
        return await asyncio.gather(*(segment(number, *one) for number, one in enumerate(listed)))

    async def _text(self, playlist: MediaPlaylist) -> tuple[WebVtt, ...] | None:
        return _without_holes(await asyncio.gather(*(self._webvtt(uri) for uri in playlist.uris)))

    async def _whole_texts(self, manifest: Manifest | None) -> dict[str, WebVtt]:
        addresses = text_addresses(manifest) if manifest else []
        found = {url: await self._webvtt(url) for url in addresses}
        return {url: text for url, text in found.items() if text}

    async def _sprite(self, manifest: Manifest | None, cues: str) -> Sprite:
        sheet = sheet_address(manifest) if manifest else None
        if sheet is None:
            return Sprite(None, None)
        picture = await self._bytes(sheet)
        return Sprite(await self._webvtt(cues), jpeg_size(picture) if picture else None)

    async def _webvtt(self, url: str) -> WebVtt | None:
        return await self._parsed(url, lambda body, _: read_webvtt(body))

    async def _optional(self, url: str, parse: Callable[[bytes, str], T]) -> T | None:
        """The same for what need not be there."""
        found = await self._parsed(url, parse)
        self._unreadable.pop(url, None)
        return found

    async def _parsed(self, url: str, parse: Callable[[bytes, str], T], *, part: ByteRange | None = None) -> T | None:
        """What lies at an address; None, and noted, where it cannot be read or has no meaning."""
        async with self._turns:
            body = await self._read(url, part)
            if body is None:
                return None
            try:
                return parse(body, url)
            except (NotAPlaylist, NotAManifest, MalformedMedia) as error:
                self._broken[url] = str(error)
                return None

    async def _bytes(self, url: str) -> bytes | None:
        async with self._turns:
            return await self._read(url, None)

    async def _read(self, url: str, part: ByteRange | None) -> bytes | None:
        self._seen.add(url)
        try:
            body = await self._source.read(url, part)
        except Unreadable as error:
            self._unreadable[url] = str(error)
            return None
        if part is None:
            self._sizes[url] = len(body)
        return body


def _without_holes(found: Sequence[T | None]) -> tuple[T, ...] | None:
    """All of them; None where one is missing, or where there are none."""
    whole = tuple(one for one in found if one is not None)
    return whole if whole and len(whole) == len(found) else None
