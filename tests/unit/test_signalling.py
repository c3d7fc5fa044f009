"""What players are told of keys."""

import re
from base64 import b64decode
from uuid import UUID
from xml.etree import ElementTree

from shared.encryption.keys import ContentKey, KeySet
from shared.encryption.protection import ProtectedKey, Protection, Tracks
from shared.encryption.request import EncryptionRequest, System
from shared.encryption.signalling import CLEAR_KEY, WIDEVINE, playready_object, protected_key, pssh_box

KID = "cf6c30dd50c1492e82344ea3e139da1d"
IV = "f70bce4094fd4612abac60d9809c5b0c"
CONTENT = "0f0e0d0c0b0a09080706050403020100"
KEY = ContentKey("all", bytes.fromhex(KID), bytes.fromhex(IV), b"0123456789abcdef")


def told(*systems: System, **members: str) -> ProtectedKey:
    return protected_key(KEY, EncryptionRequest(scheme="cbcs", systems=systems, **members), CONTENT)


def test_widevine_and_fairplay() -> None:
    """The values are those of a real packager (tests/integration/test_signalling.py makes it say the others)."""
    key = told("widevine", "fairplay")
    (pssh,) = key.pssh
    assert pssh[32:].hex() == f"1210{KID}48f3c6899b06"
    box = "AAAAOHBzc2gAAAAA7e+LqXnWSs6jyCfc1R0h7QAAABgSEM9sMN1QwUkugjROo+E52h1I88aJmwY="
    assert pssh == b64decode(box)
    assert key.media_lines == (
        f'#EXT-X-KEY:METHOD=SAMPLE-AES,URI="data:text/plain;base64,{box}",KEYID=0x{KID},IV=0x{IV},KEYFORMATVERSIONS="1",'
        'KEYFORMAT="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"',
        f'#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://{KID}",KEYFORMATVERSIONS="1",KEYFORMAT="com.apple.streamingkeydelivery"',
    )
    assert [line.replace("SESSION-", "") for line in key.session_lines] == list(key.media_lines)
    (element,) = key.mpd
    parsed = ElementTree.fromstring(element)
    assert parsed.attrib == {"schemeIdUri": f"urn:uuid:{WIDEVINE}"}
    assert parsed.findtext("{urn:mpeg:cenc:2013}pssh") == box


def test_playready_writes_the_key_id_as_a_guid() -> None:
    header = playready_object(KEY.kid)
    assert int.from_bytes(header[:4], "little") == len(header)
    text = header[10:].decode("utf-16-le")
    (shown,) = re.findall('VALUE="([^"]+)"', text)
    assert UUID(bytes_le=b64decode(shown)).hex == KID


def test_clear_key_says_where_its_licences_are() -> None:
    key = told("clearkey", licence_url="https://video.example.com/?a=1&b=<2>")
    assert key.pssh == (pssh_box(UUID("1077efec-c0b2-4d02-ace3-3c1e52e2fb4b"), b"", kids=(KEY.kid,)),)
    parsed = ElementTree.fromstring(key.mpd[0])
    assert parsed.get("schemeIdUri") == f"urn:uuid:{CLEAR_KEY}"
    assert parsed.findtext("{https://dashif.org/CPS}Laurl") == "https://video.example.com/?a=1&b=<2>"
    assert ElementTree.fromstring(told("clearkey").mpd[0]).find("*") is None


def test_aes_128_has_a_line_and_nothing_else() -> None:
    request = EncryptionRequest(scheme="aes-128", key_uri="https://example.com/{content_id}?kid={kid}")
    key = protected_key(KEY, request, CONTENT)
    assert key.media_lines == (f'#EXT-X-KEY:METHOD=AES-128,URI="https://example.com/{CONTENT}?kid={KID}",IV=0x{IV}',)
    assert (key.pssh, key.session_lines, key.mpd) == ((), (), ())


def test_keys_survive_being_text_and_show_nothing_of_themselves() -> None:
    tracks: tuple[Tracks, ...] = ("audio", "sd", "hd")
    keys = tuple(ContentKey(each, bytes([n]) * 16, KEY.iv, KEY.key) for n, each in enumerate(tracks))
    request = EncryptionRequest(scheme="cbcs", systems=("widevine",), keys="separate")
    protection = Protection(
        scheme="cbcs", content_id=CONTENT, keys=tuple(protected_key(key, request, CONTENT) for key in keys)
    )
    whole = KeySet(protection, keys)
    assert KeySet.parse(whole.text()) == whole
    some = whole.only_for({"audio", "sd"})
    assert [key.tracks for key in some.keys] == ["audio", "sd"] == [key.tracks for key in some.protection.keys]
    assert "0123456789abcdef" not in repr(whole)
    assert KEY.key.hex() not in repr(whole) + protection.model_dump_json()
