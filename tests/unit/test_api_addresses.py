"""Addresses at intake: what is refused, and credentials that the organization's storage supplies."""

import pytest

from services.api.contract.addresses import check_input, check_output, located, with_credentials
from shared.locations import S3Location, parse_s3
from tests.support.policies import PUBLIC

STORAGE = parse_s3(
    "s3://videos/?access_key=AK&secret_key=se%2Fcr+t&region=eu-west-1&endpoint=https://s3.example.com", is_prefix=True
)


def completed(text: str, storage: S3Location | None = STORAGE, *, is_prefix: bool = True) -> S3Location:
    return located(text, is_prefix=is_prefix, storage=storage)


def secret(location: S3Location) -> str | None:
    return location.secret_key.get_secret_value() if location.secret_key else None


def test_own_credentials_stay_as_they_are() -> None:
    own = "s3://elsewhere/x?access_key=a&secret_key=b"
    assert with_credentials(own, is_prefix=True, storage=STORAGE) == own
    assert with_credentials(own, is_prefix=True, storage=None) == own


@pytest.mark.parametrize(
    "text", ["s3://videos/a b/c", "s3://videos/a b/c/?", "s3://videos/a b/c/?region=", "s3://videos/a%20b/c"]
)
def test_the_storage_lends_all_that_is_missing(text: str) -> None:
    location = completed(text)
    assert (location.bucket, location.key) == ("videos", "a b/c")
    assert (location.access_key, secret(location)) == ("AK", "se/cr+t")
    assert (location.region, location.endpoint) == ("eu-west-1", "https://s3.example.com")


def test_what_is_given_goes_before_what_is_lent() -> None:
    location = completed("s3://videos/x?region=us-east-2&endpoint=https://S3.example.com:443/")
    assert (location.region, location.endpoint, location.access_key) == (
        "us-east-2",
        "https://S3.example.com:443",
        "AK",
    )


def test_an_input_keeps_its_key() -> None:
    assert completed("s3://videos/in.mp4/", is_prefix=False).key == "in.mp4"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("s3://others/x", "another bucket"),
        ("s3://videos/x?endpoint=https://s3.evil.example", "another bucket"),
    ],
)
def test_it_lends_for_its_own_bucket_only(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        completed(text)


def test_a_storage_of_aws_lends_nothing_for_another_service() -> None:
    aws = parse_s3("s3://videos/?access_key=AK&secret_key=s", is_prefix=True)
    assert completed("s3://videos/x", aws).endpoint is None
    assert completed("s3://videos/x?endpoint=https://s3.eu-west-1.amazonaws.com", aws).access_key == "AK"
    with pytest.raises(ValueError, match="another bucket"):
        completed("s3://videos/x?endpoint=https://s3.evil.example", aws)


def test_it_lends_below_its_prefix_only() -> None:
    storage = parse_s3("s3://videos/team-a/?access_key=AK&secret_key=s", is_prefix=True)
    assert completed("s3://videos/team-a/x", storage).access_key == "AK"
    assert completed("s3://videos/team-a/", storage).access_key == "AK"
    for outside in ("s3://videos/team-b/x", "s3://videos/team-ab/x", "s3://videos/"):
        with pytest.raises(ValueError, match="another prefix"):
            completed(outside, storage)


def test_without_storage_the_answer_says_what_to_add() -> None:
    with pytest.raises(ValueError, match="Add access_key and secret_key"):
        completed("s3://videos/x", None)


def test_how_the_storage_is_addressed_is_lent_with_it() -> None:
    storage = parse_s3(
        "s3://videos/?access_key=AK&secret_key=s&endpoint=https://videos.oss.example.com&path_style=false",
        is_prefix=True,
    )
    location = completed("s3://videos/x", storage)
    assert (location.endpoint, location.path_style) == ("https://oss.example.com", False)
    assert completed("s3://videos/x?path_style=true", storage).path_style is True


@pytest.mark.parametrize("path", ["a//b", "a///b/", "/a//b/", "a%2F%2Fb"])
def test_an_output_has_no_empty_segments(path: str) -> None:
    with pytest.raises(ValueError, match="empty segments"):
        check_output(f"s3://videos/{path}?region=eu", policy=PUBLIC)
    check_input(f"s3://videos/{path}?region=eu", policy=PUBLIC)


def test_an_endpoint_holds_no_bucket_unless_somebody_means_it() -> None:
    for endpoint in ("https://videos.fra1.example.com", "https://VIDEOS.fra1.example.com:443/"):
        for check in (check_output, check_input):
            with pytest.raises(ValueError, match="already holds the bucket's name"):
                check(f"s3://videos/x?endpoint={endpoint}", policy=PUBLIC)
            check(f"s3://videos/x?endpoint={endpoint}&path_style=true", policy=PUBLIC)
            check(f"s3://videos/x?endpoint={endpoint}&path_style=false", policy=PUBLIC)
    check_output("s3://videos/x?endpoint=https://videos-eu.example.com", policy=PUBLIC)
