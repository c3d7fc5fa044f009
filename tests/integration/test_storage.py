"""Storages with peculiarities: which addresses they take, what they ask for, and how their refusals are told."""

import gc
import socket
import weakref
from typing import Any

import pytest
from pydantic import SecretStr

from services.fetcher.download.remote import Trouble
from services.fetcher.download.s3_source import S3Source
from services.uploader.bucket.bucket import Bucket
from shared.errors import ERRORS, PermanentError, TransientError
from shared.locations import S3Location
from shared.s3_clients import S3Clients
from shared.storage import s3_client
from tests.support.checking import check_alone
from tests.support.odd_storage import ACCESS_KEY, SECRET_KEY, OddStorage
from tests.support.policies import LOOPBACK

OSS = (403, "SecondLevelDomainForbidden", "Please use virtual hosted style to access.")
COS = (403, "PathStyleDomainForbidden", "The bucket you are attempting to access must be addressed otherwise.")
OBS = (400, "VirtualHostDomainRequired", "Virtual host domain is required when accessing a specific bucket.")
UNKNOWN = (405, "Whatever", "Buckets are addressed as virtual hosts here.")


@pytest.fixture(autouse=True)
def _names(monkeypatch: pytest.MonkeyPatch) -> None:
    """All names below storage.test lead to this machine."""
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *more: Any, **options: Any) -> Any:
        return real("127.0.0.1" if str(host).endswith("storage.test") else host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


async def put_and_read(location: S3Location, *paths: str) -> None:
    async with s3_client(location, policy=LOOPBACK, attempts=1) as client:
        bucket = Bucket(client, location)
        for path in paths:
            await bucket.put(path, path.encode())
        for path in paths:
            assert await bucket.read(path) == path.encode()
            assert await bucket.size(path) == len(path)
        assert await bucket.sizes("480p") == {path: len(path) for path in paths if path.startswith("480p/")}


@pytest.mark.parametrize("answer", [OSS, COS, OBS, UNKNOWN])
async def test_a_storage_that_takes_virtual_hosts_only_is_asked_once_in_path_style(
    answer: tuple[int, str, str],
) -> None:
    async with OddStorage(virtual_only=answer) as storage:
        location = storage.location("films", "out", host="storage.test")
        await put_and_read(location, "480p/a b+c.m4s", "480p/video.m3u8", "video.m3u8")
        assert set(storage.objects) == {"out/480p/a b+c.m4s", "out/480p/video.m3u8", "out/video.m3u8"}
        hosts = [request.split()[1].partition("/")[0] for request in storage.requests]
        assert hosts[0] == "storage.test" and set(hosts[1:]) == {"films.storage.test"}
        await check_alone(location)


async def test_virtual_hosts_may_be_asked_for_in_the_address() -> None:
    async with OddStorage(virtual_only=OSS) as storage:
        await put_and_read(storage.location("films", "out", host="storage.test", path_style=False), "video.m3u8")
        assert {request.split()[1].partition("/")[0] for request in storage.requests} == {"films.storage.test"}


@pytest.mark.parametrize("change", [{"host": "127.0.0.1"}, {"host": "storage.test", "path_style": True}])
async def test_a_storage_that_can_have_no_virtual_hosts_says_what_it_wants(change: dict[str, Any]) -> None:
    async with OddStorage(virtual_only=OSS) as storage:
        with pytest.raises(PermanentError) as caught:
            await check_alone(storage.location("films", **change))
        assert caught.value.code == "output_refused" and "Please use virtual hosted style" in caught.value.message
        assert len(storage.requests) <= 3


async def test_a_bucket_with_object_lock_gets_digests() -> None:
    async with OddStorage(object_lock=True) as storage:
        location = storage.location("films", "out")
        await check_alone(location)
        await put_and_read(location, "480p/video.m3u8")


async def test_no_leave_is_waited_for_to_send_a_body() -> None:
    async with OddStorage(gives_leave=False) as storage:
        location = storage.location("films", "out")
        await check_alone(location)
        await put_and_read(location, "480p/video.m3u8")


async def test_an_api_below_a_path() -> None:
    async with OddStorage(below="/storage/v1/s3") as storage:
        await check_alone(storage.location("films", "out"))
        wrong = storage.location("films", "out").model_copy(update={"endpoint": f"http://127.0.0.1:{storage.port}"})
        with pytest.raises(PermanentError, match="not the S3 API") as caught:
            await check_alone(wrong)
        assert caught.value.code == "output_refused"


async def test_the_address_of_a_single_bucket_is_refused() -> None:
    async with OddStorage(single_bucket=True) as storage:
        with pytest.raises(PermanentError) as caught:
            await check_alone(storage.location("films", "out"))
        assert caught.value.code == "output_refused" and "address of a single bucket" in caught.value.message
        assert storage.objects == {}


async def test_one_that_lists_all_the_same_is_refused_too() -> None:
    async with OddStorage(single_bucket=True, lists_anyway=True) as storage:
        with pytest.raises(PermanentError, match="films/out"):
            await check_alone(storage.location("films", "out"))
        assert storage.objects == {}


async def test_who_may_not_list_is_believed() -> None:
    async with OddStorage(lists=False) as storage:
        await check_alone(storage.location("films", "out"))
        assert storage.objects == {}


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "InvalidRequest"),
        (403, "QuotaExceeded"),
        (404, "NoSuchRoute"),
        (405, "MethodNotAllowed"),
        (451, "Blocked"),
    ],
)
async def test_a_refusal_that_is_unknown_is_told_in_the_words_of_the_service(status: int, code: str) -> None:
    words = f"Ask {ACCESS_KEY} with {SECRET_KEY}\n about it. " + 1000 * "x"
    async with OddStorage(refusal=(status, code, words)) as storage:
        location = storage.location("films", "out")
        with pytest.raises(PermanentError) as caught:
            await check_alone(location)
        error = caught.value
        assert error.code == "output_refused" and f"{status} {code} Ask <access_key> with <secret_key>" in error.message
        assert error.message.startswith(ERRORS["output_refused"].cause.rstrip("."))
        assert len(error.message) < 500 and "\n" not in error.message
        assert SECRET_KEY not in f"{error.message}{error.detail}" and ACCESS_KEY not in f"{error.message}{error.detail}"
        async with s3_client(location, policy=LOOPBACK, attempts=1) as client:
            with pytest.raises(PermanentError, match="Ask <access_key>"):
                await Bucket(client, location).put("video.m3u8", b"")
            with pytest.raises(Trouble, match="Ask <access_key>") as trouble:
                async with S3Source(client, location).read(0, 10):
                    pass
        assert trouble.value.kind == "refused"


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 503])
async def test_a_storage_that_asks_for_patience_gets_it(status: int) -> None:
    async with OddStorage(refusal=(status, "Whatever", "later")) as storage:
        with pytest.raises(TransientError):
            await check_alone(storage.location("films"))


@pytest.mark.parametrize("change", [{"region": "eu west"}, {"bucket": "films/of"}])
async def test_what_can_be_no_name_is_refused_before_anything_is_sent(change: dict[str, str]) -> None:
    async with OddStorage() as storage:
        with pytest.raises(PermanentError) as caught:
            await check_alone(storage.location("films").model_copy(update=change))
        assert caught.value.code == "output_refused" and storage.requests == []


async def test_keys_with_slashes_at_their_beginning_and_inside() -> None:
    async with OddStorage() as storage:
        for key in ("/in/film.mp4", "in//film.mp4", "//film.mp4"):
            storage.objects[key] = key.encode()
            location = storage.location("films", key)
            async with (
                s3_client(location, policy=LOOPBACK) as client,
                S3Source(client, location).read(0, 99) as reply,
            ):
                assert b"".join([piece async for piece in reply.body]) == key.encode()


async def test_closed_clients_do_not_pile_up() -> None:
    """Their parts refer to each other, and a service looks for such garbage rarely: half a megabyte for each job would stay."""
    gc.disable()
    try:
        clients: list[weakref.ref[Any]] = []
        async with OddStorage() as storage:
            for number in range(12):
                async with s3_client(storage.location("films", f"{number}"), policy=LOOPBACK) as client:
                    clients.append(weakref.ref(client))
                    await Bucket(client, storage.location("films")).put("video.m3u8", b"a")
        assert sum(client() is not None for client in clients) <= 4
    finally:
        gc.enable()


async def test_a_client_serves_those_alone_who_have_the_same_credentials() -> None:
    location = S3Location(
        bucket="films",
        key="one",
        access_key="a-key",
        secret_key=SecretStr("a secret"),
        region="eu-west-1",
        endpoint="http://127.0.0.1:9",
    )
    others: list[dict[str, Any]] = [
        {"secret_key": SecretStr("another")},
        {"access_key": "another-key"},
        {"access_key": None, "secret_key": None},
        {"region": None},
        {"endpoint": "http://127.0.0.1:10"},
        {"endpoint": None},
        {"path_style": True},
    ]
    clients = S3Clients(LOOPBACK)
    try:
        async with clients.of(location, read_timeout=5, attempts=1) as first:
            pass
        async with clients.of(
            location.model_copy(update={"bucket": "b", "key": "k"}), read_timeout=5, attempts=1
        ) as again:
            assert again is first
        for change in others:
            async with clients.of(location.model_copy(update=change), read_timeout=5, attempts=1) as other:
                assert other is not first
    finally:
        await clients.close()
