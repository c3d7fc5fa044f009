"""Downloading from, and probing, a real S3 server."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.fetcher.download.download import Download, DownloadLimits
from services.fetcher.download.patience import PatienceLimits
from services.fetcher.download.s3_source import S3Source
from services.fetcher.output_check import PROBE_NAME, check_output
from shared.errors import MillraceError, PermanentError, TransientError
from shared.locations import S3Location
from shared.s3_clients import S3Clients
from shared.storage import s3_client
from tests.support.checking import check_alone
from tests.support.policies import LOOPBACK
from tests.support.s3 import S3Server

MEGABYTE = 1024**2
LIMITS = DownloadLimits(
    max_bytes=100 * MEGABYTE,
    keep_free=0,
    chunk_bytes=MEGABYTE,
    connections=4,
    patience=PatienceLimits(total=60, without_progress=5, bytes_per_second=0),
    checkpoint_seconds=0.05,
)


@pytest.fixture
async def bucket(s3: S3Server) -> str:
    return s3.new_bucket()


@pytest.fixture(scope="module")
def film() -> bytes:
    return b"\0\0\0\x20ftypisom" + os.urandom(5 * MEGABYTE + 999)


async def fetch(location: S3Location, folder: Path, limits: DownloadLimits = LIMITS) -> bytes:
    async def ignore(_fraction: float) -> None:
        return

    async with s3_client(location, policy=LOOPBACK, read_timeout=5, attempts=1) as client:
        download = Download(
            S3Source(client, location),
            folder,
            limits,
            free_bytes=lambda: 2**50,
            on_head=lambda _: None,
            on_progress=ignore,
        )
        return (await download.run()).read_bytes()


async def stored(s3: S3Server, bucket: str, key: str, data: bytes) -> S3Location:
    async with s3.client() as client:
        await client.put_object(Bucket=bucket, Key=key, Body=data)
    return s3.location(bucket, key)


async def test_an_object_comes_in_ranges(s3: S3Server, bucket: str, film: bytes, tmp_path: Path) -> None:
    assert await fetch(await stored(s3, bucket, "in/a film, 1+1=2.mp4", film), tmp_path) == film


async def test_a_whole_object_is_not_asked_for_again(s3: S3Server, bucket: str, film: bytes, tmp_path: Path) -> None:
    location = await stored(s3, bucket, "film.mp4", film)
    await fetch(location, tmp_path)
    async with s3.client() as client:
        await client.delete_object(Bucket=bucket, Key="film.mp4")
    assert await fetch(location, tmp_path) == film


async def test_an_object_that_was_replaced_meanwhile(s3: S3Server, bucket: str, film: bytes, tmp_path: Path) -> None:
    location = await stored(s3, bucket, "film.mp4", film)
    with pytest.raises(PermanentError):
        await fetch(location, tmp_path, replace(LIMITS, patience=replace(LIMITS.patience, total=0)))
    other = film[:100] + os.urandom(len(film) - 100)
    await stored(s3, bucket, "film.mp4", other)
    assert await fetch(location, tmp_path) == other


async def failure(location: S3Location, folder: Path) -> MillraceError:
    began = time.monotonic()
    with pytest.raises(MillraceError) as caught:
        await fetch(location, folder)
    assert time.monotonic() - began < 10
    return caught.value


async def test_what_is_wrong_with_an_input_is_told(s3: S3Server, bucket: str, film: bytes, tmp_path: Path) -> None:
    right = await stored(s3, bucket, "film.mp4", film[:1000])
    for change, words in {
        "key": "no object of that name",
        "bucket": "the bucket does not exist",
        "access_key": "refused the credentials",
        "secret_key": "refused the credentials",
    }.items():
        wrong: str | SecretStr = SecretStr("wrong") if change == "secret_key" else "no-such-thing"
        error = await failure(right.model_copy(update={change: wrong}), tmp_path)
        assert error.code == "input_unreachable" and words in error.detail, change
        assert ("URL" in error.message) == (change not in ("key", "bucket")), error.message


async def test_an_empty_object(s3: S3Server, bucket: str, tmp_path: Path) -> None:
    assert (await failure(await stored(s3, bucket, "film.mp4", b""), tmp_path)).code == "input_empty"


async def test_an_endpoint_where_nobody_is(s3: S3Server, bucket: str, tmp_path: Path) -> None:
    error = await failure(s3.location(bucket, "film.mp4", endpoint="http://127.0.0.1:9"), tmp_path)
    assert error.code == "input_unreachable"


async def test_credentials_of_this_machine_are_never_used(
    s3: S3Server, bucket: str, film: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address without credentials must not be read with those that the worker's environment happens to hold."""
    location = await stored(s3, bucket, "film.mp4", film[:1000])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_key)
    error = await failure(location.model_copy(update={"access_key": None, "secret_key": None}), tmp_path)
    assert error.code == "input_unreachable"


async def test_the_probe_write_leaves_nothing(s3: S3Server, bucket: str) -> None:
    await check_alone(s3.location(bucket, "films/one"))
    await check_alone(s3.location(bucket))
    assert s3.files(bucket) == {}


async def test_a_probe_write_that_is_stopped_leaves_nothing(s3: S3Server, bucket: str) -> None:
    for delay in (0.0, 0.01, 0.02, 0.05, 0.1):
        checking = asyncio.create_task(check_alone(s3.location(bucket, "films/one")))
        await asyncio.sleep(delay)
        checking.cancel()
        await asyncio.wait({checking})
    assert not [key for key in s3.files(bucket) if key.endswith(PROBE_NAME)]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"bucket": "no-such-bucket"}, "output_bucket_missing"),
        ({"access_key": "nobody"}, "output_credentials_invalid"),
        ({"secret_key": SecretStr("wrong")}, "output_credentials_invalid"),
    ],
)
async def test_what_is_wrong_with_an_output_is_told_within_seconds(
    s3: S3Server, bucket: str, change: dict[str, str | SecretStr], code: str
) -> None:
    began = time.monotonic()
    with pytest.raises(PermanentError) as caught:
        await check_alone(s3.location(bucket, "films").model_copy(update=change))
    assert caught.value.code == code
    assert time.monotonic() - began < 10


async def test_what_was_opened_with_one_key_does_not_serve_another(s3: S3Server, bucket: str) -> None:
    location = s3.location(bucket, "films")
    clients = S3Clients(LOOPBACK)
    try:
        await check_output(location, clients)
        for change in ({"secret_key": SecretStr("wrong")}, {"access_key": None, "secret_key": None}):
            with pytest.raises(PermanentError):
                await check_output(location.model_copy(update=change), clients)
        await check_output(location, clients)
    finally:
        await clients.close()


async def test_an_output_that_cannot_be_reached_is_tried_again_later(s3: S3Server, bucket: str) -> None:
    began = time.monotonic()
    with pytest.raises(TransientError) as caught:
        await check_alone(s3.location(bucket, endpoint="http://127.0.0.1:9"))
    assert time.monotonic() - began < 10
    assert caught.value.code == "output_unreachable"


@pytest.fixture(autouse=True)
async def _no_tasks_left() -> AsyncIterator[None]:
    yield
    assert len(asyncio.all_tasks()) <= 2
