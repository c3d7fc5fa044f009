"""Keys as playlists tell of them (RFC 8216bis, 4.4.4.4 and 4.4.6.5), and decryption of whole segments. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from checker.boxes import MalformedMedia
from checker.playlist import MediaPlaylist, Tag, attribute_list, resolver

WHOLE_SEGMENTS, SAMPLES = "AES-128", "SAMPLE-AES"
_BLOCK = 16
KEY_BYTES = 16
_HEX = re.compile(r"0[xX]([0-9a-fA-F]{32})")


@dataclass(frozen=True)
class KeyTag:
    """A tag that names a key.

    Attributes:
        attributes: by name, without quotes; of one that is there twice, the first. raw: in order, with quotes.
        malformed: what is left of the list where it could not be read on.
    """

    tag: Tag
    attributes: dict[str, str]
    raw: tuple[tuple[str, str], ...]
    malformed: str

    @property
    def method(self) -> str:
        """``NONE``, ``AES-128``, ``SAMPLE-AES`` or ``SAMPLE-AES-CTR``."""
        return self.attributes.get("METHOD", "")

    @property
    def format(self) -> str:
        """Of the key; what is meant where nothing is said included."""
        return self.attributes.get("KEYFORMAT", "identity")

    def hexadecimal(self, name: str) -> str | None:
        """16 bytes of an attribute in hexadecimal, lower case; None where it is not there or is none."""
        found = _HEX.fullmatch(self.attributes.get(name, ""))
        return found[1].lower() if found else None


def key_tags(tags: Iterable[Tag], name: str = "EXT-X-KEY") -> list[KeyTag]:
    """The tags of a name that is ``EXT-X-KEY`` or ``EXT-X-SESSION-KEY``, in order."""
    found = []
    for tag in tags:
        if tag.name == name:
            raw, malformed = attribute_list(tag.value or "")
            values = {attribute: value.strip('"') for attribute, value in reversed(raw)}
            found.append(KeyTag(tag, values, tuple(raw), malformed))
    return found


def is_whole(playlist: MediaPlaylist) -> bool:
    """Whether a playlist's segments are encrypted as a whole, so that nothing in them can be read."""
    return any(key.method == WHOLE_SEGMENTS for key in key_tags(playlist.tags))


@dataclass(frozen=True)
class WholeKey:
    """How the segments of a playlist are decrypted: where the key is, and its initialization vector.

    ``iv`` is None where that is the number of the segment.
    """

    uri: str
    iv: bytes | None


def whole_key(playlist: MediaPlaylist) -> WholeKey | None:
    """The first key for whole segments that a playlist names; None without one.

    Raises:
        MalformedMedia: the tag says neither where the key is nor what it is.
    """
    for key in key_tags(playlist.tags):
        if key.method == WHOLE_SEGMENTS:
            uri, iv = key.attributes.get("URI"), key.hexadecimal("IV")
            if not uri or (iv is None and "IV" in key.attributes):
                raise MalformedMedia("an EXT-X-KEY without a meaning")
            return WholeKey(resolver(playlist.url)(uri), bytes.fromhex(iv) if iv else None)
    return None


def decrypted(body: bytes, key: bytes, iv: bytes) -> bytes:
    """A segment that was encrypted as a whole: AES-128 in CBC mode, padded as PKCS #7 has it.

    Raises:
        MalformedMedia: the key is none, or not the one.
    """
    if len(key) != KEY_BYTES or not body or len(body) % _BLOCK:
        raise MalformedMedia(f"{len(body)} bytes that a key of {len(key)} bytes cannot decrypt")
    decryptor, padding = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor(), PKCS7(8 * _BLOCK).unpadder()
    try:
        return padding.update(decryptor.update(body)) + padding.finalize()
    except ValueError:
        raise MalformedMedia("encrypted with another key or initialization vector") from None
