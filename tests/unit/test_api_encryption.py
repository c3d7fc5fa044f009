"""How clients ask for an encrypted output, and what they are told where it cannot be."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from services.api.admin.key_commands import shown
from services.api.contract.errors import Invalid
from services.api.contract.json_body import parse_members
from services.api.contract.models import JobRequest
from services.api.contract.validation import validate
from services.api.drm.providers import ProviderRules
from shared.encryption.providers import PROVIDERS
from shared.encryption.request import EncryptionRequest
from tests.support.policies import PUBLIC

BODY = {"input_url": "https://example.com/a.mp4", "output_path": "s3://bucket/a/", "resolutions": ["240p"]}
CONTENT = "cf6c30dd50c1492e82344ea3e139da1d"


def asked(**members: Any) -> JobRequest:
    return validate(JobRequest, parse_members(json.dumps(BODY | members).encode()), policy=PUBLIC)


def refused(**members: Any) -> dict[str, Any]:
    with pytest.raises(Invalid) as caught:
        asked(**members)
    return dict(caught.value.body)


@pytest.mark.parametrize(
    ("members", "encrypted"),
    [
        ({}, "none"),
        ({"enable_drm": False}, "none"),
        ({"enable_drm": True}, "cbcs"),
        ({"encryption": "cbcs"}, "cbcs"),
        ({"encryption": "cbcs", "enable_drm": True}, "cbcs"),
        ({"encryption": "none", "enable_drm": False}, "none"),
        ({"encryption": "aes-128", "enable_drm": False}, "aes-128"),
    ],
)
def test_enable_drm_means_cbcs(members: dict[str, Any], encrypted: str) -> None:
    assert asked(**members).encrypted == encrypted


@pytest.mark.parametrize(
    ("members", "field", "word"),
    [
        ({"enable_drm": True, "encryption": "none"}, "encryption", "Leave one of the two out"),
        ({"enable_drm": True, "encryption": "aes-128"}, "encryption", "Leave one of the two out"),
        ({"enable_drm": False, "encryption": "cbcs"}, "encryption", "Leave one of the two out"),
        ({"encryption": "cenc"}, "encryption", "Choose from none, cbcs, aes-128."),
        ({"encryption": None}, "encryption", "may not be null"),
        ({"drm": {}}, "drm", "not encrypted"),
        ({"drm": [], "enable_drm": True}, "drm", "Expected a dictionary"),
        ({"drm": {"key_uri": "https://a.example/k"}, "enable_drm": True}, "drm", "key_uri: It is for"),
        ({"drm": {"systems": ["widevine"]}, "encryption": "aes-128"}, "drm", "systems: "),
        ({"drm": {"keys": "separate"}, "encryption": "aes-128"}, "drm", "keys: "),
        ({"drm": {"systems": ["netflix"]}, "enable_drm": True}, "drm", "systems: Choose from widevine"),
        ({"drm": {"systems": []}, "enable_drm": True}, "drm", "systems: This list may not be empty."),
        ({"drm": {"systems": ["widevine"] * 2}, "enable_drm": True}, "drm", "more than once"),
        ({"drm": {"content_id": CONTENT[1:]}, "enable_drm": True}, "drm", "content_id: Send a UUID"),
        ({"drm": {"contentId": CONTENT}, "enable_drm": True}, "drm", "contentId: Unknown field."),
        ({"drm": {"key_uri": "skd://a"}, "encryption": "aes-128"}, "drm", "key_uri: Send an http"),
        ({"drm": {"key_uri": 'https://a.example/"'}, "encryption": "aes-128"}, "drm", "key_uri: "),
        ({"drm": {"key_uri": "https://a.example/\n#EXT"}, "encryption": "aes-128"}, "drm", "key_uri: "),
        ({"drm": {"key_uri": "https://a.example/{job}"}, "encryption": "aes-128"}, "drm", "key_uri: "),
        ({"drm": {"key_uri": "https:///{kid}"}, "encryption": "aes-128"}, "drm", "key_uri: "),
    ],
)
def test_what_cannot_be_is_said_where_it_is(members: dict[str, Any], field: str, word: str) -> None:
    body = refused(**members)
    assert list(body) == [field]
    assert any(word in text for text in body[field]), body


def test_ids_come_in_both_forms() -> None:
    for text in (CONTENT, CONTENT.upper(), "cf6c30dd-50c1-492e-8234-4ea3e139da1d"):
        options = asked(enable_drm=True, drm={"content_id": text}).drm
        assert options
        assert options.content_id == CONTENT


TPSTREAMS = {"kind": "tpstreams", "organization": "a1b2c3", "signing_key": "0" * 64, "signing_iv": "1" * 32}
KEY = {"kid": "0" * 32, "iv": "1" * 32, "key": "2" * 32}
SPEKE = {"kind": "speke", "url": "https://keys.example.com/speke", "header": "x-api-key", "value": "very-secret"}


@pytest.mark.parametrize(
    ("provider", "request_", "fields"),
    [
        (TPSTREAMS, {"scheme": "cbcs", "systems": ["widevine", "fairplay"]}, []),
        (TPSTREAMS, {"scheme": "cbcs", "systems": ["widevine", "playready"], "keys": "separate"}, ["drm"]),
        (TPSTREAMS, {"scheme": "aes-128"}, ["encryption"]),
        (SPEKE, {"scheme": "cbcs", "systems": ["playready"], "keys": "separate"}, []),
        (SPEKE, {"scheme": "cbcs", "systems": ["clearkey"]}, ["drm"]),
        ({"kind": "sealed"}, {"scheme": "aes-128", "key_uri": "https://a.example/"}, []),
        ({"kind": "sealed"}, {"scheme": "cbcs", "systems": ["clearkey"], "keys": "separate"}, []),
    ],
)
def test_what_a_provider_cannot_do(provider: dict[str, Any], request_: dict[str, Any], fields: list[str]) -> None:
    problems = PROVIDERS.validate_python(provider).refusals(EncryptionRequest.model_validate(request_))
    assert list(problems) == fields
    for texts in problems.values():
        assert all(provider["kind"] in text for text in texts)


@pytest.mark.parametrize(
    ("url", "openly"),
    [
        ("https://keys.example.com/speke", False),
        ("http://keys.example.com/speke", True),
        ("http://10.0.0.7/speke", True),
        ("http://localhost.example.com/", True),
        ("http://127.0.0.1:8080/speke", False),
        ("http://[::1]/speke", False),
        ("http://localhost/speke", False),
    ],
)
def test_keys_do_not_travel_openly_unless_that_is_allowed(url: str, openly: bool) -> None:
    for given in (SPEKE, TPSTREAMS):
        provider = PROVIDERS.validate_python(given | {"url": url})
        assert provider.keys_travel_openly == openly
        assert bool(ProviderRules().refusal(provider)) == openly
        assert ProviderRules(plain_http=True).refusal(provider) is None
    assert not PROVIDERS.validate_python({"kind": "sealed"}).keys_travel_openly


def test_providers_of_the_same_keys_are_the_same() -> None:
    def identity(given: dict[str, Any]) -> str:
        return PROVIDERS.validate_python(given).identity

    static: dict[str, Any] = {"kind": "static", "keys": [KEY]}
    given: list[dict[str, Any]] = [TPSTREAMS, SPEKE, static, {"kind": "sealed"}]
    others: list[dict[str, Any]] = [TPSTREAMS | {"organization": "other"}, SPEKE | {"url": "https://other.example/"}]
    others.append({"kind": "static", "keys": [KEY | {"key": "3" * 32}]})
    assert len({identity(one) for one in given + others}) == len(given + others)
    assert identity(TPSTREAMS | {"signing_key": "5" * 64}) == identity(TPSTREAMS)
    assert identity(SPEKE | {"value": "another"}) == identity(SPEKE)
    assert not any("example" in identity(one) for one in given)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "none"},
        TPSTREAMS | {"signing_key": "0" * 63},
        TPSTREAMS | {"url": "https://user:secret@app.tpstreams.com"},
        TPSTREAMS | {"url": "ftp://app.tpstreams.com"},
        SPEKE | {"value": None},
        SPEKE | {"value": "two\nlines"},
        SPEKE | {"header": None, "value": None},
        SPEKE | {"username": "a:b", "password": "c"},
        {"kind": "static", "keys": []},
        {"kind": "static", "keys": [KEY | {"tracks": "sd"}, KEY | {"tracks": "audio"}]},
    ],
)
def test_providers_that_can_never_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        PROVIDERS.validate_python(wrong)


@pytest.mark.parametrize(
    "wrong", [TPSTREAMS | {"kind": "of a later version"}, TPSTREAMS | {"signing_iv": "f" * 31}, SPEKE | {"url": "keys"}]
)
def test_what_is_wrong_with_a_provider_is_told_without_its_secrets(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        PROVIDERS.validate_json(json.dumps(wrong))
    for secret in ("0" * 31, "1" * 31, "f" * 31, "very-secret"):
        assert secret not in str(caught.value)


def test_providers_show_no_secret() -> None:
    for given, secret in ((TPSTREAMS, "0" * 64), (TPSTREAMS, "1" * 32), (SPEKE, "very-secret")):
        provider = PROVIDERS.validate_python(given)
        assert secret not in repr(provider)
        assert secret.encode() in PROVIDERS.dump_json(provider), "sealed, it has to be all there"


def test_what_operators_are_shown_has_no_secret_either() -> None:
    provider = PROVIDERS.validate_python(SPEKE | {"url": "https://keys.example.com/speke?customer=7&token=hidden"})
    told = dict(shown(provider))
    assert told["url"].startswith("https://keys.example.com/speke?")
    assert "hidden" not in str(told)
    assert "very-secret" not in str(told)
