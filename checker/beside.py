"""What lies beside a multivariant playlist without being named in it: manifest, texts, pictures for the seek bar. Pure."""

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


def sheet_address(manifest: Manifest) -> str | None:
    """The sheet of pictures for the seek bar that a manifest leads to."""
    return next((one.address("media") for _, one in manifest.of("image")), None)
