"""Reads HLS playlists (RFC 8216bis, section 4) as they are written, right or wrong; judging them is for the rules. Pure.

It shares nothing with what writes our playlists. The library that most use, m3u8, reads playlists for those who want to play
them: durations become floats, so that a microsecond too many is gone; quotes, repeated attributes and tags that it does not
know are dropped silently; and tags are told apart by how they begin. A checker has to see all of that.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple
from urllib.parse import urljoin

_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",\s]*)(?:,(?=.)|$)')
# No number that means anything is longer than that.
_BYTE_RANGE = re.compile(r"([0-9]{1,15})(?:@([0-9]{1,15}))?")
_DECIMAL = re.compile(r"([0-9]{1,15})(?:\.([0-9]{0,15}))?")
_INTEGER = re.compile(r"[0-9]{1,20}")
# References without anything that has to be resolved.
_PLAIN = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")


class NotAPlaylist(ValueError):
    """The text is no playlist, or a tag that everything depends on has no meaning."""


class Tag(NamedTuple):
    """A tag: its name without ``#``, and what stands behind the colon; None without a colon. ``line`` counts from 1."""

    name: str
    value: str | None
    line: int


@dataclass(frozen=True)
class Entry:
    """A tag that leads to a media playlist.

    Attributes:
        tag: as it is written.
        attributes: by name, without quotes; of one that is there twice, the first. raw: in order, with quotes.
        malformed: what is left of the list where it could not be read on.
        uri: address of the media playlist, resolved; None where there is none.
    """

    tag: Tag
    attributes: dict[str, str]
    raw: tuple[tuple[str, str], ...]
    malformed: str
    uri: str | None

    @property
    def where(self) -> str:
        """What to call it in a finding."""
        return self.attributes.get("NAME") or self.uri or "?"


@dataclass(frozen=True, kw_only=True)
class Multivariant:
    """A multivariant playlist: variants (``EXT-X-STREAM-INF``), renditions (``EXT-X-MEDIA``), I-frame variants.

    ``tags`` are all tags in order.
    """

    url: str
    tags: tuple[Tag, ...] = field(repr=False)
    variants: tuple[Entry, ...]
    renditions: tuple[Entry, ...]
    iframes: tuple[Entry, ...]

    @property
    def version(self) -> int:
        """EXT-X-VERSION."""
        return _number(self.tags, "EXT-X-VERSION") or 1

    @property
    def independent(self) -> bool:
        """Whether EXT-X-INDEPENDENT-SEGMENTS is there."""
        return _is_there(self.tags, "EXT-X-INDEPENDENT-SEGMENTS")


ByteRange = tuple[int, int]
"""Offset and length of a part of a file."""


@dataclass(frozen=True, kw_only=True)
class MediaPlaylist:
    """A media playlist or an I-frame playlist.

    Attributes:
        tags: all tags in order but those that belong to one segment, EXTINF and EXT-X-BYTERANGE.
        initialization: address of the initialization segment; None without EXT-X-MAP.
        timescale: how many ticks of EXTINF, as finely as it is written, are a second: 1,000,000 for six decimals.
        first_line: of the first segment, counted from 1; 0 without segments.
        uris, durations, byte_ranges: of each segment the address, EXTINF in ticks, and which part of the file it is; None
            where it is all of it. There are hundreds of thousands in a long presentation, hence no objects.
    """

    url: str
    tags: tuple[Tag, ...] = field(repr=False)
    initialization: str | None
    timescale: int
    first_line: int = 0
    uris: list[str] = field(repr=False)
    durations: list[int] = field(repr=False)
    byte_ranges: list[ByteRange | None] = field(repr=False)

    @property
    def version(self) -> int:
        """EXT-X-VERSION."""
        return _number(self.tags, "EXT-X-VERSION") or 1

    @property
    def target(self) -> int | None:
        """EXT-X-TARGETDURATION, seconds."""
        return _number(self.tags, "EXT-X-TARGETDURATION")

    @property
    def first_number(self) -> int:
        """EXT-X-MEDIA-SEQUENCE."""
        return _number(self.tags, "EXT-X-MEDIA-SEQUENCE") or 0

    @property
    def kind(self) -> str | None:
        """EXT-X-PLAYLIST-TYPE."""
        return next((tag.value for tag in self.tags if tag.name == "EXT-X-PLAYLIST-TYPE"), None)

    @property
    def ended(self) -> bool:
        """Whether EXT-X-ENDLIST is there."""
        return _is_there(self.tags, "EXT-X-ENDLIST")

    @property
    def independent(self) -> bool:
        """Whether EXT-X-INDEPENDENT-SEGMENTS is there."""
        return _is_there(self.tags, "EXT-X-INDEPENDENT-SEGMENTS")

    @property
    def iframes_only(self) -> bool:
        """Whether EXT-X-I-FRAMES-ONLY is there."""
        return _is_there(self.tags, "EXT-X-I-FRAMES-ONLY")

    @property
    def seconds(self) -> Fraction:
        """Sum of the EXTINF durations."""
        return Fraction(sum(self.durations), self.timescale)


def parse_multivariant(body: bytes, url: str) -> Multivariant:
    """Read a multivariant playlist; addresses come out resolved against ``url`` (a URL or a path).

    Raises:
        NotAPlaylist: it is not one.
    """
    lines, tags, resolve = _lines(body, url), list[Tag](), resolver(url)
    lists: dict[str, list[Entry]] = {"EXT-X-STREAM-INF": [], "EXT-X-MEDIA": [], "EXT-X-I-FRAME-STREAM-INF": []}
    for number, line in enumerate(lines, start=1):
        if not line.startswith("#EXT"):
            continue
        tag = _tag(line, number)
        tags.append(tag)
        if tag.name in lists:
            raw, malformed = attribute_list(tag.value or "")
            found = {name: value.strip('"') for name, value in reversed(raw)}
            reference = found.get("URI")
            if tag.name == "EXT-X-STREAM-INF":
                reference = next((rest for rest in lines[number:] if rest and not rest.startswith("#")), None)
            uri = resolve(reference) if reference else None
            lists[tag.name].append(Entry(tag, found, tuple(raw), malformed, uri))
    variants, renditions, iframes = map(tuple, lists.values())
    if not variants:
        raise NotAPlaylist(f"{url} has no variant")
    return Multivariant(url=url, tags=tuple(tags), variants=variants, renditions=renditions, iframes=iframes)


def parse_media(body: bytes, url: str) -> MediaPlaylist:
    """Read a media playlist or an I-frame playlist.

    Raises:
        NotAPlaylist: it is not one.
    """
    lines, tags, resolve = _lines(body, url), list[Tag](), resolver(url)
    references, told, byte_ranges = list[str](), list[str](), list[ByteRange | None]()
    duration, byte_range, first_line = None, None, 0
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        # Nearly all lines of a long playlist are one of these three.
        if line[:8] == "#EXTINF:":
            duration = line[8:].partition(",")[0]
        elif line[:17] == "#EXT-X-BYTERANGE:":
            byte_range = _byte_range(line[17:], url, byte_ranges[-1] if byte_ranges else None)
        elif line[0] == "#":
            if line.startswith("#EXT"):
                tags.append(_tag(line, number))
        else:
            if duration is None:
                raise NotAPlaylist(f"{url}: {line} has no EXTINF")
            first_line = first_line or number
            references.append(line)
            told.append(duration)
            byte_ranges.append(byte_range)
            duration = byte_range = None
    timescale, ticks = _ticks(set(told), url)
    uris = {reference: resolve(reference) for reference in dict.fromkeys(references)}
    maps = [tag.value or "" for tag in tags if tag.name == "EXT-X-MAP"]
    map_uri = dict(attribute_list(maps[0])[0]).get("URI", "").strip('"') if maps else ""
    return MediaPlaylist(
        url=url,
        tags=tuple(tags),
        initialization=resolve(map_uri) if map_uri else None,
        timescale=timescale,
        first_line=first_line,
        uris=[uris[reference] for reference in references],
        durations=[ticks[text] for text in told],
        byte_ranges=byte_ranges,
    )


def attribute_list(text: str) -> tuple[list[tuple[str, str]], str]:
    """The attributes of a list, in order and with their quotes, and what is left where it is none from there on."""
    found, position = list[tuple[str, str]](), 0
    while position < len(text):
        match = _ATTRIBUTE.match(text, position)
        if match is None:
            return found, text[position:]
        found.append((match[1], match[2]))
        position = match.end()
    return found, ""


def resolver(url: str) -> Callable[[str], str]:
    """Resolves references that stand in the document at ``url``, a URL or a path."""
    folder = urljoin(url, "x").removesuffix("x")
    return lambda reference: folder + reference if _PLAIN.fullmatch(reference) else urljoin(url, reference)


def _lines(body: bytes, url: str) -> list[str]:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise NotAPlaylist(f"{url} is not UTF-8") from None
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[0] != "#EXTM3U":
        raise NotAPlaylist(f"{url} does not begin with #EXTM3U")
    return lines


def _tag(line: str, number: int) -> Tag:
    name, colon, value = line[1:].partition(":")
    return Tag(name, value if colon else None, number)


def _ticks(told: set[str], url: str) -> tuple[int, dict[str, int]]:
    """Ticks per second, so fine that every duration is a whole number of them, and the ticks of each."""
    numbers: dict[str, tuple[str, str]] = {}
    for text in told:
        match = _DECIMAL.fullmatch(text)
        if match is None:
            raise NotAPlaylist(f"{url}: no duration in EXTINF:{text}")
        numbers[text] = match[1], match[2] or ""
    places = max((len(decimals) for _, decimals in numbers.values()), default=0)
    return 10**places, {text: int(whole + decimals.ljust(places, "0")) for text, (whole, decimals) in numbers.items()}


def _byte_range(value: str, url: str, before: ByteRange | None) -> ByteRange:
    found = _BYTE_RANGE.fullmatch(value)
    if found is None:
        raise NotAPlaylist(f"{url}: no byte range in {value!r}")
    offset = int(found[2]) if found[2] else (sum(before) if before else 0)
    return offset, int(found[1])


def _is_there(tags: tuple[Tag, ...], name: str) -> bool:
    return any(tag.name == name for tag in tags)


def _number(tags: tuple[Tag, ...], name: str) -> int | None:
    value = next((tag.value for tag in tags if tag.name == name), None) or ""
    return int(value) if _INTEGER.fullmatch(value) else None
