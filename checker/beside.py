"""What lies beside a multivariant playlist without being named in it: manifest, texts, pictures for the seek bar. Pure."""

from collections.abc import Collection
from urllib.parse import urljoin, urlsplit

from checker.manifest import Manifest

_PLAYLIST, _MANIFEST = ".m3u8", ".mpd"


def manifest_address(multivariant: str) -> str:
    """Where the DASH manifest lies: it has the name of the multivariant playlist, ``video.mpd`` for ``video.m3u8``."""
    is_url = urlsplit(multivariant).scheme in ("http", "https")
    path = multivariant.partition("?")[0] if is_url else multivariant
    return path.removesuffix(_PLAYLIST) + _MANIFEST


def sprite_cues_address(multivariant: str) -> str:
    """Where the cues for the seek bar lie."""
    return urljoin(multivariant, "sprite/sprite.vtt")


def text_addresses(manifest: Manifest) -> list[str]:
    """The files of text that a manifest leads to."""
    return [one.base for _, one in manifest.of("text") if one.base_urls]


def initialization_addresses(manifest: Manifest, known: Collection[str | None]) -> list[str]:
    """The initialization segments of video and audio that a manifest leads to, but for those that are known from playlists."""
    listed = (one.address("initialization") for kind in ("video", "audio") for _, one in manifest.of(kind))
    return [address for address in dict.fromkeys(listed) if address and address not in known]


def sheet_address(manifest: Manifest) -> str | None:
    """The sheet of pictures for the seek bar that a manifest leads to."""
    return next((one.address("media") for _, one in manifest.of("image")), None)
