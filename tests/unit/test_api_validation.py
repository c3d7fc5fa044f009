"""What is wrong with a body, in the words that clients of the public API know."""

import json
from typing import Any

import pytest

from services.api.contract.errors import ApiError, Invalid
from services.api.contract.json_body import parse_members
from services.api.contract.members import Request
from services.api.contract.models import JobRequest, LoginRequest, WebhookRequest
from services.api.contract.uploads import MOST_BYTES, UploadRequest
from services.api.contract.validation import validate
from shared.addresses import AddressPolicy
from shared.errors import ERRORS
from tests.support.policies import ANYWHERE, PUBLIC

RESOLUTIONS = "Choose from 144p, 240p, 360p, 480p, 540p, 720p, 1080p, 1440p, 2160p, audio."
OUTPUT = "s3://example-bucket/path/?access_key=AKID&secret_key=SECRET&region=us-east-1"
GOOD: dict[str, Any] = {"input_url": "https://example.com/a.mp4", "output_path": OUTPUT, "resolutions": ["240p"]}


def check(body: dict[str, Any] | bytes, model: type[Request] = JobRequest, *, policy: AddressPolicy = PUBLIC) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return validate(model, parse_members(raw), policy=policy)


def problems(
    body: dict[str, Any] | bytes, model: type[Request] = JobRequest, *, policy: AddressPolicy = PUBLIC
) -> dict[str, Any]:
    with pytest.raises(ApiError) as caught:
        check(body, model, policy=policy)
    assert isinstance(caught.value, Invalid)
    return dict(caught.value.body)


def test_the_published_samples_are_accepted() -> None:
    assert check(GOOD).source == GOOD["input_url"]
    path = "s3://example-bucket/video.mp4/?access_key=<access_key>&secret_key=<secret_key>&region=<region>"
    request = check(
        {"input_path": path, "output_path": OUTPUT, "resolutions": ["240p", "480p"], "client_metadata": {"a": 1}}
    )
    assert (request.source, request.source_field) == (path, "input_path")
    assert check(GOOD | {"input_url": path}).source == path


def test_sound_may_be_asked_for_alone() -> None:
    assert check(GOOD | {"resolutions": ["audio"]}).resolutions == ["audio"]
    [message] = problems(json.dumps(GOOD | {"resolutions": ["240p", "audio"]}).encode())["resolutions"]
    assert '"audio"' in message and "stands alone" in message


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"resolutions": ["999p"]}, {"resolutions": ['"999p" is not a valid choice.', RESOLUTIONS]}),
        ({"resolutions": ["240p", 480]}, {"resolutions": ['"480" is not a valid choice.', RESOLUTIONS]}),
        ({"resolutions": []}, {"resolutions": ["This list may not be empty."]}),
        ({"resolutions": "240p"}, {"resolutions": ['Expected a list of items but got type "str".']}),
        ({"resolutions": ["240p", "480p", "240p"]}, {"resolutions": ['"240p" is given more than once.']}),
        ({"resolutions": ["audio", "audio"]}, {"resolutions": ['"audio" is given more than once.']}),
        ({"resolutions": None}, {"resolutions": ["This field may not be null."]}),
        ({"output_path": 5}, {"output_path": ["Not a valid string."]}),
        ({"output_path": ""}, {"output_path": ["This field may not be blank."]}),
        ({"input_url": None}, {"input_url": ["This field may not be null."]}),
        ({"client_metadata": [1]}, {"client_metadata": ['Expected a dictionary of items but got type "list".']}),
        ({"client_metadata": None}, {"client_metadata": ["This field may not be null."]}),
        ({"enable_drm": "true"}, {"enable_drm": ["Must be a valid boolean."]}),
        ({"priority": "urgent"}, {"priority": ['"urgent" is not a valid choice.', "Choose from low, normal, high."]}),
        ({"profile": "best"}, {"profile": ['"best" is not a valid choice.', "Choose from fast, balanced, quality."]}),
        ({"client_metdata": {}}, {"client_metdata": ['Unknown field. Did you mean "client_metadata"?']}),
    ],
)  # fmt: skip
def test_each_mistake_has_its_message(change: dict[str, Any], expected: dict[str, list[str]]) -> None:
    assert problems(GOOD | change) == expected


def test_all_mistakes_are_told_at_once() -> None:
    assert problems({"resolution": ["240p"], "encryption": "cenc", "output_path": "s3://"}) == {
        "resolution": ['Unknown field. Did you mean "resolutions"?'],
        "input_url": ["This field is required, unless input_path is given."],
        "output_path": ["The bucket name after s3:// is missing or malformed."],
        "resolutions": ["This field is required."],
        "encryption": ['"cenc" is not a valid choice.', "Choose from none, cbcs, aes-128."],
    }


def test_one_input_and_not_two() -> None:
    message = ["Give either input_url or input_path, not both."]
    assert problems(GOOD | {"input_path": "s3://bucket/key"}) == {"input_url": message, "input_path": message}


def test_a_misspelt_name_with_half_a_surrogate_pair_hides_no_other_mistake() -> None:
    assert set(problems(b'{"\\ud800": 1, "resolutions": []}')) == {"\ud800", "input_url", "output_path", "resolutions"}
    assert problems({"input_url": "https://example.com/\ud800"})["input_url"] == ["Not a valid string."]


def test_metadata_is_limited_by_the_bytes_received() -> None:
    def sized(size: int) -> bytes:
        frame = json.dumps(GOOD).encode()[:-1] + b', "client_metadata": '
        return frame + b'{"a":"' + b"\xc3\xa9" * ((size - 8) // 2) + b"x" * (size % 2) + b'"}' + b"  }"

    assert check(sized(10_240)).client_metadata
    assert problems(sized(10_241)) == {"client_metadata": ["Must be at most 10240 bytes, this is 10241."]}


def test_metadata_may_hold_anything_that_json_can_spell() -> None:
    metadata = b'{"\\ud800": "\\u0000", "n": 1e99999, "deep": ' + b"[" * 400 + b"]" * 400 + b"}"
    assert check(json.dumps(GOOD).encode()[:-1] + b', "client_metadata": ' + metadata + b"}")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/a", "http://localhost/a", "http://LOCALHOST./a", "http://[::1]/a", "http://10.0.0.8:8080/a", "http://127.1/a",
        "http://2130706433/a", "http://0x7f000001/a", "http://169.254.169.254/latest", "http://[::ffff:127.0.0.1]/", "http://0.0.0.0/",
    ],
)  # fmt: skip
def test_inner_addresses_are_refused_unless_allowed(url: str) -> None:
    expected = ERRORS["input_forbidden_address"].message
    assert problems(GOOD | {"input_url": url}) == {"input_url": [expected]}
    assert check(GOOD | {"input_url": url}, policy=ANYWHERE)
    assert "url" in problems({"url": url}, WebhookRequest)
    assert check({"url": url}, WebhookRequest, policy=ANYWHERE)
    endpoint = url.rpartition("/")[0]
    assert "output_path" in problems(GOOD | {"output_path": f"{OUTPUT}&endpoint={endpoint}"})
    assert check(GOOD | {"output_path": f"{OUTPUT}&endpoint={endpoint}"}, policy=ANYWHERE)


@pytest.mark.parametrize(
    "path",
    [
        "https://example.com/x", "s3://b", "s3:///key", "s3://bucket/x?acess_key=1", "s3://bucket/x?access_key=1",
        "s3://bucket/../x", "s3://bucket/a\nb", f"{OUTPUT}&endpoint=ftp://x", f"{OUTPUT}&endpoint=http://x:99999",
        f"{OUTPUT}&region=eu", "s3://bucket/" + "x" * 5000,
    ],
)  # fmt: skip
def test_malformed_locations_are_told_under_their_name(path: str) -> None:
    assert list(problems(GOOD | {"output_path": path})) == ["output_path"]


def test_no_message_holds_a_secret() -> None:
    for broken in (
        OUTPUT + "&endpoint=10.0.0.1",
        OUTPUT + "&endpoint=http://10.0.0.1",
        OUTPUT.replace("region", "regoin"),
    ):
        assert "SECRET" not in json.dumps(problems(GOOD | {"output_path": broken}))


def test_a_webhook() -> None:
    assert problems({"url": "ftp://example.com"}, WebhookRequest) == {
        "url": ["Enter a valid URL: http://… or https://…"]
    }
    assert "secret_token" in problems({"url": "https://user:pw@example.com/"}, WebhookRequest)["url"][0]
    assert list(problems({"url": "https://example.com", "secret_token": "a\r\nb"}, WebhookRequest)) == ["secret_token"]
    assert check({"url": "https://example.com/?token=1", "secret_token": "mine"}, WebhookRequest).secret_token == "mine"


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (0, "Ensure this value is greater than or equal to 1."),
        (10**16, f"Ensure this value is less than or equal to {MOST_BYTES}."),
        ("many", "A valid integer is required."),
        (1.5, "A valid integer is required."),
        (None, "This field may not be null."),
    ],
)
def test_numbers_and_their_limits(size: Any, message: str) -> None:
    assert problems({"filename": "a.mp4", "size": size}, UploadRequest) == {"size": [message]}


def test_a_login() -> None:
    assert problems({"username": "a", "password": 3}, LoginRequest) == {
        "password": ["Not a valid string."],
        "organization_id": ["This field is required."],
    }
