"""Connections that trickle or stay silent, over real sockets: closed in time, counted, and in nobody's way."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from services.api.contract.peers import parse_networks
from services.api.http.connections import ConnectionLimits, Connections, GuardedSite
from tests.support.bus import until
from tests.support.ports import free_port

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Scene:
    """A site, and clients of it."""

    def __init__(self, port: int, connections: Connections) -> None:
        self.port, self.connections = port, connections
        self.slow = asyncio.Event()

    async def open(
        self, sent: bytes = b"", host: str = "127.0.0.1"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        streams = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(host, 0))
        streams[1].write(sent)
        return streams

    async def status(self, sent: bytes = HEAD, host: str = "127.0.0.1") -> int:
        reader, writer = await self.open(sent, host)
        status = int((await reader.readline()).split()[1])
        writer.close()
        return status

    async def until_count(self, count: int) -> None:
        async def reached() -> bool:
            return self.connections.count == count

        await until(reached, what=f"{count} connections")


@asynccontextmanager
async def site(
    most: int = 1000, per_address: int = 1000, head_seconds: float = 60, proxies: str = ""
) -> AsyncIterator[Scene]:
    async def handle(request: web.Request) -> web.Response:
        if request.path == "/slow":
            await scene.slow.wait()
        await request.read()
        return web.Response(text="done")

    app = web.Application()
    app.add_routes([web.route("*", "/{path:.*}", handle)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    port = free_port()
    guarded = GuardedSite(
        runner,
        "127.0.0.1",
        port,
        ConnectionLimits(most, per_address, head_seconds, head_seconds, parse_networks(proxies)),
    )
    scene = Scene(port, guarded.connections)
    await guarded.start()
    try:
        yield scene
    finally:
        scene.slow.set()
        await runner.cleanup()
    assert guarded.connections.count == 0
    assert not guarded.connections.by_address
    assert not guarded.connections.waiting


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n", b"\r\n", b"G"])
async def test_a_head_that_does_not_come_to_its_end(sent: bytes) -> None:
    async with site(head_seconds=0.3) as scene:
        reader, writer = await scene.open(sent)

        async def trickle() -> None:
            while not writer.is_closing():
                if sent.endswith(b"\r\n") and len(sent) > 2:
                    writer.write(b"X-Slow: 1\r\n")
                await asyncio.sleep(0.05)

        trickling = asyncio.create_task(trickle())
        answer = await asyncio.wait_for(reader.read(), 20)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'{"detail": "The head of the request did not arrive within 0.3 seconds."}' in answer
        await scene.until_count(0)
        writer.close()
        await trickling


async def test_a_second_head_that_does_not_come_to_its_end() -> None:
    async with site(head_seconds=0.3) as scene:
        reader, writer = await scene.open(HEAD + HEAD[:-2])
        assert b"200 OK" in await asyncio.wait_for(reader.read(), 20)
        writer.close()


async def test_what_has_sent_its_head_is_left_alone() -> None:
    """A slow handler, a slow body, and heads in pieces."""
    async with site(head_seconds=1.5) as scene:
        slow, slow_writer = await scene.open(HEAD.replace(b"/", b"/slow", 1))
        body, body_writer = await scene.open(HEAD.replace(b"GET", b"PUT")[:-2] + b"Content-Length: 3\r\n\r\n1")
        pieces, pieces_writer = await scene.open()
        for byte in HEAD:
            pieces_writer.write(bytes([byte]))
            await pieces_writer.drain()
            await asyncio.sleep(0)
        assert (await pieces.readline()).split()[1] == b"200"
        # Longer than any head may take.
        other, other_writer = await scene.open(b"G")
        assert b" 408 " in await other.readline()
        scene.slow.set()
        body_writer.write(b"23")
        assert (await slow.readline()).split()[1] == b"200"
        assert (await body.readline()).split()[1] == b"200"
        for writer in (slow_writer, body_writer, pieces_writer, other_writer):
            writer.close()


async def test_silent_ones_give_way_to_new_ones() -> None:
    async with site(most=20) as scene:
        silent = [await scene.open(HEAD[:-2]) for _ in range(20)]
        await scene.until_count(20)
        assert [await scene.status() for _ in range(25)] == [200] * 25
        assert b" 503 " in await asyncio.wait_for(silent[0][0].read(), 20)
        for _, writer in silent:
            writer.close()


async def test_busy_ones_do_not() -> None:
    async with site(most=20) as scene:
        busy = [await scene.open(HEAD.replace(b"/", b"/slow", 1)) for _ in range(20)]

        async def all_busy() -> bool:
            return scene.connections.count == 20 and not scene.connections.waiting

        await until(all_busy)
        reader, writer = await scene.open(HEAD)
        refused = await asyncio.wait_for(reader.read(), 20)
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 5\r\n" in refused
        scene.slow.set()
        for each, _ in busy:
            assert (await each.readline()).split()[1] == b"200"
        for _, each_writer in [*busy, (reader, writer)]:
            each_writer.close()
        await scene.until_count(0)
        assert await scene.status() == 200


@pytest.mark.parametrize("proxies", ["", "127.0.0.0/8"])
async def test_one_address_takes_no_room_from_others(proxies: str) -> None:
    async with site(per_address=5, proxies=proxies) as scene:
        busy = [await scene.open(HEAD.replace(b"/", b"/slow", 1), host="127.0.0.2") for _ in range(5)]
        silent = await scene.open(b"", host="127.0.0.3")

        async def all_busy() -> bool:
            return scene.connections.count == 6 and len(scene.connections.waiting) == 1

        await until(all_busy)
        assert await scene.status(host="127.0.0.2") == (200 if proxies else 503)
        assert await scene.status(host="127.0.0.1") == 200
        # The silent one is another address's, and stays.
        assert len(scene.connections.waiting) == 1
        for _, writer in [*busy, silent]:
            writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"garbage\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", HEAD[:-2] + b"X-Secret: " + b"s" * 9000 + b"\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", HEAD[:-2] + b"Content-Length: x\r\n\r\n",
    ],
    ids=["garbage", "version", "header", "line", "length"],
)  # fmt: skip
async def test_what_is_no_request_is_answered_in_json(sent: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    async with site() as scene:
        reader, writer = await scene.open(sent)
        head, _, body = (await asyncio.wait_for(reader.read(), 20)).partition(b"\r\n\r\n")
        assert b" 400 Bad Request\r\n" in head
        assert b"Content-Type: application/json; charset=utf-8" in head
        assert b"Server: millrace" in head
        assert list(json.loads(body)) == ["detail"]
        assert b"sss" not in body
        writer.close()
    assert "sss" not in capfd.readouterr().err
