"""Which output addresses are the same place."""

import pytest

from services.api.contract.claims import claim_of, source_place
from shared.locations import mask

KEYS = "access_key=AKIA&secret_key=a+b/c"


@pytest.mark.parametrize(
    "other",
    [
        f"s3://bucket/a/b?{KEYS}&region=us-east-1",
        f"s3://bucket/a/b/?region=eu-west-1&{KEYS}",
        f"s3://bucket/a%2Fb/?{KEYS}",
        "s3://bucket/a/b/?access_key=other&secret_key=other",
        "s3://bucket/a/b/",
        f"s3://bucket/a/b/?{KEYS}&endpoint=https://s3.eu-west-1.amazonaws.com",
    ],
)
def test_the_same_place(other: str) -> None:
    assert claim_of(other) == claim_of(f"s3://bucket/a/b/?{KEYS}&region=us-east-1") == "|bucket|a/b"


@pytest.mark.parametrize(
    "other",
    [
        "s3://bucket/a/",
        "s3://bucket/A/b/",
        "s3://bucket2/a/b/",
        "s3://bucket/a/b/c/",
        "s3://bucket/a/b/?endpoint=https://minio.example.com",
    ],
)
def test_another_place(other: str) -> None:
    assert claim_of(other) != claim_of("s3://bucket/a/b/")


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://minio.example.com",
        "https://MINIO.example.com/",
        "https://minio.example.com:443",
        "HTTPS://minio.example.com",
    ],
)
def test_one_endpoint_in_several_spellings(endpoint: str) -> None:
    assert claim_of(f"s3://bucket/a/?endpoint={endpoint}") == "https://minio.example.com|bucket|a"


def test_ports_and_schemes_tell_endpoints_apart() -> None:
    claims = {
        claim_of(f"s3://b-1/a/?endpoint={endpoint}")
        for endpoint in ("http://h:9000", "http://h:9001", "https://h:9000", "http://h")
    }
    assert len(claims) == 4


def test_the_masked_address_claims_the_same() -> None:
    full = f"s3://bucket/a/b/?{KEYS}&region=us-east-1&endpoint=http://127.0.0.1:9000"
    assert claim_of(mask(full)) == claim_of(full)


def test_a_long_one_still_fits_an_index() -> None:
    long = f"s3://bucket/{'k' * 800}/?endpoint=https://h/{'e' * 2500}"
    assert len(claim_of(long)) < 100
    assert claim_of(long) != claim_of(long.replace("kkk", "kkj", 1))


def test_what_is_no_prefix() -> None:
    with pytest.raises(ValueError, match="s3://"):
        claim_of("https://example.com/")


@pytest.mark.parametrize(
    ("address", "other"),
    [
        ("https://example.com/a.mp4?X-Amz-Signature=1", "https://example.com/a.mp4?X-Amz-Signature=2&X-Amz-Date=3"),
        ("https://user:word@example.com/a.mp4", "https://Example.com:443/a.mp4#t=1"),
        (f"s3://bucket/a.mp4?{KEYS}&region=us-east-1", "s3://bucket/a.mp4/?region=eu-west-1"),
    ],
)
def test_the_same_source(address: str, other: str) -> None:
    assert source_place(address) == source_place(other) == source_place(mask(address))


@pytest.mark.parametrize(
    ("address", "other"),
    [
        ("https://example.com/a.mp4", "https://example.com/A.mp4"),
        ("https://example.com/a.mp4", "http://example.com/a.mp4"),
        ("https://example.com/a.mp4", "https://example.com:8443/a.mp4"),
        ("s3://bucket/a.mp4", "s3://bucket//a.mp4"),
        ("s3://bucket/a.mp4", "s3://bucket/a.mp4?endpoint=https://minio.example.com"),
        ("s3://bucket/a.mp4", "https://bucket.s3.amazonaws.com/a.mp4"),
    ],
)
def test_another_source(address: str, other: str) -> None:
    assert source_place(address) != source_place(other)
