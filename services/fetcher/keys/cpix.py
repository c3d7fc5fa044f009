"""CPIX documents as SPEKE 2.0 has them: the request for the keys of a content, and what is in the answer. Pure.

SPEKE: https://docs.aws.amazon.com/speke/latest/documentation/the-speke-api-v2.html; CPIX 2.3: https://dashif.org/docs/CPIX2.3/Cpix.html.
"""

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass, replace
from hashlib import sha256
from uuid import UUID
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from shared.encryption.keys import ContentKey
from shared.encryption.protection import SD_PIXELS, Tracks
from shared.encryption.request import System
from shared.encryption.signalling import SYSTEM_IDS, XMLNS, Signals, element, fairplay, playready, widevine

_CPIX, _PSKC = "urn:dashif:org:cpix", "urn:ietf:params:xml:ns:keyprov:pskc"
_NAMES = {"cpix": _CPIX, "pskc": _PSKC}

_INTENDED: dict[Tracks, tuple[str, str]] = {
    "all": ("ALL", "<cpix:AudioFilter/><cpix:VideoFilter/>"),
    "audio": ("AUDIO", "<cpix:AudioFilter/>"),
    "sd": ("SD", f'<cpix:VideoFilter maxPixels="{SD_PIXELS}"/>'),
    "hd": ("HD", f'<cpix:VideoFilter minPixels="{SD_PIXELS + 1}"/>'),
}
"""The name of what a key is for, and the filters that say the same: AWS' presets with the same sizes."""

_PLAYLISTS = '<cpix:HLSSignalingData playlist="media"/><cpix:HLSSignalingData playlist="master"/>'
_WANTED: dict[System, str] = {
    "widevine": f"<cpix:PSSH/><cpix:ContentProtectionData/>{_PLAYLISTS}",
    "playready": f"<cpix:PSSH/><cpix:ContentProtectionData/>{_PLAYLISTS}",
    # It says nothing in headers and manifests.
    "fairplay": _PLAYLISTS,
}
"""What is asked for. A service has to give all that it is asked for."""

_MEDIA, _SESSION = "#EXT-X-KEY:", "#EXT-X-SESSION-KEY:"
_MOST_LINE = 16 * 1024
_MOST_LINES, _MOST_ELEMENTS = 4, 100
"""For one system and kind of playlist; in one ``ContentProtection``."""

_KEY_BYTES = 16


class BadAnswer(Exception):
    """The document is no answer to what was asked; the text says why. ``definite``: and will not be one the next time."""

    def __init__(self, text: str, *, definite: bool = True) -> None:
        super().__init__(text)
        self.definite = definite


@dataclass(frozen=True)
class Asked:
    """A key that is asked for. Who asks names it, and always by the same id."""

    tracks: Tracks
    kid: bytes
    iv: bytes

    @classmethod
    def of(cls, content_id: str, tracks: Tracks) -> "Asked":
        """The key of a content for these tracks: the one for all of them goes by the content's id."""
        derived = UUID(bytes=sha256(f"key of {content_id} for {tracks}".encode()).digest()[:16], version=4).bytes
        kid = bytes.fromhex(content_id) if tracks == "all" else derived
        return cls(tracks, kid, sha256(b"iv of " + kid).digest()[:_KEY_BYTES])


def request_document(content_id: str, asked: tuple[Asked, ...], systems: tuple[System, ...]) -> bytes:
    """The request for keys of a content, with what players are to be told of each."""
    keys, told, rules = "", "", ""
    for one in asked:
        kid, (intended, filters) = UUID(bytes=one.kid), _INTENDED[one.tracks]
        iv = b64encode(one.iv).decode()
        keys += f'<cpix:ContentKey kid="{kid}" explicitIV="{iv}" commonEncryptionScheme="cbcs"/>'
        told += "".join(
            f'<cpix:DRMSystem kid="{kid}" systemId="{SYSTEM_IDS[system]}">{_WANTED[system]}</cpix:DRMSystem>'
            for system in systems
        )
        rules += (
            f'<cpix:ContentKeyUsageRule kid="{kid}" intendedTrackType="{intended}">{filters}</cpix:ContentKeyUsageRule>'
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<cpix:CPIX contentId="{content_id}" version="2.3" xmlns:cpix="{_CPIX}" xmlns:pskc="{_PSKC}">'
        f"<cpix:ContentKeyList>{keys}</cpix:ContentKeyList><cpix:DRMSystemList>{told}</cpix:DRMSystemList>"
        f"<cpix:ContentKeyUsageRuleList>{rules}</cpix:ContentKeyUsageRuleList></cpix:CPIX>"
    ).encode()


class Answer:
    """A document in answer. All calls raise :class:`BadAnswer`."""

    def __init__(self, body: bytes, content_id: str) -> None:
        try:
            self._root: Element = fromstring(body, forbid_dtd=True)
        except (ParseError, ValueError, LookupError, DefusedXmlException) as error:
            raise BadAnswer(f"the answer is no XML that is read here: {type(error).__name__}", definite=False) from None
        if self._root.tag != f"{{{_CPIX}}}CPIX":
            raise BadAnswer("the answer is no CPIX document", definite=False)
        said = self._root.get("contentId", content_id)
        if said.replace("-", "").lower() != content_id:
            raise BadAnswer(f"asked for the keys of {content_id}, the service gave those of {said[:100]}")

    def key(self, asked: Asked) -> ContentKey:
        """A key that was asked for.

        A service may give it another id (SPEKE: "Overriding the key identifier"), and says so where it says what it is for.
        """
        by_id = {_kid(each): each for each in self._root.iterfind("cpix:ContentKeyList/cpix:ContentKey", _NAMES)}
        intended = _INTENDED[asked.tracks][0]
        rules = self._root.iterfind("cpix:ContentKeyUsageRuleList/cpix:ContentKeyUsageRule", _NAMES)
        named = next((_kid(rule) for rule in rules if rule.get("intendedTrackType") == intended), asked.kid)
        found = by_id.get(named)
        if found is None:
            raise BadAnswer(f"the service gave no key {UUID(bytes=asked.kid)} for {asked.tracks}")
        if found.get("commonEncryptionScheme", "cbcs") != "cbcs":
            raise BadAnswer(f"the key for {asked.tracks} is for another encryption than cbcs")
        iv = found.get("explicitIV")
        plain = found.find("cpix:Data/pskc:Secret/pskc:PlainValue", _NAMES)
        if plain is None:
            raise BadAnswer(f"the key for {asked.tracks} is not there in plain")
        key = _sixteen(plain.text, f"the key for {asked.tracks}")
        return ContentKey(asked.tracks, named, _sixteen(iv, "an explicitIV") if iv else asked.iv, key)

    def signals(self, system: System, key: ContentKey) -> Signals:
        """What players are to be told of a key by a system, as the service has it."""
        wanted = (key.kid, SYSTEM_IDS[system])
        systems = self._root.iterfind("cpix:DRMSystemList/cpix:DRMSystem", _NAMES)
        found = next((each for each in systems if (_kid(each), _uuid(each, "systemId")) == wanted), None)
        if found is None:
            raise BadAnswer(
                f"the service gave nothing for {system}: leave it out of drm.systems, or have it switched on"
            )
        media, session = _lines(found, "media", _MEDIA), _lines(found, "master", _SESSION)
        ours = _ours(found, system, key)
        if not media and not ours.attributes:
            raise BadAnswer(f"the service gave no line for playlists and no URI for {system}")
        told = _binary(found, "ContentProtectionData")
        return Signals(
            ours.pssh,
            tuple(line.removeprefix(_MEDIA) for line in media) or ours.attributes,
            (_protection(system, told),) if told and system != "fairplay" else ours.mpd,
            session=tuple(line.removeprefix(_SESSION) for line in session) or None,
        )


def _ours(given: Element, system: System, key: ContentKey) -> Signals:
    """What we would tell players by the box or the URI that the service gives; that much it has to."""
    if system == "fairplay":
        uri = _binary(given, "URIExtXKey")
        return fairplay(_uri(uri)) if uri else Signals()
    pssh = _binary(given, "PSSH")
    data = _pssh_data(pssh, system)
    made = widevine(key, pssh) if system == "widevine" else playready(key, data)
    return replace(made, pssh=(pssh,))


def _pssh_data(box: bytes, system: System) -> bytes:
    """What a ``pssh`` box holds (ISO/IEC 23001-7, 8.1): size, type, version, system, ids of keys from version 1 on, and this."""
    if box[4:8] != b"pssh" or int.from_bytes(box[:4]) != len(box) or box[12:28] != SYSTEM_IDS[system].bytes:
        raise BadAnswer(f"PSSH of {system} is no whole box of that system")
    if len(box) > _MOST_LINE:
        raise BadAnswer(f"PSSH of {system} is too long for playlists")
    begin = 28 + (4 + _KEY_BYTES * int.from_bytes(box[28:32]) if box[8] else 0)
    data = box[begin + 4 :]
    if int.from_bytes(box[begin : begin + 4]) != len(data):
        raise BadAnswer(f"PSSH of {system} is longer or shorter than what it holds")
    return data


def _protection(system: System, told: bytes) -> str:
    """The element of the manifest: what the service gives is all of it, or what stands in it."""
    declared = "".join(f' xmlns:{name}="{uri}"' for name, uri in XMLNS.items())
    try:
        text = told.decode().strip()
        inside: Element = fromstring(f"<all{declared}>{text}</all>", forbid_dtd=True)
        if len(text) > _MOST_LINE or sum(1 for _ in inside.iter()) > _MOST_ELEMENTS:
            raise BadAnswer(f"ContentProtectionData of {system} is too long for a manifest")
        if [child.tag.rpartition("}")[2] for child in inside] == ["ContentProtection"]:
            text = _declaring(text)
        else:
            text = element(SYSTEM_IDS[system], text, value="MSPR 2.0" if system == "playready" else None)
        # As it will stand in the manifest, which declares nothing for it.
        fromstring(text, forbid_dtd=True)
    except (ParseError, ValueError, DefusedXmlException):
        raise BadAnswer(f"ContentProtectionData of {system} is no XML") from None
    return text


def _declaring(text: str) -> str:
    """An element that declares the usual prefixes where it only uses them."""
    missing = "".join(
        f' xmlns:{name}="{uri}"'
        for name, uri in XMLNS.items()
        if re.search(rf"[<\s]{name}:", text) and f"xmlns:{name}=" not in text
    )
    return text.replace("ContentProtection", f"ContentProtection{missing}", 1)


def _lines(system: Element, playlist: str, begin: str) -> tuple[str, ...]:
    """The lines for a kind of playlist, each of them one that may stand there."""
    texts = (
        _decoded(each.text, "HLSSignalingData").decode("utf-8", "replace")
        for each in system.iterfind("cpix:HLSSignalingData", _NAMES)
        if each.get("playlist", "media") == playlist and each.text
    )
    lines = tuple(dict.fromkeys(line.strip() for text in texts for line in text.splitlines() if line.strip()))
    if len(lines) > _MOST_LINES:
        raise BadAnswer(f"HLSSignalingData for the {playlist} playlist has more than {_MOST_LINES} lines")
    for line in lines:
        if not line.startswith(f"{begin}METHOD=SAMPLE-AES,") or not line.isprintable() or len(line) > _MOST_LINE:
            raise BadAnswer(f"HLSSignalingData for the {playlist} playlist is no line {begin} of cbcs")
    return lines


def _binary(system: Element, name: str) -> bytes:
    """The value of a child, empty where there is none."""
    text = system.findtext(f"cpix:{name}", "", _NAMES)
    return _decoded(text, name) if text.strip() else b""


def _uri(raw: bytes) -> str:
    uri = raw.decode("utf-8", "replace")
    if '"' in uri or not uri.isprintable() or not uri.startswith("skd://"):
        raise BadAnswer("URIExtXKey is no skd address")
    return uri


def _sixteen(text: str | None, what: str) -> bytes:
    value = _decoded(text, what)
    if len(value) != _KEY_BYTES:
        raise BadAnswer(f"{what} has {len(value)} bytes instead of 16")
    return value


def _decoded(text: str | None, what: str) -> bytes:
    try:
        return b64decode("".join((text or "").split()), validate=True)
    except ValueError:
        raise BadAnswer(f"{what} is no base64") from None


def _kid(item: Element) -> bytes:
    return _uuid(item, "kid").bytes


def _uuid(item: Element, name: str) -> UUID:
    try:
        return UUID(item.get(name, ""))
    except ValueError:
        raise BadAnswer(f"a {name} is no UUID") from None
