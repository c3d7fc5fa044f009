"""What players are told of a key: boxes for its tracks, lines for playlists, elements for the manifest. Pure.

They are what Shaka Packager makes, byte for byte, for the systems that it makes them for; a test compares them.
"""

import struct
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID
from xml.sax.saxutils import escape, quoteattr

from shared.encryption.keys import ContentKey
from shared.encryption.protection import ProtectedKey
from shared.encryption.request import EncryptionRequest, System

WIDEVINE = UUID("edef8ba9-79d6-4ace-a3c8-27dcd51d21ed")
PLAYREADY = UUID("9a04f079-9840-4286-ab92-e65be0885f95")
FAIRPLAY = UUID("94ce86fb-07ff-4f43-adb8-93d2fa968ca2")
COMMON = UUID("1077efec-c0b2-4d02-ace3-3c1e52e2fb4b")
"""W3C's common system, whose box says no more than the ids of keys. hls.js asks for it with Clear Key."""
CLEAR_KEY = UUID("e2719d58-a985-b3c9-781a-b030af78d30e")
"""What manifests call Clear Key (DASH-IF), since its licence server stands there."""

SYSTEM_IDS: dict[System, UUID] = {
    "widevine": WIDEVINE,
    "playready": PLAYREADY,
    "fairplay": FAIRPLAY,
    "clearkey": COMMON,
}

XMLNS = {"cenc": "urn:mpeg:cenc:2013", "mspr": "urn:microsoft:playready", "dashif": "https://dashif.org/CPS"}
"""Namespaces of what stands in a ``ContentProtection`` element, by their usual prefixes."""

# Fields of WidevinePsshData: key_ids = 2, bytes; protection_scheme = 9, the scheme's four characters as a number.
_WIDEVINE_KEY_ID, _WIDEVINE_CBCS = b"\x12\x10", b"\x48\xf3\xc6\x89\x9b\x06"
_PLAYREADY_HEADER = (
    '<WRMHEADER xmlns="http://schemas.microsoft.com/DRM/2007/03/PlayReadyHeader" version="4.3.0.0"><DATA><PROTECTINFO><KIDS>'
    '<KID ALGID="AESCBC" VALUE="{kid}"></KID></KIDS></PROTECTINFO></DATA></WRMHEADER>'
)
_PLAYREADY_RECORD_HEADER = 1


@dataclass(frozen=True)
class Signals:
    """What one system tells players of a key; see :class:`shared.encryption.protection.ProtectedKey`.

    Attributes:
        attributes: of the lines in playlists. session: of those in the multivariant playlist; None where they are the same.
    """

    pssh: tuple[bytes, ...] = ()
    attributes: tuple[str, ...] = ()
    mpd: tuple[str, ...] = ()
    session: tuple[str, ...] | None = None


def protected_key(key: ContentKey, request: EncryptionRequest, content_id: str) -> ProtectedKey:
    """A key without the key, with all that the request wants players to be told."""
    if request.scheme == "aes-128":
        uri = (request.key_uri or "").replace("{content_id}", content_id).replace("{kid}", key.kid.hex())
        line = media_line(f"METHOD=AES-128,URI={_quoted(uri)},IV=0x{key.iv.hex()}")
        return ProtectedKey(tracks=key.tracks, kid=key.kid.hex(), iv=key.iv.hex(), media_lines=(line,))
    return with_signals(key, (signals_of(system, key, request.licence_url) for system in request.systems))


def with_signals(key: ContentKey, signals: Iterable[Signals]) -> ProtectedKey:
    """A key without the key, with what each system tells of it."""
    known = tuple(signals)
    return ProtectedKey(
        tracks=key.tracks,
        kid=key.kid.hex(),
        iv=key.iv.hex(),
        # Base64 is what the model takes, in whichever way it is made.
        pssh=tuple(b64encode(box) for one in known for box in one.pssh),
        media_lines=tuple(media_line(text) for one in known for text in one.attributes),
        session_lines=tuple(
            session_line(text) for one in known for text in (one.attributes if one.session is None else one.session)
        ),
        mpd=tuple(element for one in known for element in one.mpd),
    )


def signals_of(system: System, key: ContentKey, licence_url: str | None = None) -> Signals:
    """What a system tells of a key, where nobody has given it.

    Args:
        licence_url: of Clear Key.
    """
    match system:
        case "widevine":
            return widevine(key, widevine_pssh(key.kid))
        case "fairplay":
            return fairplay(fairplay_uri(key.kid))
        case "playready":
            return playready(key, playready_object(key.kid))
        case "clearkey":
            return clear_key(key, licence_url)


def widevine(key: ContentKey, pssh: bytes) -> Signals:
    """Widevine, by a whole box."""
    shown = b64encode(pssh).decode()
    uri = f"data:text/plain;base64,{shown}"
    attributes = _sample_aes(uri, f"urn:uuid:{WIDEVINE}", iv=key.iv, kid=key.kid)
    return Signals((pssh,), (attributes,), (element(WIDEVINE, f"<cenc:pssh>{shown}</cenc:pssh>"),))


def fairplay(uri: str) -> Signals:
    """FairPlay, by the URI that its key server knows the key by.

    Neither header nor manifest say anything, and the initialization vector comes with the key itself.
    """
    return Signals(attributes=(_sample_aes(uri, "com.apple.streamingkeydelivery"),))


def playready(key: ContentKey, header: bytes) -> Signals:
    """PlayReady, by a whole PlayReady object."""
    shown, pssh = b64encode(header).decode(), pssh_box(PLAYREADY, header)
    attributes = _sample_aes(f"data:text/plain;charset=UTF-16;base64,{shown}", "com.microsoft.playready", iv=key.iv)
    told = f"<cenc:pssh>{b64encode(pssh).decode()}</cenc:pssh><mspr:pro>{shown}</mspr:pro>"
    return Signals((pssh,), (attributes,), (element(PLAYREADY, told, value="MSPR 2.0"),))


def clear_key(key: ContentKey, licence_url: str | None) -> Signals:
    """Clear Key, with the address of its licence server in the manifest where that is known."""
    pssh = common_pssh(key.kid)
    # hls.js takes the first 16 bytes for the id of the key, whatever KEYID says; the box it finds in the track.
    uri = f"data:text/plain;base64,{b64encode(key.kid).decode()}"
    laurl = f"<dashif:Laurl>{escape(licence_url)}</dashif:Laurl>" if licence_url else ""
    return Signals(
        (pssh,),
        (_sample_aes(uri, "org.w3.clearkey", iv=key.iv, kid=key.kid),),
        (element(CLEAR_KEY, laurl, value="ClearKey1.0"),),
    )


def widevine_pssh(kid: bytes) -> bytes:
    """The box of a key for Widevine."""
    return pssh_box(WIDEVINE, _WIDEVINE_KEY_ID + kid + _WIDEVINE_CBCS)


def common_pssh(kid: bytes) -> bytes:
    """The box of a key for the common system."""
    return pssh_box(COMMON, b"", kids=(kid,))


def fairplay_uri(kid: bytes) -> str:
    """What our own store calls a key towards FairPlay."""
    return f"skd://{kid.hex()}"


def playready_object(kid: bytes) -> bytes:
    """The PlayReady object of a key: one record, a header of version 4.3 (Microsoft's PlayReady Header Specification)."""
    # As a GUID has it, whose first three groups are little-endian numbers.
    shown = b64encode(UUID(bytes=kid).bytes_le).decode()
    header = _PLAYREADY_HEADER.format(kid=shown).encode("utf-16-le")
    record = struct.pack("<HH", _PLAYREADY_RECORD_HEADER, len(header)) + header
    return struct.pack("<IH", 6 + len(record), 1) + record


def pssh_box(system: UUID, data: bytes, *, kids: tuple[bytes, ...] = ()) -> bytes:
    """A protection system specific header box (ISO/IEC 23001-7, 8.1), of version 1 where it lists the ids of keys."""
    listed = struct.pack(">I", len(kids)) + b"".join(kids) if kids else b""
    body = struct.pack(">I", (1 if kids else 0) << 24) + system.bytes + listed + struct.pack(">I", len(data)) + data
    return struct.pack(">I", 8 + len(body)) + b"pssh" + body


def media_line(attributes: str) -> str:
    """The line of media and I-frame playlists."""
    return f"#EXT-X-KEY:{attributes}"


def session_line(attributes: str) -> str:
    """The line of the multivariant playlist."""
    return f"#EXT-X-SESSION-KEY:{attributes}"


def element(system: UUID, content: str, *, value: str | None = None) -> str:
    """A ``ContentProtection`` element.

    Args:
        content: as XML, with the prefixes ``cenc``, ``mspr`` and ``dashif``. Each is declared where it is used, so that the
            element can be parsed by itself.
    """
    shown = f" value={quoteattr(value)}" if value else ""
    declared = "".join(f" xmlns:{name}={quoteattr(uri)}" for name, uri in XMLNS.items() if f"<{name}:" in content)
    return f'<ContentProtection{declared}{shown} schemeIdUri="urn:uuid:{system}">{content}</ContentProtection>'


def _sample_aes(uri: str, key_format: str, *, iv: bytes | None = None, kid: bytes | None = None) -> str:
    attributes = [f"METHOD=SAMPLE-AES,URI={_quoted(uri)}"]
    if kid:
        attributes.append(f"KEYID=0x{kid.hex()}")
    if iv:
        attributes.append(f"IV=0x{iv.hex()}")
    return ",".join([*attributes, f'KEYFORMATVERSIONS="1",KEYFORMAT="{key_format}"'])


def _quoted(text: str) -> str:
    # Whoever lets a text in here has made sure that it has neither quotes nor line breaks, which no escape could save.
    return f'"{text}"'
