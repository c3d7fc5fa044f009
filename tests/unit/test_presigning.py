"""Presigned addresses are those that the library makes."""

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore import auth
from pydantic import SecretStr

from shared.locations import S3Location
from shared.presigning import presigner
from shared.storage import s3_client
from tests.support.policies import PUBLIC

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
KEYS = {"access_key": "AKIDEXAMPLE", "secret_key": SecretStr("wJalrXUtnFEMI/K7MDENG")}
LOCATIONS = [
    S3Location(bucket="films", key="", **KEYS),
    S3Location(bucket="films", key="", region="eu-central-1", **KEYS),
    S3Location(bucket="with.dots", key="", region="eu-west-1", **KEYS),
    S3Location(bucket="films", key="", endpoint="https://s3.example.com", **KEYS),
    S3Location(bucket="films", key="", endpoint="https://s3.example.com:9000", path_style=False, **KEYS),
]


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "get_current_datetime", lambda *_: NOW)


@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize("key", ["a.mp4", "uploads/x y/ü+%2F~.mp4"])
async def test_they_are_those_of_the_library(location: S3Location, key: str) -> None:
    signer = await presigner(location, policy=PUBLIC, seconds=600)
    given: dict[str, Any] = {"Bucket": location.bucket, "Key": key}
    async with s3_client(location, policy=PUBLIC) as client:
        read = await client.generate_presigned_url("get_object", Params=given, ExpiresIn=600)
        sent = {"ContentLength": 5, "ContentType": "video/mp4"}
        write = await client.generate_presigned_url("put_object", Params=given | sent, ExpiresIn=600)
        numbers = {"PartNumber": 3, "UploadId": "a/b+c"}
        part = await client.generate_presigned_url("upload_part", Params=given | numbers, ExpiresIn=600)
    assert signer.address("GET", key) == read
    headers = {"Content-Length": "5", "Content-Type": "video/mp4"}
    assert signer.address("PUT", key, headers=headers) == write
    assert (
        signer.address("PUT", key, query={"partNumber": "3", "uploadId": "a/b+c"}).split("&X-Amz-Signature")[1] in part
    )


async def test_browsers_may_call_the_service_otherwise() -> None:
    location = S3Location(bucket="films", key="", endpoint="http://s3:9000", **KEYS)
    signer = await presigner(location, policy=PUBLIC, seconds=60, public_endpoint="https://files.example.com")
    assert signer.address("GET", "a.mp4").startswith("https://files.example.com/films/a.mp4?")
