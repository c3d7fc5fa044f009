"""Reads HLS playlists (RFC 8216bis, section 4) as they are written, right or wrong; judging them is for the rules. Pure."""

import re
from dataclasses import dataclass, field
from fractions import Fraction
from urllib.parse import urljoin

_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)')
_BYTE_RANGE = re.compile(r"(\d+)(?:@(\d+))?$")
_DECIMAL = re.compile(r"\d+(\.\d*)?$")


class NotAPlaylist(ValueError):
    """The text is no playlist, or a tag that everything depends on has no meaning."""


@dataclass(frozen=True)
class Entry:
    """A tag that leads to a media playlist: its attributes (without quotes), and the address; None where it has none."""

    attributes: dict[str, str]
    uri: str | None

    @property
    def where(self) -> str:
        """What to call it in a finding."""
        return self.attributes.get("NAME") or self.uri or "?"


@dataclass(frozen=True, kw_only=True)
class Multivariant:
    """A multivariant playlist: variants (``EXT-X-STREAM-INF``), renditions (``EXT-X-MEDIA``), I-frame variants."""

    url: str
    version: int
    independent: bool
    variants: tuple[Entry, ...]
    renditions: tuple[Entry, ...]
    iframes: tuple[Entry, ...]


@dataclass(frozen=True)
class Piece:
    """A segment as a playlist lists it: address, EXTINF in seconds, and offset and length where it is part of a file."""

    uri: str
    seconds: Fraction
    byte_range: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class MediaPlaylist:
    """A media playlist; ``target`` is in seconds, ``kind`` the EXT-X-PLAYLIST-TYPE; None is a tag that is not there."""

    url: str
    version: int
    target: int | None
    kind: str | None
    ended: bool
    independent: bool
    iframes_only: bool
    header: str | None
    pieces: tuple[Piece, ...] = field(repr=False)

    @property
    def seconds(self) -> Fraction:
        """Sum of the EXTINF durations."""
        return sum((piece.seconds for piece in self.pieces), Fraction(0))


def attributes(text: str) -> dict[str, str]:
    """An attribute list."""
    return {name: value.strip('"') for name, value in _ATTRIBUTE.findall(text)}


def parse_multivariant(text: str, url: str) -> Multivariant:
    """Read a multivariant playlist; addresses come out resolved against ``url`` (a URL or a path).

    Raises:
        NotAPlaylist: it is not one.
    """
    lines = _lines(text, url)
    variants: list[Entry] = []
    renditions: list[Entry] = []
    iframes: list[Entry] = []
    for number, line in enumerate(lines):
        name, _, value = line.partition(":")
        if name == "#EXT-X-STREAM-INF":
            following = next((rest for rest in lines[number + 1 :] if not rest.startswith("#")), None)
            variants.append(Entry(attributes(value), urljoin(url, following) if following else None))
        elif name in ("#EXT-X-MEDIA", "#EXT-X-I-FRAME-STREAM-INF"):
            found = attributes(value)
            entry = Entry(found, urljoin(url, found["URI"]) if "URI" in found else None)
            (renditions if name == "#EXT-X-MEDIA" else iframes).append(entry)
    if not variants:
        raise NotAPlaylist(f"{url} has no variant")
    return Multivariant(
        url=url,
        version=_number(lines, "#EXT-X-VERSION") or 1,
        independent="#EXT-X-INDEPENDENT-SEGMENTS" in lines,
        variants=tuple(variants),
        renditions=tuple(renditions),
        iframes=tuple(iframes),
    )


def parse_media(text: str, url: str) -> MediaPlaylist:
    """Read a media playlist or an I-frame playlist.

    Raises:
        NotAPlaylist: it is not one.
    """
    lines = _lines(text, url)
    maps = [attributes(line.partition(":")[2]).get("URI") for line in lines if line.startswith("#EXT-X-MAP:")]
    return MediaPlaylist(
        url=url,
        version=_number(lines, "#EXT-X-VERSION") or 1,
        target=_number(lines, "#EXT-X-TARGETDURATION"),
        kind=next((line.partition(":")[2] for line in lines if line.startswith("#EXT-X-PLAYLIST-TYPE:")), None),
        ended="#EXT-X-ENDLIST" in lines,
        independent="#EXT-X-INDEPENDENT-SEGMENTS" in lines,
        iframes_only="#EXT-X-I-FRAMES-ONLY" in lines,
        header=urljoin(url, maps[0]) if maps and maps[0] else None,
        pieces=tuple(_pieces(lines, url)),
    )


def _pieces(lines: list[str], url: str) -> list[Piece]:
    pieces: list[Piece] = []
    seconds: Fraction | None = None
    byte_range: tuple[int, int] | None = None
    for line in lines:
        name, _, value = line.partition(":")
        if name == "#EXTINF":
            duration = value.partition(",")[0]
            if not _DECIMAL.match(duration):
                raise NotAPlaylist(f"{url}: no duration in {line!r}")
            seconds = Fraction(duration.rstrip("."))
        elif name == "#EXT-X-BYTERANGE":
            byte_range = _byte_range(value, url, pieces)
        elif not line.startswith("#"):
            if seconds is None:
                raise NotAPlaylist(f"{url}: {line} has no EXTINF")
            pieces.append(Piece(urljoin(url, line), seconds, byte_range))
            seconds = byte_range = None
    return pieces


def _byte_range(value: str, url: str, pieces: list[Piece]) -> tuple[int, int]:
    found = _BYTE_RANGE.match(value)
    if found is None:
        raise NotAPlaylist(f"{url}: no byte range in {value!r}")
    before = pieces[-1].byte_range if pieces else None
    offset = int(found[2]) if found[2] else (sum(before) if before else 0)
    return offset, int(found[1])


def _lines(text: str, url: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or lines[0] != "#EXTM3U":
        raise NotAPlaylist(f"{url} does not begin with #EXTM3U")
    return lines


def _number(lines: list[str], tag: str) -> int | None:
    value = next((line.partition(":")[2] for line in lines if line.startswith(f"{tag}:")), "")
    return int(value) if value.isdecimal() else None
