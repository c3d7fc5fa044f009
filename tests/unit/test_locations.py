"""Addresses of inputs and outputs: how they are read, and how they are shown without their secrets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.locations import S3Location, is_masked, mask, parse_http, parse_s3

SECRET = "se/cr+et=="


def secret_of(location: S3Location) -> str | None:
    return location.secret_key.get_secret_value() if location.secret_key else None


def test_the_published_sample_with_its_stray_slash() -> None:
    text = "s3://example-bucket/videos/input.mp4/?access_key=AK&secret_key=SK&region=us-east-1"
    location = parse_s3(text, is_prefix=False)
    assert (location.bucket, location.key) == ("example-bucket", "videos/input.mp4")
    assert (location.access_key, secret_of(location), location.region, location.endpoint) == (
        "AK",
        "SK",
        "us-east-1",
        None,
    )


@pytest.mark.parametrize("path", ["path/to", "path/to/", "/path/to/", "path%2Fto"])
def test_a_prefix_keeps_no_slash_at_either_end(path: str) -> None:
    assert parse_s3(f"s3://bucket/{path}", is_prefix=True).key == "path/to"


def test_the_whole_bucket_may_be_the_prefix_but_not_the_object() -> None:
    assert parse_s3("s3://bucket", is_prefix=True).key == ""
    assert parse_s3("s3://bucket/", is_prefix=True).key == ""
    with pytest.raises(ValueError, match="key of the object is missing"):
        parse_s3("s3://bucket/", is_prefix=False)


@pytest.mark.parametrize(
    ("path", "key"), [("/in/film.mp4", "/in/film.mp4"), ("in//film.mp4/", "in//film.mp4"), ("%2Ffilm.mp4", "/film.mp4")]
)
def test_an_objects_key_is_taken_as_it_is(path: str, key: str) -> None:
    assert parse_s3(f"s3://bucket/{path}", is_prefix=False).key == key


@pytest.mark.parametrize(
    ("query", "path_style", "endpoint"),
    [
        ("endpoint=https://s3.example.com/", None, "https://s3.example.com"),
        ("endpoint=https://media.s3.example.com&path_style=false", False, "https://s3.example.com"),
        ("endpoint=https://Media.s3.example.com:9000/api&path_style=FALSE", False, "https://s3.example.com:9000/api"),
        ("endpoint=https://media.example.com&path_style=true", True, "https://media.example.com"),
        ("path_style=false", False, None),
    ],
)
def test_where_a_bucket_is_named_may_be_said(query: str, path_style: bool | None, endpoint: str | None) -> None:
    location = parse_s3(f"s3://media/x?{query}", is_prefix=True)
    assert (location.path_style, location.endpoint) == (path_style, endpoint)


@pytest.mark.parametrize("written", [SECRET, "se%2Fcr%2Bet%3D%3D"])
def test_a_secret_key_may_be_raw_or_percent_encoded(written: str) -> None:
    assert secret_of(parse_s3(f"s3://bucket/x?access_key=a&secret_key={written}", is_prefix=True)) == SECRET


def test_names_of_objects_may_hold_anything_printable() -> None:
    location = parse_s3("s3://bucket/a%20b/ü%3F%23.mp4?region=eu", is_prefix=False)
    assert location.key == "a b/ü?#.mp4"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http://bucket/x", "Must start with s3://"),
        ("s3://", "bucket name"),
        ("s3://x/y", "bucket name"),
        ("s3://buc ket/y", "bucket name"),
        ("s3://bucket/x?acces_key=a", "Unknown parameter “acces_key”"),
        ("s3://bucket/x?region=a&region=b", "given twice"),
        ("s3://bucket/x?access_key=a", "given together"),
        ("s3://bucket/x?secret_key=a", "given together"),
        ("s3://bucket/a/../b", "segments"),
        ("s3://bucket/a/%2e%2e/b", "segments"),
        ("s3://bucket/./b", "segments"),
        ("s3://bucket/" + "x" * 901, "too long"),
        ("s3://bucket/" + "x" * 8192, "Longer than 8192"),
        ("s3://bucket/x\n", "Control characters"),
        ("s3://bucket/x?endpoint=ftp://host", "endpoint must be"),
        ("s3://bucket/x?endpoint=https://", "endpoint must be"),
        ("s3://bucket/x?endpoint=https://user@host", "endpoint must be"),
        ("s3://bucket/x?endpoint=https://my_storage:9000", "endpoint must be"),
        ("s3://bucket/x?endpoint=https://-host.example.com", "endpoint must be"),
        ("s3://bucket/x?path_style=maybe", "path_style must be true or false"),
    ],
)
def test_what_is_wrong_with_an_s3_address_is_said(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_s3(text, is_prefix=True)


@pytest.mark.parametrize(
    "text",
    [
        "ftp://host/x",
        "https://",
        "//host/x",
        "file:///etc/passwd",
        "http://host:port/",
        "http://[::1/",
        "",
        "http://host/\r\nX: y",
    ],
)
def test_only_http_addresses_are_http_addresses(text: str) -> None:
    with pytest.raises(ValueError, match=r"valid URL|Control characters"):
        parse_http(text)


def test_signed_addresses_may_be_long() -> None:
    address = "https://host/film.mp4?X-Amz-Security-Token="
    address += "x" * (8192 - len(address))
    assert parse_http(address).url.get_secret_value() == address
    with pytest.raises(ValueError, match="Longer than 8192"):
        parse_http(f"{address}x")


def test_reprs_show_no_secret() -> None:
    location = parse_s3(f"s3://bucket/x?access_key=a&secret_key={SECRET}", is_prefix=True)
    assert SECRET not in f"{location!r}{location}"
    assert "token" not in f"{parse_http('https://host/x?token=abc')!r}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "s3://bucket/path/?access_key=AK&secret_key=se/cr+et&region=us-east-1",
            "s3://bucket/path/?access_key=<access_key>&secret_key=<secret_key>&region=us-east-1",
        ),
        (
            "s3://bucket/x?secret_key=k&endpoint=https://s3.example.com&path_style=false",
            "s3://bucket/x?secret_key=<secret_key>&endpoint=https://s3.example.com&path_style=false",
        ),
        ("s3://bucket/x?secret%5Fkey=k", "s3://bucket/x?secret%5Fkey=<secret_key>"),
        ("s3://bucket/x?endpoint=https://user:pw@host/", "s3://bucket/x?endpoint=https://host/"),
        ("https://user:p@ss@host/film.mp4", "https://<credentials>@host/film.mp4"),
        ("https://host/a@b/film.mp4", "https://host/a@b/film.mp4"),
        ("https://host/film.mp4?page=2&pw=y&pass=", "https://host/film.mp4?page=<page>&pw=<pw>&pass=<pass>"),
        (
            "https://host/f?X-Amz-Signature=abc&X-Amz-Credential=AK%2F&client_id=1",
            "https://host/f?X-Amz-Signature=<X-Amz-Signature>&X-Amz-Credential=<X-Amz-Credential>&client_id=<client_id>",
        ),
        ("https://host/f?access_key=a&secret_key=b", "https://host/f?access_key=<access_key>&secret_key=<secret_key>"),
        ("https://host/f?sig=a&se=2024&auth_token=t", "https://host/f?sig=<sig>&se=<se>&auth_token=<auth_token>"),
        ("https://host/f?4f8a2c&token&", "https://host/f?<query>&<query>&"),
        ("https://host/film.mp4#token=abc", "https://host/film.mp4"),
        ("https://host/film.mp4?a=1#token=abc", "https://host/film.mp4?a=<a>"),
        ("https://host/f?region=eu&endpoint=x", "https://host/f?region=<region>&endpoint=<endpoint>"),
    ],
)
def test_an_address_is_shown_without_its_secrets(text: str, shown: str) -> None:
    assert mask(text) == shown
    assert mask(shown) == shown
    assert is_masked(shown) == ("<" in shown)
    assert not is_masked(text)


KEYS = st.text(st.characters(codec="ascii", categories=("L", "N"), include_characters="/+="), min_size=12, max_size=40)


@given(
    access=KEYS, secret=KEYS, key=st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=1, max_size=20)
)
def test_no_secret_survives_masking_and_masked_addresses_still_parse(access: str, secret: str, key: str) -> None:
    shown = mask(f"s3://bucket/{key}/?access_key={access}&secret_key={secret}&region=eu")
    assert shown == f"s3://bucket/{key}/?access_key=<access_key>&secret_key=<secret_key>&region=eu"
    assert parse_s3(shown, is_prefix=True).key == key
