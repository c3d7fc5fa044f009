"""Storages that playlists are read from and that never come to an end."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer

from services.api.contract.errors import Unavailable
from services.api.contract.key_addresses import KeyAddresses
from services.api.playback import playback
from services.api.playback.playback import Output, Player
from shared.locations import parse_s3
from shared.presigning import presigner
from shared.s3_clients import S3Clients
from tests.support.policies import LOOPBACK


@pytest.fixture
async def dripping() -> AsyncIterator[BaseTestServer]:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000000", "Content-Type": "text/plain"})
        await response.prepare(request)
        while True:
            await response.write(b"#")
            await asyncio.sleep(0.05)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with TestServer(app, host="127.0.0.1") as server:
        yield server


async def test_a_playlist_that_drips_is_given_up(dripping: BaseTestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playback, "_READ_SECONDS", 0.5)
    endpoint = str(dripping.make_url("")).rstrip("/")
    location = parse_s3(f"s3://bucket/out/?access_key=a&secret_key=b&endpoint={endpoint}", is_prefix=True)
    unused: Any = SimpleNamespace()
    clients = S3Clients(LOOPBACK)
    player = Player(unused, unused, unused, cast(KeyAddresses, unused), clients, policy=LOOPBACK)
    output = Output(location, await presigner(location, policy=LOOPBACK, seconds=60), None, None)
    try:
        async with asyncio.timeout(60):
            with pytest.raises(Unavailable):
                await player.give("a1b2c3", output, "video.m3u8", query="", expires=2**33)
    finally:
        await clients.close()
