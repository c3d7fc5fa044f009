"""What players are given of a job's output: playlists, manifests and cues whose references lead on. Pure.

A reference to another playlist gets the query that lets its reader in here; what is media gets an address at the storage. What
leads elsewhere stays as it is, and what leads out of the output is refused: whoever may write to a bucket has no say in what is
signed.
"""

import re
from collections.abc import Callable
from html import unescape
from pathlib import PurePosixPath
from urllib.parse import unquote, urljoin
from xml.sax.saxutils import escape, quoteattr

from pydantic import Field

from services.api.contract.responses import Instant, Response
from shared.media.layout import CUES, content_type

MOST_BYTES = 16 * 1024 * 1024
"""Of a playlist or manifest: several times what a film of a day has."""

MOST_REFERENCES = 250_000
"""Of a playlist, manifest or file of cues: a film of a day in segments of a second has a third of that. Each becomes an address
of half a kilobyte, so that a small file of nothing else would become one that fills the memory."""

Sign = Callable[[str], str]
"""From the path of an object below the output's prefix to an address of it."""

_SEGMENT, _END = "#EXTINF", "#EXT-X-ENDLIST"
_PLAYLIST, _MANIFEST = ".m3u8", ".mpd"
_URI = re.compile(r'([:,]URI=")([^"\r\n]*)"')
# In double quotes, as they are written; no other attribute or element of ours refers to an object.
# What follows each beginning ends soon or is looked for once: whoever writes to a bucket must not make this quadratic.
_REFERENCE = re.compile(r'(\s(?:initialization|media)=)"([^"]*)"|(<BaseURL>)([^<]*)(?=</BaseURL>)')
_ABSOLUTE = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:|/)")
_PLACE = re.compile(r"\$[^$]*\$")
"""Of a number in a template."""

_ROOT = "/output/"
"""What stands for the prefix while references are resolved."""

_ODD = re.compile(r"[\x00-\x1f\x7f\\]")


class LeadsOutside(ValueError):
    """A reference leads out of the output, or to nothing that an output consists of."""


class TooManyReferences(ValueError):
    """There are more references than in anything that is written here."""


class Playback(Response):
    """Addresses that a player takes as they are: it needs no token."""

    hls: str = Field(description="The multivariant playlist")
    dash: str | None = Field(description="The DASH manifest; null where there is none")
    sprite: str | None = Field(description="WebVTT with the pictures of the seek bar; null where there is none")
    expires_at: Instant | None = Field(
        description="When they stop working; null where the output is public at these addresses"
    )


def check_path(path: str) -> str:
    """A path below the output's prefix.

    Raises:
        LeadsOutside: no object of an output lies there.
    """
    if _ODD.search(path) or any(piece in ("", ".", "..") for piece in path.split("/")):
        raise LeadsOutside(path)
    try:
        content_type(path)
    except KeyError:
        raise LeadsOutside(path) from None
    return path


def is_rewritten(path: str) -> bool:
    """Whether what lies there has references, so that it passes this server."""
    return path == CUES or PurePosixPath(path).suffix in (_PLAYLIST, _MANIFEST)


def rewritten(path: str, text: str, *, sign: Sign, query: str, keys: dict[str, str]) -> str:
    """A playlist, manifest or file of cues with references that its reader can follow.

    Args:
        path: where it lies. sign: for media. query: that lets the reader in here. keys: signed addresses of keys, by those that
            stand in playlists.

    Raises:
        LeadsOutside: it refers to something else than the output. TooManyReferences: more of them than any output has.
    """
    left = MOST_REFERENCES

    def count() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise TooManyReferences(f"more than {MOST_REFERENCES} references")

    # What is read again and again has to say the same of what it has said before; a presigned address is another one each time.
    growing = _SEGMENT in text and _END not in text
    known: dict[str, str] = {}

    def lead(reference: str) -> str:
        count()
        # Several pieces of one object follow each other.
        if reference not in known:
            known[reference] = _led(path, reference, sign=None if growing else sign, query=query, keys=keys)
        return known[reference]

    match PurePosixPath(path).suffix:
        case ".m3u8":
            return "".join(_playlist_line(line, lead) for line in text.splitlines(keepends=True))
        case ".mpd":

            def lead_manifest(match: re.Match[str]) -> str:
                count()
                return _manifest_reference(match, path, query)

            return _REFERENCE.sub(lead_manifest, text)
        case _:
            return "".join(_cue_line(line, lead) for line in text.splitlines(keepends=True))


def _playlist_line(line: str, lead: Callable[[str], str]) -> str:
    if line.startswith("#"):
        return _URI.sub(lambda match: f'{match[1]}{lead(match[2])}"', line) if "URI=" in line else line
    reference = line.rstrip("\r\n")
    return lead(reference) + line[len(reference) :] if reference.strip() else line


def _cue_line(line: str, lead: Callable[[str], str]) -> str:
    reference, mark, piece = line.partition("#xywh=")
    return f"{lead(reference)}{mark}{piece}" if mark else line


def _manifest_reference(match: re.Match[str], path: str, query: str) -> str:
    """A template cannot be signed for every segment: this server sends each on to the storage."""
    quoted = match[1] is not None
    before, text = (match[1], match[2]) if quoted else (match[3], match[4])
    reference = unescape(text)
    if not _ABSOLUTE.match(reference):
        _resolved(path, _PLACE.sub("0", reference))
        reference = f"{reference}?{query}"
    return before + (quoteattr(reference) if quoted else escape(reference))


def _led(path: str, reference: str, *, sign: Sign | None, query: str, keys: dict[str, str]) -> str:
    if _ABSOLUTE.match(reference):
        return keys.get(reference, reference)
    target = _resolved(path, reference)
    return f"{reference}?{query}" if sign is None or is_rewritten(target) else sign(target)


def _resolved(path: str, reference: str) -> str:
    """The path that a relative reference leads to from another one."""
    if "?" in reference or "#" in reference:
        raise LeadsOutside(reference)
    joined = urljoin(f"{_ROOT}{path}", reference)
    if not joined.startswith(_ROOT):
        raise LeadsOutside(reference)
    return check_path(unquote(joined.removeprefix(_ROOT)))
