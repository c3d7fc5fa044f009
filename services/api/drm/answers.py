"""What the key API answers, in the shapes of TPStreams, Widevine and W3C. Pure."""

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Sequence

from services.api.contract.drm_models import ClearKey, ClearKeyLicence, Content, ContentItem, Key, KeyId
from services.api.contract.errors import Conflict
from services.api.drm import contents
from services.api.drm.asked import KeysAsked, fitting
from shared.encryption.keys import ContentKey
from shared.encryption.signalling import WIDEVINE, fairplay_uri

# Fields of WidevinePsshData: the id of the key, 16 bytes; the scheme, four characters as a number.
_KEY_ID_FIELD, _SCHEME_FIELD = b"\x12\x10", b"\x48"


def the_one_key(keys: Sequence[ContentKey]) -> ContentKey:
    """The key of a content, for answers that have room for one.

    Raises:
        Conflict: it has several.
    """
    if len(keys) > 1:
        tracks = ", ".join(key.tracks for key in keys)
        raise Conflict(f"This content has keys of their own for {tracks}. Ask widevine_key/ or drm_contents/ for them.")
    return keys[0]


def widevine_answer(asked: KeysAsked, keys: Sequence[ContentKey]) -> str:
    """The keys for the tracks that a packager asks for, as base64 of JSON; the same one several times where it is shared."""
    by_tracks = {key.tracks: key for key in keys}
    tracks = []
    for kind in asked.tracks:
        key = next((by_tracks[name] for name in fitting(kind) if name in by_tracks), None)
        if key:
            tracks.append(_widevine_track(kind, key, asked.scheme))
    drm = [{"type": "WIDEVINE", "system_id": WIDEVINE.hex}]
    return _base64(json.dumps({"status": "OK", "drm": drm, "tracks": tracks, "already_used": False}).encode())


def widevine_data(kid: bytes, scheme: str) -> bytes:
    """What Widevine's box says of a key. ``scheme``: four characters."""
    return _KEY_ID_FIELD + kid + _SCHEME_FIELD + _varint(int.from_bytes(scheme.encode(), "big"))


def clear_key_licence(keys: Sequence[ContentKey], session: str) -> ClearKeyLicence:
    """A licence for some keys (W3C Encrypted Media Extensions, 9.1.4)."""
    found = [ClearKey(kty="oct", kid=_base64url(key.kid), k=_base64url(key.key)) for key in keys]
    return ClearKeyLicence(keys=found, type=session)


def shown(content: contents.Content) -> Content:
    """A content with its keys."""
    keys = [
        Key(tracks=key.tracks, kid=key.kid.hex(), iv=key.iv.hex(), key=key.key.hex(), uri=fairplay_uri(key.kid))
        for key in content.keys
    ]
    return Content(content_id=content.content_id, created=content.created, scheme=content.scheme, keys=keys)


def listed(content: contents.Content | contents.LockedContent) -> ContentItem:
    """A content without its keys."""
    if isinstance(content, contents.LockedContent):
        return ContentItem(
            content_id=content.content_id,
            created=content.created,
            scheme=content.scheme,
            keys=[],
            problem=contents.LOCKED,
        )
    keys = [KeyId(tracks=key.tracks, kid=key.kid.hex(), iv=key.iv.hex()) for key in content.keys]
    return ContentItem(
        content_id=content.content_id, created=content.created, scheme=content.scheme, keys=keys, problem=None
    )


def _widevine_track(kind: str, key: ContentKey, scheme: str) -> dict[str, object]:
    return {
        "type": kind,
        "key_id": _base64(key.kid),
        "key": _base64(key.key),
        "iv": _base64(key.iv),
        "pssh": [{"drm_type": "WIDEVINE", "data": _base64(widevine_data(key.kid, scheme))}],
    }


def _varint(number: int) -> bytes:
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*made, number])


def _base64(raw: bytes) -> str:
    return b64encode(raw).decode()


def _base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")
