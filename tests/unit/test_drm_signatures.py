"""Signed requests for keys and licences: the published vectors, and the forms that clients write them in."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.contract.errors import ApiError
from services.api.drm.answers import widevine_data
from services.api.drm.asked import (
    KeysAsked,
    LicenceAsked,
    read_content,
    read_licence,
    read_licence_data,
    read_widevine,
)
from services.api.drm.signatures import from_base64, is_signed
from shared.encryption.signature import SigningPair, sign

# The second organization of TPStreams' published sample.
PAIR = SigningPair(
    bytes.fromhex("1239d18e02b9e8ebf5ef131a9f564e729e0b95e6bb8a78ddb88cfe15d7904723"),
    bytes.fromhex("90a541d5cc608da12dee470fb654413c"),
)
CONTENT = "8216dcdb90c34a4f8abf1671630a8817"
TEXT = b'{"content_id":"8216dcdb90c34a4f8abf1671630a8817"}'
SIGNATURE = "Bj9cxpxncL/6+0XS3nBIIYwrv2RkLc5uCs7Bd1J7Jco="
DATA = (
    "eyJjb250ZW50X2RhdGEiOiJleUpqYjI1MFpXNTBYMmxrSWpvaU9ESXhObVJqWkdJNU1HTXpOR0UwWmpoaFltWXhOamN4TmpNd1lUZzRNVGNpTENKa2IzZHVi"
    "RzloWkNJNlptRnNjMlVzSW1SeWJWOTBlWEJsSWpvaWQybGtaWFpwYm1VaWZRPT0iLCJzaWduYXR1cmUiOiJDU0w3Mkt6M3FJSWdxRlMwNDQxbmNJNVIrUkE1"
    "dEsyRnJ5SDlGUDdDTitBPSJ9"
)
# Shaka Packager 3.8 for the content cf6c30dd50c1492e82344ea3e139da1d.
PACKAGER = (
    b'{"content_id":"z2ww3VDBSS6CNE6j4TnaHQ==","policy":"","tracks":[{"type":"SD"},{"type":"HD"},{"type":"UHD1"},{"type":"UHD2"},'
    b'{"type":"AUDIO"}],"drm_types":["WIDEVINE"],"protection_scheme":"CBCS"}'
)


def test_the_worked_signature_of_a_request_for_keys() -> None:
    assert base64.b64encode(sign(TEXT, PAIR)).decode() == SIGNATURE
    assert is_signed(TEXT, SIGNATURE, PAIR)
    assert is_signed(TEXT, base64.urlsafe_b64encode(sign(TEXT, PAIR)).decode().rstrip("="), PAIR)
    assert from_base64("eyJjb250ZW50X2lkIjoiODIxNmRjZGI5MGMzNGE0ZjhhYmYxNjcxNjMwYTg4MTcifQ==") == TEXT
    assert read_content(TEXT) == CONTENT


@pytest.mark.parametrize("end", ["", "/", "//"])
def test_the_worked_address_of_a_licence(end: str) -> None:
    data = read_licence_data(DATA + end)
    assert is_signed(data.content_data.encode(), data.signature, PAIR)
    assert data.signature == "CSL72Kz3qIIgqFS0441ncI5R+RA5tK2FryH9FP7CN+A="
    assert read_licence(data.content_data) == LicenceAsked(CONTENT, "widevine", download=False)


@pytest.mark.parametrize("signature", ["", "AAAA", SIGNATURE[:-2] + "A=", "*", "ü" * 44, SIGNATURE.lower()])
def test_no_other_signature_holds(signature: str) -> None:
    assert not is_signed(TEXT, signature, PAIR)
    assert not is_signed(TEXT + b" ", SIGNATURE, PAIR)
    assert not is_signed(TEXT, SIGNATURE, SigningPair(PAIR.key[::-1], PAIR.iv))
    assert "1239" not in repr(PAIR)


@given(st.binary(max_size=200))
def test_base64_in_all_its_forms(raw: bytes) -> None:
    standard, url = base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()
    for text in (standard, url, standard.rstrip("="), url.rstrip("="), standard.replace("+", " "), f"{standard}\n"):
        assert from_base64(text) == raw


@pytest.mark.parametrize("text", ["a", "a===", "ab=c", "a.bc", "ä", "ab\x00c"])
def test_what_is_no_base64_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        from_base64(text)


@pytest.mark.parametrize("text", [
    b'{"content_id": "8216dcdb-90c3-4a4f-8abf-1671630a8817"}', b'\n{ "content_id" :"8216DCDB90C34A4F8ABF1671630A8817", "x": 1 }',
])  # fmt: skip
def test_any_spacing_and_both_forms_of_ids(text: bytes) -> None:
    assert read_content(text) == CONTENT


# The published sample whose base64 was cut by hand; it has to be refused, not to break anything.
CORRUPT = b'{"content_id":"cf6c30dd50c1492\xdf\x1d\xff'


@pytest.mark.parametrize("text", [
    CORRUPT, b"", b"[]", b"{}", b'{"content_id": null}', b'{"content_id": 5}', b'{"content_id": "x"}', b"[" * 5000,
])  # fmt: skip
def test_what_is_no_request_is_refused(text: bytes) -> None:
    for read in (read_content, read_widevine):
        with pytest.raises(ApiError):
            read(text)
    for text_of in (text.decode("latin-1"), base64.b64encode(text).decode()):
        with pytest.raises(ApiError):
            read_licence(text_of)
        with pytest.raises(ApiError):
            read_licence_data(text_of)


def test_a_request_of_the_packager() -> None:
    tracks = ("SD", "HD", "UHD1", "UHD2", "AUDIO")
    assert read_widevine(PACKAGER) == KeysAsked("cf6c30dd50c1492e82344ea3e139da1d", tracks, "cbcs")
    for wrong in (
        {"tracks": 5},
        {"tracks": [{"type": "8K"}]},
        {"crypto_period_count": 2},
        {"protection_scheme": "rot13"},
    ):
        with pytest.raises(ApiError):
            read_widevine(json.dumps(json.loads(PACKAGER) | wrong).encode())


def test_what_widevine_is_told_of_a_key() -> None:
    kid = bytes.fromhex("cf6c30dd50c1492e82344ea3e139da1d")
    assert widevine_data(kid, "cbcs").hex() == f"1210{kid.hex()}48f3c6899b06"
    assert widevine_data(kid, "cenc").hex() == f"1210{kid.hex()}48e3dc959b06"
