"""CPIX documents: what is asked for, and what an answer has to be."""

from base64 import b64decode, b64encode
from uuid import UUID
from xml.etree import ElementTree

import pytest

from services.fetcher.keys.cpix import Answer, Asked, BadAnswer, request_document
from services.fetcher.keys.tpstreams import signed_request
from shared.encryption.protection import Tracks
from shared.encryption.request import TRACKS
from tests.support.key_services import SIGNING_IV, SIGNING_KEY, KeyServer, pssh

CONTENT = "8216dcdb90c34a4f8abf1671630a8817"
KID = "8216dcdb-90c3-4a4f-8abf-1671630a8817"
ASKED = Asked.of(CONTENT, "all")
KEY, IV = b64encode(b"k" * 16).decode(), b64encode(b"i" * 16).decode()
NAMES = {"cpix": "urn:dashif:org:cpix"}
WIDEVINE = "edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"
PLAYREADY = "9a04f079-9840-4286-ab92-e65be0885f95"


def text64(text: str) -> str:
    return b64encode(text.encode()).decode()


MEDIA = '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="data:text/plain;base64,AAAA",KEYFORMAT="x"'


def document(
    *,
    content: str = CONTENT,
    kid: str = KID,
    key: str = f"<pskc:PlainValue>{KEY}</pskc:PlainValue>",
    attributes: str = f'explicitIV="{IV}" commonEncryptionScheme="cbcs"',
    system: str = f"<cpix:PSSH>{pssh(WIDEVINE, b'data')}</cpix:PSSH>",
    system_id: str = WIDEVINE,
    rules: str = "",
) -> bytes:
    return (
        f'<cpix:CPIX contentId="{content}" version="2.3" xmlns:cpix="urn:dashif:org:cpix" '
        'xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc">'
        f'<cpix:ContentKeyList><cpix:ContentKey kid="{kid}" {attributes}><cpix:Data><pskc:Secret>{key}</pskc:Secret>'
        f"</cpix:Data></cpix:ContentKey></cpix:ContentKeyList><cpix:DRMSystemList>"
        f'<cpix:DRMSystem kid="{kid}" systemId="{system_id}">{system}</cpix:DRMSystem></cpix:DRMSystemList>'
        f"<cpix:ContentKeyUsageRuleList>{rules}</cpix:ContentKeyUsageRuleList></cpix:CPIX>"
    ).encode()


def test_the_signature_is_that_of_the_documents() -> None:
    service = KeyServer().tpstreams
    assert (service.signing_key, service.signing_iv) == (SIGNING_KEY, SIGNING_IV)
    assert signed_request(service, CONTENT) == {
        "request": "eyJjb250ZW50X2lkIjoiODIxNmRjZGI5MGMzNGE0ZjhhYmYxNjcxNjMwYTg4MTcifQ==",
        "signature": "Bj9cxpxncL/6+0XS3nBIIYwrv2RkLc5uCs7Bd1J7Jco=",
    }


def test_the_request_says_what_each_key_is_for() -> None:
    asked = tuple(Asked.of(CONTENT, tracks) for tracks in TRACKS["separate"])
    root = ElementTree.fromstring(request_document(CONTENT, asked, ("widevine", "fairplay")))
    assert (root.get("contentId"), root.get("version")) == (CONTENT, "2.3")
    kids = [str(UUID(bytes=one.kid)) for one in asked]
    keys = root.findall("cpix:ContentKeyList/cpix:ContentKey", NAMES)
    assert [key.get("kid") for key in keys] == kids
    assert all(len(b64decode(key.attrib["explicitIV"])) == 16 for key in keys)
    systems = root.findall("cpix:DRMSystemList/cpix:DRMSystem", NAMES)
    assert [system.get("kid") for system in systems] == [kid for kid in kids for _ in range(2)]
    # FairPlay has nothing to say in headers, and whoever is asked for it has to.
    assert [len(system.findall("cpix:PSSH", NAMES)) for system in systems] == [1, 0] * 3
    rules = root.findall("cpix:ContentKeyUsageRuleList/cpix:ContentKeyUsageRule", NAMES)
    assert [rule.get("intendedTrackType") for rule in rules] == ["AUDIO", "SD", "HD"]
    filters = [filter_.attrib for rule in rules for filter_ in rule]
    assert filters == [{}, {"maxPixels": "589824"}, {"minPixels": "589825"}]
    (rule,) = ElementTree.fromstring(request_document(CONTENT, (ASKED,), ("widevine",))).iter(
        "{urn:dashif:org:cpix}ContentKeyUsageRule"
    )
    assert (rule.get("intendedTrackType"), len(rule)) == ("ALL", 2)


def test_a_key_with_and_without_a_vector_of_the_service() -> None:
    key = Answer(document(), CONTENT).key(ASKED)
    assert (key.kid.hex(), key.key, key.iv) == (CONTENT, b"k" * 16, b"i" * 16)
    assert Answer(document(attributes=""), CONTENT).key(ASKED).iv == ASKED.iv
    assert Answer(document(content=KID.upper()), CONTENT).key(ASKED) == key
    assert Answer(document(key=f"<pskc:PlainValue>\n {KEY}\n</pskc:PlainValue>"), CONTENT).key(ASKED) == key


def test_a_service_may_name_keys_itself() -> None:
    other = "22222222-2222-2222-2222-222222222222"
    rule = f'<cpix:ContentKeyUsageRule kid="{other}" intendedTrackType="ALL"/>'
    answer = Answer(document(kid=other, rules=rule), CONTENT)
    key = answer.key(ASKED)
    assert key.kid.hex() == "2" * 32
    assert answer.signals("widevine", key).pssh


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"kid": "22222222-2222-2222-2222-222222222222"}, "gave no key"),
        ({"kid": "none"}, "no UUID"),
        ({"content": "0" * 32}, "gave those of"),
        ({"key": "<pskc:EncryptedValue/>"}, "not there in plain"),
        ({"key": "<pskc:PlainValue>AAAA</pskc:PlainValue>"}, "3 bytes"),
        ({"key": "<pskc:PlainValue>%</pskc:PlainValue>"}, "no base64"),
        ({"attributes": 'explicitIV="AAAA"'}, "3 bytes"),
        ({"attributes": 'commonEncryptionScheme="cenc"'}, "another encryption"),
    ],
)
def test_what_is_no_key(change: dict[str, str], word: str) -> None:
    with pytest.raises(BadAnswer, match=word):
        Answer(document(**change), CONTENT).key(ASKED)


@pytest.mark.parametrize(
    ("system", "word"),
    [
        ("", "no whole box"),
        ("<cpix:PSSH>AAAA</cpix:PSSH>", "no whole box"),
        ("<cpix:PSSH>%</cpix:PSSH>", "no base64"),
        *(
            (
                f"<cpix:PSSH>{pssh(WIDEVINE, b'data')}</cpix:PSSH><cpix:HLSSignalingData>{text64(line)}</cpix:HLSSignalingData>",
                "no line",
            )
            for line in (
                "#EXTINF:6.000,",
                f"{MEDIA}\nhttps://elsewhere.example/segment.m4s",
                MEDIA.replace("SAMPLE-AES", "SAMPLE-AES-CTR"),
                MEDIA.replace("SAMPLE-AES", "NONE"),
                MEDIA + "\x00",
                MEDIA + "x" * 20_000,
            )
        ),
        (
            f"<cpix:PSSH>{pssh(WIDEVINE, b'data')}</cpix:PSSH>"
            f"<cpix:ContentProtectionData>{text64('<a></b>')}</cpix:ContentProtectionData>",
            "no XML",
        ),
        *(
            (
                f"<cpix:PSSH>{pssh(WIDEVINE, b'data')}</cpix:PSSH>"
                f"<cpix:ContentProtectionData>{text64(told)}</cpix:ContentProtectionData>",
                word,
            )
            for told, word in (
                ("text before <ContentProtection/>", "no XML"),
                ("<a>" * 1000 + "</a>" * 1000, "too long"),
                ("x" * 20_000, "too long"),
            )
        ),
        (f"<cpix:PSSH>{pssh(PLAYREADY, b'data')}</cpix:PSSH>", "of that system"),
        (f"<cpix:PSSH>{pssh(WIDEVINE, bytes(20_000))}</cpix:PSSH>", "too long"),
        (
            f"<cpix:PSSH>{pssh(WIDEVINE, b'data')}</cpix:PSSH>"
            f"<cpix:HLSSignalingData>{text64(''.join(f'{MEDIA}{n}{chr(10)}' for n in range(9)))}</cpix:HLSSignalingData>",
            "more than 4 lines",
        ),
    ],
)
def test_what_players_cannot_be_told(system: str, word: str) -> None:
    answer = Answer(document(system=system), CONTENT)
    with pytest.raises(BadAnswer, match=word):
        answer.signals("widevine", answer.key(ASKED))


def test_what_a_service_leaves_out_follows_from_its_box() -> None:
    answer = Answer(document(), CONTENT)
    told = answer.signals("widevine", answer.key(ASKED))
    box = pssh(WIDEVINE, b"data")
    assert told.pssh == (b64decode(box),)
    assert f"base64,{box}" in told.attributes[0]
    assert box in told.mpd[0]
    with pytest.raises(BadAnswer, match="nothing for playready"):
        answer.signals("playready", answer.key(ASKED))
    fairplay = "94CE86FB-07FF-4F43-ADB8-93D2FA968CA2"
    uri = f"<cpix:URIExtXKey>{text64('skd://fps.example.com/;1')}</cpix:URIExtXKey>"
    answer = Answer(document(system_id=fairplay, system=uri), CONTENT)
    assert 'URI="skd://fps.example.com/;1"' in answer.signals("fairplay", answer.key(ASKED)).attributes[0]
    for wrong in ("", f"<cpix:URIExtXKey>{text64('https://a')}</cpix:URIExtXKey>"):
        answer = Answer(document(system_id=fairplay, system=wrong), CONTENT)
        with pytest.raises(BadAnswer):
            answer.signals("fairplay", answer.key(ASKED))


def test_a_box_that_lists_its_keys_is_passed_on_as_it_came() -> None:
    data = b"an object of PlayReady"
    body = b"\1\0\0\0" + UUID(PLAYREADY).bytes + (1).to_bytes(4) + UUID(KID).bytes + len(data).to_bytes(4) + data
    box = (8 + len(body)).to_bytes(4) + b"pssh" + body
    answer = Answer(document(system_id=PLAYREADY, system=f"<cpix:PSSH>{b64encode(box).decode()}</cpix:PSSH>"), CONTENT)
    told = answer.signals("playready", answer.key(ASKED))
    assert told.pssh == (box,)
    assert f"base64,{b64encode(data).decode()}" in told.attributes[0]
    assert f"<mspr:pro>{b64encode(data).decode()}</mspr:pro>" in told.mpd[0]


def test_an_element_declares_what_it_uses_in_the_manifest() -> None:
    given = '<ContentProtection schemeIdUri="urn:x" cenc:default_KID="1"><mspr:pro>AA==</mspr:pro></ContentProtection>'
    boxed = f"<cpix:PSSH>{pssh(WIDEVINE, b'data')}</cpix:PSSH>"
    told = f"<cpix:ContentProtectionData>{text64(given)}</cpix:ContentProtectionData>"
    answer = Answer(document(system=boxed + told), CONTENT)
    (text,) = answer.signals("widevine", answer.key(ASKED)).mpd
    root = ElementTree.fromstring(text)
    assert root.get("{urn:mpeg:cenc:2013}default_KID") == "1"
    assert root.findtext("{urn:microsoft:playready}pro") == "AA=="


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"<html/>",
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1/"><a/>',
        b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        b"<!DOCTYPE a ["
        + b"".join(b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 10) for n in range(1, 10))
        + b"]><a>&e9;</a>",
        b"<a>" * 80_000,
        "<a/>".encode("utf-16")[:-1],
        b'<?xml version="1.0" encoding="nonsense"?><a/>',
    ],
    ids=range(9),
)
def test_bombs_and_rubbish_are_no_answers(body: bytes) -> None:
    with pytest.raises(BadAnswer) as caught:
        Answer(body, CONTENT)
    assert not caught.value.definite


@pytest.mark.parametrize("tracks", ["all", "audio", "sd", "hd"])
def test_ids_are_the_same_whenever_they_are_made(tracks: Tracks) -> None:
    assert Asked.of(CONTENT, tracks) == Asked.of(CONTENT, tracks)
    assert (Asked.of(CONTENT, tracks).kid.hex() == CONTENT) == (tracks == "all")
