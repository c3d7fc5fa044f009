"""Uploads into a real storage: in one piece and in parts, into a job, and out of the storage again."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from services.api.accounts.directory import NotPossible
from services.api.accounts.organizations import Storages
from services.api.contract.uploads import NewUpload, Upload
from services.api.database.pool import Database, close_pool, open_pool
from services.api.uploads.sweep import UploadSweep
from shared.s3_clients import S3Clients
from shared.sealing import Sealer
from shared.settings import decode_keys
from tests.support.api import SEAL_KEY, Answer, ApiProcess, Caller
from tests.support.policies import LOOPBACK
from tests.support.s3 import S3Server

MIB = 1024 * 1024
FILM = bytes(range(256)) * 100
OUTPUT = "customers/one/out"


@dataclass(frozen=True)
class Place:
    """An organization with a storage."""

    caller: Caller
    s3: S3Server
    bucket: str

    async def begin(self, **members: Any) -> Any:
        answer = await self.caller.call("POST", "uploads/", {"filename": "film.mp4", "size": len(FILM)} | members)
        assert answer.status == 201, answer.text
        assert NewUpload.model_validate(answer.body)
        return answer.body

    async def uploaded(self) -> Any:
        begun = await self.begin()
        assert await put(begun["url"], FILM) == 200
        return begun

    async def create(self, begun: Any, **members: Any) -> Answer:
        output = f"s3://{self.bucket}/{OUTPUT}/{uuid4()}/"
        return await self.caller.create(input_url=begun["input_url"], output_path=output, **members)

    def key(self, begun: Any) -> str:
        return str(begun["input_url"]).removeprefix(f"s3://{self.bucket}/")

    async def lies_there(self, begun: Any) -> bool:
        async with self.s3.client() as client:
            listed = await client.list_objects_v2(Bucket=self.bucket, Prefix=self.key(begun))
        return bool(listed.get("Contents"))


async def put(url: str, body: bytes, headers: dict[str, str] | None = None) -> int:
    """As a browser would, without anything that the address does not say itself."""
    async with aiohttp.ClientSession() as session:
        sent = {"Content-Type": ""} | (headers or {})
        async with session.put(url, data=body, headers=sent) as response:
            return response.status


@pytest.fixture(scope="module")
def api(nats_url: str, database_url: str) -> Iterator[ApiProcess]:
    settings = {"max_open_uploads": 3, "max_upload_gigabytes": 6}
    with ApiProcess(nats_url=nats_url, database_url=database_url, **settings) as process:
        yield process


@pytest.fixture
async def place(api: ApiProcess, s3: S3Server) -> AsyncIterator[Place]:
    bucket = s3.new_bucket()
    async with Caller(api, api.account(f"user-{uuid4()}", s3.address(bucket, "customers/one/"))) as caller:
        yield Place(caller, s3, bucket)


@pytest.fixture
async def database(database_url: str, api: ApiProcess) -> AsyncIterator[Database]:
    pool = await open_pool(SecretStr(database_url), 2)
    yield Database(pool)
    await close_pool(pool)


async def swept(database: Database, *, seconds: float = 60) -> None:
    """One round, as the leader makes them."""
    sealer = Sealer(decode_keys(SecretStr(SEAL_KEY)))
    storages = Storages(database, sealer)
    clients = S3Clients(LOOPBACK)
    try:
        await UploadSweep(database, storages, clients=clients, ready=lambda: True, seconds=seconds).sweep()
    finally:
        await clients.close()


async def aged(database: Database, begun: Any) -> None:
    """Have the time of an upload be over."""
    async with database.connection() as connection:
        await connection.execute("update uploads set remove_after = now() where id = $1", begun["id"])


async def test_a_file_is_put_and_taken_by_a_job(place: Place) -> None:
    begun = await place.begin(filename="Lesson 4 (é).mp4", content_type="video/mp4")
    assert (begun["method"], begun["parts"], begun["headers"]) == ("PUT", None, {"Content-Type": "video/mp4"})
    assert begun["input_url"].startswith(f"s3://{place.bucket}/customers/one/uploads/")
    assert begun["input_url"].endswith("/Lesson-4-e.mp4")
    assert "secret" not in str(begun)
    # Neither more bytes than were told, nor another type.
    assert await put(begun["url"], FILM + b"x", begun["headers"]) == 403
    assert await put(begun["url"], FILM, {"Content-Type": "text/html"}) == 403
    assert (
        (await place.caller.call("POST", f"uploads/{begun['id']}/complete/"))
        .body["detail"]
        .startswith("The file has not")
    )
    assert await put(begun["url"], FILM, begun["headers"]) == 200
    assert place.s3.files(place.bucket)[place.key(begun)].read_bytes() == FILM

    done = await place.caller.call("POST", begun["complete_url"].partition(f"{place.caller.account.org}/")[2])
    assert (done.status, done.body["state"]) == (200, "completed")
    assert Upload.model_validate(done.body)
    assert (await place.caller.call("GET", f"uploads/{begun['id']}/")).body == done.body
    listed = (await place.caller.call("GET", "uploads/")).body
    assert (listed["count"], listed["results"]) == (1, [done.body])

    created = await place.create(begun)
    assert created.status == 201
    assert created.body["input_url"] == begun["input_url"]
    refused = await place.caller.call("DELETE", f"uploads/{begun['id']}/")
    assert refused.status == 409


async def test_a_file_comes_in_parts_in_any_order(place: Place, database: Database) -> None:
    film = FILM * 430
    begun = await place.begin(size=len(film), part_size=5 * MIB, content_type="video/mp4")
    assert (begun["url"], [part["number"] for part in begun["parts"]]) == (None, [1, 2, 3])
    pieces = [film[start : start + 5 * MIB] for start in range(0, len(film), 5 * MIB)]
    assert [part["size"] for part in begun["parts"]] == list(map(len, pieces))
    for number in (3, 1):
        assert await put(begun["parts"][number - 1]["url"], pieces[number - 1]) == 200
    complete = f"uploads/{begun['id']}/complete/"
    missing = await place.caller.call("POST", complete)
    assert (missing.status, missing.body) == (
        409,
        {"detail": "Parts that have not come yet: 2. PUT them first."},
    )
    assert await put(begun["parts"][1]["url"], pieces[1][:-1]) == 403
    assert await put(begun["parts"][1]["url"], pieces[1]) == 200
    for _ in range(2):
        done = await place.caller.call("POST", complete)
        assert (done.status, done.body["state"]) == (200, "completed")
    assert place.s3.files(place.bucket)[place.key(begun)].read_bytes() == film
    # Nobody has noted that it was put together: it is seen that it was.
    async with database.connection() as connection:
        await connection.execute("update uploads set state = 'open' where id = $1", begun["id"])
    assert (await place.caller.call("POST", complete)).body["state"] == "completed"


async def test_what_is_larger_than_one_put_comes_in_parts_anyway(place: Place) -> None:
    begun = await place.begin(size=5 * 1024 * MIB + 1)
    assert (len(begun["parts"]), begun["part_size"]) == (81, 64 * MIB)
    assert begun["parts"][-1]["size"] == 1


async def test_an_upload_that_nobody_uses_is_removed(place: Place, database: Database) -> None:
    unused, used, parts = (
        await place.uploaded(),
        await place.uploaded(),
        await place.begin(size=6 * MIB, part_size=5 * MIB),
    )
    assert await put(parts["parts"][1]["url"], FILM[:MIB] + bytes(MIB - len(FILM))) == 200
    job = (await place.create(used)).body["id"]
    await swept(database)
    assert await place.lies_there(unused)
    for one in (unused, used, parts):
        await aged(database, one)
    await swept(database)
    assert not await place.lies_there(unused)
    assert await place.lies_there(used)
    async with place.s3.client() as client:
        left = await client.list_multipart_uploads(Bucket=place.bucket, Prefix=place.key(parts))
    assert not left.get("Uploads")
    states = (await place.caller.call("GET", "uploads/")).body["results"]
    assert [one["id"] for one in states] == [used["id"]]

    # When its job has ended, it goes as well; not for a while, since the job may be run again.
    assert (await place.caller.call("DELETE", f"transcoding_jobs/{job}/")).status == 200
    await place.caller.until_status(job, "Cancelled")
    await swept(database)
    assert not await place.lies_there(used)


async def test_a_job_keeps_its_upload_for_some_more_days(place: Place, database: Database) -> None:
    begun = await place.uploaded()
    await aged(database, begun)
    assert (await place.create(begun)).status == 201
    kept = (await place.caller.call("GET", f"uploads/{begun['id']}/")).body["removed_after"]
    async with database.connection() as connection:
        assert await connection.fetchval("select $1::text::timestamptz > now() + interval '6 days'", kept)


async def test_one_that_was_given_up_is_removed_when_nobody_can_send_it_any_more(
    place: Place, database: Database
) -> None:
    begun = await place.uploaded()
    assert (await place.caller.call("DELETE", f"uploads/{begun['id']}/")).status == 204
    shown = (await place.caller.call("GET", f"uploads/{begun['id']}/")).body
    assert (shown["state"], shown["removed_after"]) == ("given_up", begun["expires_at"])
    assert (await place.caller.call("POST", f"uploads/{begun['id']}/complete/")).status == 409
    await swept(database)
    assert await place.lies_there(begun)
    await aged(database, begun)
    await swept(database)
    assert not await place.lies_there(begun)
    assert (await place.caller.call("GET", f"uploads/{begun['id']}/")).status == 404


async def test_a_storage_that_is_away_loses_nothing(place: Place, database: Database, api: ApiProcess) -> None:
    begun = await place.uploaded()
    good = place.s3.address(place.bucket, "customers/one/")
    api.admin(
        "set-storage", place.caller.account.org, text=good.replace(place.s3.endpoint, "http://127.0.0.1:9") + "\n"
    )
    assert (
        await place.caller.call("POST", "uploads/", {"filename": "a", "size": 6 * MIB, "part_size": 5 * MIB})
    ).status == 503
    await aged(database, begun)
    await swept(database)
    assert (await place.caller.call("GET", f"uploads/{begun['id']}/")).body["state"] == "removing"
    # What failed before is removed, too, although nothing of it was there.
    api.admin("set-storage", place.caller.account.org, text=good + "\n")
    async with database.connection() as connection:
        await connection.execute("update uploads set remove_after = now() where org = $1", place.caller.account.org)
    await swept(database)
    assert not await place.lies_there(begun)
    assert (await place.caller.call("GET", "uploads/")).body["count"] == 0


@dataclass
class HostileStorage:
    """Lists uploads in parts without their names, and never answers a deletion."""

    endpoint: str
    deletions: int = 0


@pytest.fixture
async def hostile() -> AsyncIterator[HostileStorage]:
    over = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        if request.method == "GET":
            listed = "<ListMultipartUploadsResult><Upload></Upload></ListMultipartUploadsResult>"
            return web.Response(text=listed, content_type="application/xml")
        storage.deletions += 1
        await over.wait()
        return web.Response(status=204)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app, host="127.0.0.1") as server:
        storage = HostileStorage(str(server.make_url("")).rstrip("/"))
        yield storage
        over.set()


@pytest.mark.parametrize("in_parts", [True, False])
async def test_a_storage_that_answers_nonsense_or_never_is_in_nobodys_way(
    place: Place, database: Database, api: ApiProcess, s3: S3Server, hostile: HostileStorage, *, in_parts: bool
) -> None:
    members = {"size": 6 * MIB, "part_size": 5 * MIB} if in_parts else {}
    bad = [await place.begin(**members) for _ in range(2)]
    address = s3.address(place.bucket, "customers/one/").replace(s3.endpoint, hostile.endpoint)
    api.admin("set-storage", place.caller.account.org, text=address + "\n")
    bucket = s3.new_bucket()
    async with Caller(api, api.account(f"user-{uuid4()}", s3.address(bucket, "customers/one/"))) as caller:
        other = Place(caller, s3, bucket)
        good = await other.uploaded()
        for one in (*bad, good):
            await aged(database, one)
        await swept(database, seconds=1)
        assert not await other.lies_there(good)
    assert hostile.deletions == (0 if in_parts else 1)
    for one in bad:
        assert (await place.caller.call("GET", f"uploads/{one['id']}/")).body["state"] == "removing"


async def test_open_uploads_are_bounded(place: Place) -> None:
    begun = [await place.begin() for _ in range(3)]
    refused = await place.caller.call("POST", "uploads/", {"filename": "a.mp4", "size": 1})
    assert (refused.status, refused.body["quota"], refused.body["limit"]) == (429, "open_uploads", 3)
    assert int(refused.headers["Retry-After"]) > 80_000
    # Each of these makes room for one.
    assert await put(begun[0]["url"], FILM) == 200
    assert (await place.caller.call("POST", f"uploads/{begun[0]['id']}/complete/")).status == 200
    await place.begin()
    assert (await place.create(begun[1])).status == 201
    await place.begin()
    assert (await place.caller.call("DELETE", f"uploads/{begun[2]['id']}/")).status == 204
    await place.begin()
    assert (await place.caller.call("POST", "uploads/", {"filename": "a.mp4", "size": 1})).status == 429


async def test_mistakes_are_told(place: Place, api: ApiProcess) -> None:
    call = place.caller.call
    for members, field in (
        ({"filename": "a.mp4"}, "size"),
        ({"filename": "a\0.mp4", "size": 1}, "filename"),
        ({"filename": "a.mp4", "size": 7 * 10**9}, "size"),
        ({"filename": "a.mp4", "size": 1, "content_type": "video"}, "content_type"),
    ):
        answer = await call("POST", "uploads/", members)
        assert (answer.status, list(answer.body)) == (400, [field])
    async with Caller(api, api.account(f"user-{uuid4()}")) as other:
        answer = await other.call("POST", "uploads/", {"filename": "a.mp4", "size": 1})
        assert (answer.status, "storage set" in answer.body["detail"]) == (501, True)
        begun = await place.begin()
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "complete/")):
            assert (await other.call(method, f"uploads/{begun['id']}/{path}")).status == 404
    assert (await call("GET", "uploads/x/")).status == 404


async def test_credentials_that_are_refused_say_so_without_showing_them(place: Place, api: ApiProcess) -> None:
    address = place.s3.address(place.bucket).replace(place.s3.secret_key, "wr0ng-secret")
    api.admin("set-storage", place.caller.account.org, text=address + "\n")
    answer = await place.caller.call("POST", "uploads/", {"filename": "a", "size": 6 * MIB, "part_size": 5 * MIB})
    assert (answer.status, "storage set" in answer.body["detail"]) == (409, True)
    assert "wr0ng-secret" not in answer.text + api.log()
    assert place.s3.secret_key not in api.log()


async def test_the_storage_may_be_called_otherwise_by_browsers(place: Place, api: ApiProcess) -> None:
    org, port = place.caller.account.org, place.s3.port
    api.admin("set-public-addresses", org, "--storage-endpoint", f"http://localhost:{port}")
    begun = await place.begin()
    assert begun["url"].startswith(f"http://localhost:{port}/{place.bucket}/")
    assert await put(begun["url"], FILM) == 200
    assert await place.lies_there(begun)
    shown = api.admin("set-public-addresses", org, "--storage-endpoint", "")
    assert "localhost" not in shown
    assert (await place.begin())["url"].startswith(place.s3.endpoint)
    with pytest.raises(NotPossible, match="must be an address"):
        api.admin("set-public-addresses", org, "--playback-url", "cdn.example.com")
