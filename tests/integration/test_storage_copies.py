"""Objects of the work space that the customer's storage copies itself, where it may."""

from collections.abc import AsyncIterator, Iterator

import pytest

from services.uploader.bucket.bucket import Bucket
from shared.locations import S3Location
from shared.media.layout import content_type
from shared.storage import s3_client
from tests.support.odd_storage import OddStorage
from tests.support.policies import LOOPBACK
from tests.support.s3 import S3Server, s3_server


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        server.new_bucket("workspace")
        server.new_bucket("films")
        yield server


@pytest.fixture
async def bucket(s3: S3Server) -> AsyncIterator[Bucket]:
    location = s3.location("films", "one")
    async with s3_client(location, policy=LOOPBACK) as client:
        await client.put_object(Bucket="workspace", Key="org/job/parts/v0/aa/144p/a.m4s", Body=b"segment")
        yield Bucket(client, location, cache_control="max-age=60")


async def test_on_one_service_the_storage_copies(s3: S3Server, bucket: Bucket) -> None:
    tag = await bucket.copy("144p/a.m4s", s3.location("workspace", "org/job/parts/v0/aa/144p/a.m4s"), 7)
    assert tag == await bucket.put("144p/b.m4s", b"segment")
    assert await bucket.read("144p/a.m4s") == b"segment"
    async with s3.client() as client:
        assert (await client.head_object(Bucket="films", Key="one/144p/a.m4s"))["ContentType"] == content_type(
            "144p/a.m4s"
        )


async def test_what_is_not_there_is_not_copied_and_the_next_is(s3: S3Server, bucket: Bucket) -> None:
    assert not await bucket.copy("144p/b.m4s", s3.location("workspace", "org/job/parts/v0/aa/144p/c.m4s"), 7)
    assert await bucket.read("144p/c.m4s") is None
    assert await bucket.copy("144p/a.m4s", s3.location("workspace", "org/job/parts/v0/aa/144p/a.m4s"), 7)


async def test_another_service_is_not_asked_to_copy(bucket: Bucket) -> None:
    elsewhere = S3Location(bucket="workspace", key="org/job/parts/v0/aa/144p/a.m4s", endpoint="https://s3.example.com")
    assert not await bucket.copy("144p/c.m4s", elsewhere, 7)


async def test_a_storage_that_refuses_is_asked_once() -> None:
    async with OddStorage(refusal=(403, "AccessDenied", "Access Denied")) as storage:
        location = storage.location("films", "one")
        async with s3_client(location, policy=LOOPBACK) as client:
            bucket = Bucket(client, location)
            for _ in range(3):
                assert not await bucket.copy("144p/a.m4s", storage.location("workspace", "a"), 7)
        assert len(storage.requests) == 1
