"""``<state>/env`` and the credentials behind it."""

import subprocess
from pathlib import Path

import pytest

from shared.locations import parse_s3
from stack import envfile
from stack.credentials import Credentials, load_or_create
from stack.layout import Layout, StackError

PROMISED = {
    "API_URL",
    "ORG_ID",
    "API_TOKEN",
    "API_USERNAME",
    "API_PASSWORD",
    "S3_ENDPOINT",
    "S3_ACCESS_KEY",
    "S3_SECRET_KEY",
    "S3_REGION",
    "S3_BUCKET",
    "NATS_URL",
    "BUS_URL",
    "DATABASE_URL",
    "PLAYBACK_URL",
}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path, 28000)


def test_it_holds_everything_that_is_promised(layout: Layout) -> None:
    assert envfile.variables(layout, Credentials(), "abc123").keys() == PROMISED


def test_what_is_written_is_read_again_and_only_the_owner_can(layout: Layout) -> None:
    values = envfile.variables(layout, Credentials(), "abc123")
    envfile.write(layout.env_file, values)
    assert envfile.read(layout.env_file) == values
    assert layout.env_file.stat().st_mode & 0o777 == 0o600


def test_a_shell_that_sources_it_has_the_values(layout: Layout) -> None:
    values = {"PLAIN": "http://127.0.0.1:28000", "ODD": "a b'c$HOME&d"}
    envfile.write(layout.env_file, values)
    script = f'set -a; . {layout.env_file}; printf "%s\\n%s" "$PLAIN" "$ODD"'
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.split("\n") == list(values.values())
    assert envfile.read(layout.env_file) == values


def test_plain_values_stand_there_without_quotes(layout: Layout) -> None:
    envfile.write(layout.env_file, envfile.variables(layout, Credentials(), "abc123"))
    assert "'" not in layout.env_file.read_text()


def test_a_missing_file_says_what_to_do(layout: Layout) -> None:
    with pytest.raises(StackError, match="make up"):
        envfile.read(layout.env_file)


def test_credentials_stay_the_same_and_belong_to_the_owner(tmp_path: Path) -> None:
    first = load_or_create(tmp_path)
    assert load_or_create(tmp_path) == first
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert load_or_create(tmp_path / "other") != first


def test_credentials_are_not_in_their_own_repr() -> None:
    credentials = Credentials()
    assert credentials.s3_secret_key not in repr(credentials)


def test_the_storage_url_is_one_that_the_api_understands(layout: Layout) -> None:
    credentials = Credentials()
    location = parse_s3(credentials.storage_url(layout), is_prefix=True)
    assert (location.bucket, location.endpoint, location.region) == ("millrace", layout.s3_endpoint, "us-east-1")
    assert location.access_key == credentials.s3_access_key
    assert location.secret_key is not None
    assert location.secret_key.get_secret_value() == credentials.s3_secret_key
