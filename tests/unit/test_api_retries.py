"""The request that a retry stands for."""

from typing import Any

import pytest

from services.api.contract.errors import Invalid
from services.api.contract.json_body import parse_members
from services.api.contract.models import JobRequest
from services.api.contract.retries import retry_members
from services.api.contract.validation import validate
from shared.encryption.request import EncryptionRequest
from shared.job import Job
from shared.payload import json_text
from tests.support.policies import PUBLIC
from tests.support.samples import EPOCH, ORG

KEYS = "access_key=AK&secret_key=SK&region=us-east-1"
MASKED = "access_key=<access_key>&secret_key=<secret_key>&region=us-east-1"
METADATA = '{ "n": 1.50e3, "n": "\\ud800ä", "deep": [[]] }'


def ended(**members: Any) -> Job:
    given = {
        "input_url": "https://example.com/film.mp4",
        "output_path": "s3://bucket/out/",
        "resolutions": ("240p", "480p"),
    }
    return Job(id="5KQfnXCg8Qh", org=ORG, created=EPOCH, status="error", **(given | members))


def asked(job: Job, **given: Any) -> tuple[JobRequest, str | None]:
    """What a retry with these members asks for, and the text of the metadata."""
    members = retry_members(job, parse_members(json_text(given).encode()))
    return validate(JobRequest, members, policy=PUBLIC), members.texts.get("client_metadata")


def refused(job: Job, **given: Any) -> dict[str, Any]:
    with pytest.raises(Invalid) as caught:
        asked(job, **given)
    return dict(caught.value.body)


def test_everything_is_as_it_was() -> None:
    request, metadata = asked(ended(client_metadata=METADATA, priority="high", profile="fast"))
    assert (request.source_field, request.source, request.output_path) == (
        "input_url",
        "https://example.com/film.mp4",
        "s3://bucket/out/",
    )
    assert (request.resolutions, request.priority, request.profile) == (["240p", "480p"], "high", "fast")
    assert metadata == METADATA


def test_what_could_be_played_early_can_be_played_early_again() -> None:
    job = ended(early_playback=True)
    assert asked(job)[0].early_playback
    assert not asked(job, early_playback=False)[0].early_playback
    assert not asked(ended())[0].early_playback


def test_what_is_given_takes_the_place() -> None:
    given = {"resolutions": ["720p"], "priority": "low", "profile": "quality", "client_metadata": {"b": 1, "a": 2}}
    request, metadata = asked(ended(client_metadata=METADATA), **given)
    assert (request.resolutions, request.priority, request.profile) == (["720p"], "low", "quality")
    assert metadata == '{"b": 1, "a": 2}'


@pytest.mark.parametrize(
    ("before", "given"),
    [
        (
            "https://example.com/film.mp4?Expires=<Expires>",
            {"input_url": "https://example.com/film.mp4?Expires=1&Signature=2"},
        ),
        ("https://<credentials>@example.com/film.mp4", {"input_url": "https://user:word@example.com/film.mp4"}),
        ("https://example.com/film.mp4?<query>", {"input_url": "https://example.com/film.mp4"}),
        (f"s3://in/film.mp4?{MASKED}", {"input_url": f"s3://in/film.mp4?{KEYS}"}),
        (f"s3://in/film.mp4?{MASKED}", {"input_path": f"s3://in/film.mp4?{KEYS}"}),
        (f"s3://in/film.mp4?{MASKED}", {"input_path": "s3://in/film.mp4"}),
        ("s3://in/film.mp4?region=us-east-1", {"input_path": f"s3://in/film.mp4?{KEYS}"}),
    ],
)
def test_a_source_comes_again_with_its_secrets(before: str, given: dict[str, str]) -> None:
    request, _ = asked(ended(input_url=before), **given)
    assert {request.source_field: request.source} == given


def test_an_output_comes_again_with_its_keys() -> None:
    request, _ = asked(ended(output_path=f"s3://bucket/out/?{MASKED}"), output_path=f"s3://bucket/out?{KEYS}")
    assert request.output_path == f"s3://bucket/out?{KEYS}"


@pytest.mark.parametrize(
    "before",
    ["https://example.com/film.mp4?a=<a>", "https://<credentials>@example.com/film.mp4", f"s3://in/film.mp4?{MASKED}"],
)
def test_a_member_without_which_nothing_can_be_read_is_named(before: str) -> None:
    for given in ({}, {"input_url": before}):
        (message,) = refused(ended(input_url=before), **given)["input_url"]
        assert message.startswith("Send the address of the input again")
    if before.startswith("s3:"):
        assert list(refused(ended(input_url=before), input_path=before)) == ["input_path"]


def test_both_addresses_are_missed_at_once() -> None:
    job = ended(input_url="https://example.com/film.mp4?a=<a>", output_path=f"s3://bucket/out/?{MASKED}")
    assert refused(job).keys() == {"input_url", "output_path"}
    # As GET shows it, it opens nothing.
    assert refused(job, input_url="https://example.com/film.mp4?a=1", output_path=job.output_path).keys() == {
        "output_path"
    }


def test_another_place_is_another_job() -> None:
    wrong = refused(ended(), input_url="https://example.com/other.mp4", output_path="s3://bucket/elsewhere/")
    assert wrong["input_url"] == [
        "A retry reads the same input, https://example.com/film.mp4. Create a job for another one."
    ]
    assert wrong["output_path"] == ["A retry writes to the same place, s3://bucket/out/. Create a job for another one."]


CONTENT = "cf6c30dd50c1492e82344ea3e139da1d"
SEPARATE = EncryptionRequest(scheme="cbcs", systems=("widevine", "playready"), keys="separate")
PLAIN = EncryptionRequest(scheme="aes-128", key_uri="https://example.com/{kid}")


def encrypted(job: Job, **given: Any) -> tuple[str, dict[str, Any]]:
    request, _ = asked(job, **given)
    return request.encrypted, request.drm.model_dump(exclude_none=True) if request.drm else {}


def test_a_retry_is_encrypted_as_its_job() -> None:
    job = ended(enable_drm=True, drm_content_id=CONTENT, encryption=SEPARATE)
    same = {"content_id": CONTENT, "systems": ["widevine", "playready"], "keys": "separate"}
    for given in ({}, {"enable_drm": True}, {"encryption": "cbcs"}, {"enable_drm": True, "encryption": "cbcs"}):
        assert encrypted(job, **given) == ("cbcs", same)
    others = {"systems": ["fairplay"]}
    assert encrypted(job, drm=others) == ("cbcs", others | {"content_id": CONTENT})
    hyphens = "cf6c30dd-50c1-492e-8234-4ea3e139da1d"
    assert encrypted(job, drm={"content_id": hyphens})[1] == {"content_id": CONTENT}
    assert refused(job, drm={"content_id": CONTENT[::-1]}).keys() == {"drm"}
    plain = ended(drm_content_id=CONTENT, encryption=PLAIN)
    # As the first body may have had it: it says that there is no DRM, not that there is no encryption.
    for given in ({}, {"enable_drm": False}):
        assert encrypted(plain, **given) == ("aes-128", {"content_id": CONTENT, "key_uri": "https://example.com/{kid}"})


def test_another_encryption_has_another_content() -> None:
    job = ended(enable_drm=True, drm_content_id=CONTENT, encryption=SEPARATE)
    assert encrypted(job, enable_drm=False) == ("none", {})
    assert encrypted(job, encryption="aes-128") == ("aes-128", {})
    assert encrypted(ended(drm_content_id=CONTENT, encryption=PLAIN), enable_drm=True) == ("cbcs", {})
    assert encrypted(ended(), enable_drm=True, drm={"keys": "separate"}) == ("cbcs", {"keys": "separate"})
