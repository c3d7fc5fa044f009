"""What signed requests ask for. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.api.contract.content_ids import parse_content_id
from services.api.contract.errors import Invalid, Messages
from services.api.contract.json_body import parse_members
from services.api.drm.signatures import from_base64

WIDEVINE_TRACKS = ("AUDIO", "SD", "HD", "UHD1", "UHD2")
SCHEMES = ("cbcs", "cenc", "cens", "cbc1")
"""Of Common Encryption (ISO/IEC 23001-7)."""
_CONTENT_ID_BYTES = 16
_NO_ID = "Must be a UUID, with or without hyphens."


@dataclass(frozen=True)
class KeysAsked:
    """The keys of a content for a packager that speaks Widevine's protocol. ``scheme``: of :data:`SCHEMES`."""

    content_id: str
    tracks: tuple[str, ...]
    scheme: str


@dataclass(frozen=True)
class LicenceAsked:
    """A licence for a content: what a player's address says, and who vouches for it."""

    content_id: str
    drm_type: str
    download: bool


@dataclass(frozen=True)
class LicenceData:
    """The parameter ``data`` of a player's address: the text that is signed, and its signature, both base64."""

    content_data: str
    signature: str


def read_content(text: bytes) -> str:
    """The content id in a request such as ``{"content_id": "8216dcdb90c34a4f8abf1671630a8817"}``.

    Raises:
        BadRequest, Invalid: there is none.
    """
    return _content_id(parse_members(text).values)


def read_widevine(text: bytes) -> KeysAsked:
    """A request of Shaka Packager: its content id is base64 of the 16 bytes.

    Raises:
        BadRequest, Invalid: it is malformed, or wants keys that change over time.
    """
    values = parse_members(text).values
    tracks = values.get("tracks")
    if not isinstance(tracks, list) or not all(isinstance(track, dict) for track in tracks):
        raise _wrong("tracks", "Must be a list of tracks, each with its type.")
    kinds = tuple(dict.fromkeys(str(track.get("type")) for track in tracks))
    if unknown := [kind for kind in kinds if kind not in WIDEVINE_TRACKS]:
        raise _wrong("tracks", f"There is no track type {unknown[0][:100]}. Choose from {', '.join(WIDEVINE_TRACKS)}.")
    if "crypto_period_count" in values or "first_crypto_period_index" in values:
        raise _wrong("crypto_period_count", "Keys do not change over time here.")
    scheme = str(values.get("protection_scheme", "CENC")).lower()
    if scheme not in SCHEMES:
        raise _wrong("protection_scheme", f"Choose from {', '.join(SCHEMES).upper()}.")
    return KeysAsked(_binary_content_id(values), kinds, scheme)


def read_licence_data(data: str) -> LicenceData:
    """What the parameter ``data`` holds; the slash that ends it in a published sample is not part of it.

    Raises:
        BadRequest, Invalid: it is malformed.
    """
    try:
        values = parse_members(from_base64(data.rstrip("/"))).values
    except ValueError:
        raise _wrong("data", "Is not base64.") from None
    content_data, signature = values.get("content_data"), values.get("signature")
    # JSON can spell half a surrogate pair, which is no text that anybody has signed.
    if not (isinstance(content_data, str) and content_data.isascii() and isinstance(signature, str)):
        raise _wrong("data", "Must hold content_data and signature, both base64.")
    return LicenceData(content_data, signature)


def read_licence(content_data: str) -> LicenceAsked:
    """What is signed in it.

    Raises:
        BadRequest, Invalid: it is malformed.
    """
    try:
        values = parse_members(from_base64(content_data)).values
    except ValueError:
        raise _wrong("content_data", "Is not base64.") from None
    drm_type = values.get("drm_type", "widevine")
    if drm_type not in ("widevine", "fairplay"):
        raise _wrong("drm_type", "Choose from widevine, fairplay.")
    return LicenceAsked(_content_id(values), drm_type, values.get("download") is True)


def fitting(kind: str) -> tuple[str, ...]:
    """What a key may be for that a track of Widevine's kinds can be encrypted with, the best first."""
    return {"AUDIO": ("audio", "all"), "SD": ("sd", "video", "all")}.get(kind, ("hd", "video", "all"))


def _content_id(values: Mapping[str, Any]) -> str:
    given = values.get("content_id")
    try:
        return parse_content_id(given if isinstance(given, str) else "")
    except ValueError:
        raise _wrong("content_id", _NO_ID) from None


def _binary_content_id(values: Mapping[str, Any]) -> str:
    given = values.get("content_id")
    try:
        raw = from_base64(given if isinstance(given, str) else "")
        # Some give the digits of the UUID in place of its bytes.
        return raw.hex() if len(raw) == _CONTENT_ID_BYTES else parse_content_id(raw.decode("ascii"))
    except ValueError:
        raise _wrong("content_id", f"{_NO_ID} Here it is base64 of its 16 bytes.") from None


def _wrong(field: str, message: str) -> Invalid:
    messages: Messages = {field: [message]}
    return Invalid(messages)
