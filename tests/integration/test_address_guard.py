"""Nothing is connected that a customer's word must not lead to: by sources, storages and webhooks alike.

Names are resolved to what the tests say; an attempt to connect anywhere but to the two servers of a test is noted and stopped.
"""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from yarl import URL

from services.fetcher.download.http_source import HttpSource, http_session
from services.fetcher.download.remote import Trouble
from services.fetcher.download.s3_source import S3Source
from services.notifier.payload import WebhookPayload
from services.notifier.receiver import Receiver
from shared.addresses import AddressPolicy
from shared.errors import PermanentError
from shared.locations import S3Location
from shared.storage import STORAGE_ERRORS, problem_of, s3_client
from tests.unit.test_addresses import INNER

OUTSIDE = "127.0.0.2"
"""Stands for a server on the internet: the only address that the policy of these tests allows."""
POLICY = AddressPolicy.parse(OUTSIDE)
SPELLINGS = [
    "localhost", "LOCALHOST", "localhost.", "a.localhost", "127.1", "127.0.1", "127.000.000.001", "0177.0.0.1", "0x7f.0.0.1", "0x7f.1",
    "0x7f000001", "2130706433", "017700000001", "0", "0.0", "127.0.0.1.", "①②⑦.⓪.⓪.①", "１２７.0.0.1", "127。0。0。1", "[::1]",
    "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::]", "[::1%25lo]", "[fe80::1%25lo]",
    "[64:ff9b::127.0.0.1]", "10.1", "0xa.1", "0xa9fea9fe", "2852039166", "169.254.43518", "[::ffff:169.254.169.254]", "192.168.257",
    "3232235777", "0300.0250.1.1", "172.1048577", "[fd00:ec2::254]",
]  # fmt: skip
LITERALS = [f"[{address.replace('%', '%25')}]" if ":" in address else address for address in INNER]
NAMES = {f"n{number}.test": [address.partition("%")[0]] for number, address in enumerate(INNER)} | {
    "mixed.test": ["8.8.8.8", "127.0.0.1"],
    "mixed6.test": ["2606:4700:4700::1111", "::1"],
}
HOSTS = [*SPELLINGS, *LITERALS, *NAMES]
REDIRECTS = (301, 302, 303, 307, 308)
TARGETS = [
    "127.0.0.1",
    "localhost",
    "127.1",
    "2130706433",
    "0x7f.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "mixed.test",
    "①②⑦.⓪.⓪.①",
]
CHAINS = [(status, target, hops) for status in REDIRECTS for target in TARGETS for hops in (1, 3)]

_watching: list[list[tuple[str, int]]] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    """Notes where this process connects to; what is not a server of the tests is not let through."""
    if event == "socket.connect" and _watching and isinstance(arguments[1], tuple):
        address, port = arguments[1][:2]
        if address != OUTSIDE:
            _watching[-1].append((address, port))
            raise ConnectionRefusedError("the test lets nothing through")


sys.addaudithook(_hook)


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Connections that were tried to anywhere but the outside."""
    resolve = socket.getaddrinfo

    def resolved(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host in NAMES:
            return [found for address in NAMES[host] for found in resolve(address, port, type=socket.SOCK_STREAM)]
        return resolve(host, port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    noted: list[tuple[str, int]] = []
    _watching.append(noted)
    yield noted
    _watching.remove(noted)


@dataclass
class Outside:
    """A server that answers what it is told to, and remembers what it was asked."""

    port: int = 0
    status: int = 200
    location: str = ""
    hops: int = 1
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append((request.method, request.path))
        if self.hops > 1 and request.method == "GET":
            self.hops -= 1
            return web.Response(status=self.status, headers={"Location": f"/hop{self.hops}"})
        headers = {"Location": self.location} if self.location else {}
        return web.Response(status=self.status, headers=headers, body=b"x")


@asynccontextmanager
async def outside() -> AsyncIterator[Outside]:
    server = Outside()
    runner = web.ServerRunner(web.Server(server.answer))
    await runner.setup()
    site = web.TCPSite(runner, OUTSIDE, 0)
    await site.start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        await runner.cleanup()


async def fetch(url: str) -> str:
    """Returns the code that a source ends in, or nothing where it was read."""
    async with http_session(policy=POLICY, stall_seconds=5) as session:
        try:
            async with HttpSource(session, url).read(0, 100):
                return ""
        except PermanentError as error:
            return error.code
        except Trouble as error:
            return error.detail


async def deliver(url: str) -> str:
    async with Receiver(timeout=5, policy=POLICY) as sender:
        answer = await sender.post(url, "t", WebhookPayload("m", "transcoding_job.completed", b"{}"))
    return answer.error or ""


def location(endpoint: str) -> S3Location:
    return S3Location(bucket="films", key="one", access_key="a", secret_key="b", region="us-east-1", endpoint=endpoint)


CALLS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "get": lambda client: client.get_object(Bucket="films", Key="one"),
    "put": lambda client: client.put_object(Bucket="films", Key="one", Body=b"x"),
    "head": lambda client: client.head_object(Bucket="films", Key="one"),
    "list": lambda client: client.list_objects_v2(Bucket="films"),
    "delete": lambda client: client.delete_object(Bucket="films", Key="one"),
    "delete many": lambda client: client.delete_objects(Bucket="films", Delete={"Objects": [{"Key": "one"}]}),
    "begin upload": lambda client: client.create_multipart_upload(Bucket="films", Key="one"),
}


async def test_sources_on_hosts_that_are_inner(attempts: list[Any]) -> None:
    assert len(HOSTS) >= 110
    wrong = {}
    for host in HOSTS:
        found = await fetch(f"http://{host}:8080/film.mp4")
        # What the resolver of this machine cannot read is an unknown name.
        if found != "input_forbidden_address" and "cannot be resolved" not in found and "cannot be read" not in found:
            wrong[host] = found
    assert not wrong and attempts == []


async def test_webhooks_on_hosts_that_are_inner(attempts: list[Any]) -> None:
    wrong = {}
    for host in HOSTS:
        error = await deliver(f"http://{host}:8080/hook")
        if not any(
            words in error for words in ("does not send there", "cannot be resolved", "malformed", "cannot be sent")
        ):
            wrong[host] = error
    assert not wrong and attempts == []


async def test_storages_on_hosts_that_are_inner(attempts: list[Any]) -> None:
    wrong = {}
    for host in HOSTS:
        try:
            async with s3_client(location(f"http://{host}:8080"), policy=POLICY, attempts=1) as client:
                await client.put_object(Bucket="films", Key="one", Body=b"x")
            wrong[host] = "written"
        except STORAGE_ERRORS as error:
            if problem_of(error) not in ("forbidden_address", "unreachable"):
                wrong[host] = repr(error)
        except ValueError:
            pass  # no host at all for the SDK
    assert not wrong and attempts == []


@pytest.mark.parametrize("status", REDIRECTS)
@pytest.mark.parametrize("call", CALLS)
async def test_a_storage_that_redirects_is_not_followed(attempts: list[Any], call: str, status: int) -> None:
    async with outside() as server:
        server.status, server.hops = status, 1
        async with s3_client(location(f"http://{OUTSIDE}:{server.port}"), policy=POLICY, attempts=2) as client:
            for target in ("127.0.0.1", "[::1]", "2130706433", f"{OUTSIDE}:{server.port}"):
                server.location = f"http://{target}/elsewhere"
                with pytest.raises(STORAGE_ERRORS) as caught:
                    await CALLS[call](client)
                assert problem_of(caught.value) == "wrong_region"
    assert attempts == []
    assert not [path for _, path in server.asked if "elsewhere" in path]


async def test_a_storage_that_names_another_region_is_not_followed(attempts: list[Any]) -> None:
    """The SDK itself would send the call again, to wherever it finds that region."""
    async with outside() as server:
        server.status = 301

        async def answer(request: web.BaseRequest) -> web.Response:
            server.asked.append((request.method, request.path))
            body = b"<Error><Code>PermanentRedirect</Code><Endpoint>127.0.0.1</Endpoint></Error>"
            return web.Response(status=301, headers={"x-amz-bucket-region": "eu-central-1"}, body=body)

        server.answer = answer  # type: ignore[method-assign]
        async with s3_client(location(f"http://{OUTSIDE}:{server.port}"), policy=POLICY, attempts=2) as client:
            with pytest.raises(Trouble, match="another region"):
                async with S3Source(client, location("")).read(0, 100):
                    pass
    assert len(server.asked) == 1 and attempts == []


async def test_sources_whose_redirects_lead_to_inner_hosts(attempts: list[Any]) -> None:
    assert len(CHAINS) >= 46
    async with outside() as server:
        for status, target, hops in CHAINS:
            server.status, server.hops, server.location = status, hops, f"http://{target}:8080/inner"
            found = await fetch(f"http://{OUTSIDE}:{server.port}/film.mp4")
            # Short forms such as 127.1 are no host at all for the client.
            assert found in ("input_forbidden_address", "the address cannot be read"), (status, target, hops)
    assert attempts == []


async def test_webhooks_whose_answers_redirect(attempts: list[Any]) -> None:
    async with outside() as server:
        for status in REDIRECTS:
            for target in TARGETS:
                server.status, server.location = status, f"http://{target}:8080/inner"
                assert "not followed" in await deliver(f"http://{OUTSIDE}:{server.port}/hook")
    assert attempts == []


async def test_a_host_that_is_allowed_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its addresses may be inner ones; the same addresses are not open to other names before it was asked for."""
    monkeypatch.setitem(NAMES, "storage.test", [OUTSIDE])
    monkeypatch.setitem(NAMES, "other.test", [OUTSIDE])
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **more: resolve(NAMES.get(host, [host])[0], *rest, **more)
    )
    policy = AddressPolicy.parse("storage.test")
    async with outside() as server:
        for name, allowed in (("other.test", False), ("storage.test", True), ("other.test", False)):
            async with http_session(policy=policy, stall_seconds=5) as session:
                url = str(URL.build(scheme="http", host=name, port=server.port, path="/film.mp4"))
                try:
                    async with HttpSource(session, url).read(0, 100):
                        assert allowed
                except PermanentError as error:
                    assert not allowed and error.code == "input_forbidden_address"
    assert len(server.asked) == 1


def test_the_watch_of_these_tests_sees_what_is_connected(attempts: list[Any]) -> None:
    async def connect() -> None:
        with pytest.raises(OSError, match="nothing through"):
            await asyncio.open_connection("127.0.0.1", 9)

    asyncio.run(connect())
    assert attempts == [("127.0.0.1", 9)]
