"""Customers: they host sources, post jobs and cancel some, and do not give up while the api is away."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from stack.client import Client
from tests.chaos.orders import Order
from tests.support.clips import numbered
from tests.support.jobs import long_clip, short_clip
from tests.support.sources import SourceServer

_PAUSE_SECONDS = 0.3


@dataclass
class Posted:
    """A job that was accepted. ``cancelled``: what became of the request to cancel it, as in a ``Fate``."""

    order: Order
    org: str
    job: str
    cancelled: bool | None = None


class Customer:
    """One organization.

    Args:
        env: of its client.
        source_endpoint, storage_endpoint: proxies before its servers, with which its jobs work.
        patience: seconds for which it goes on trying.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        source: SourceServer,
        *,
        source_endpoint: str,
        storage_endpoint: str,
        patience: float,
    ) -> None:
        self._env = env
        self._source = source
        self._source_endpoint = source_endpoint
        self._storage_endpoint = storage_endpoint
        self._patience = patience
        self._jobs = f"{env['API_URL']}/api/v1/{env['ORG_ID']}/transcoding_jobs/"
        self._token = {"Authorization": f"Token {env['API_TOKEN']}"}

    async def post(self, http: aiohttp.ClientSession, order: Order) -> Posted:
        """Post a job until it is accepted, as a careful client does: with a key, so that it is accepted once.

        Raises:
            AssertionError: it was refused. TimeoutError: the api was away for too long.
        """
        body, headers = await self._body(order), self._token | {"Idempotency-Key": f"chaos-{order.number}"}
        async with asyncio.timeout(self._patience):
            while True:
                try:
                    async with http.post(self._jobs, json=body, headers=headers) as response:
                        if response.status in (200, 201):
                            return Posted(order, self._env["ORG_ID"], str((await response.json())["id"]))
                        assert response.status >= 500, f"refused: {response.status} {await response.text()}"
                except (aiohttp.ClientError, TimeoutError):
                    pass
                await asyncio.sleep(_PAUSE_SECONDS)

    async def cancel(self, http: aiohttp.ClientSession, job: str) -> bool | None:
        """Cancel a job; whether the api says that it did, None where that was in an answer that got lost."""
        sure = True
        async with asyncio.timeout(self._patience):
            while True:
                try:
                    async with http.delete(f"{self._jobs}{job}/", headers=self._token) as response:
                        if response.status == 200:
                            did = "cancelled successfully" in (await response.json())["message"]
                            return did if did or sure else None
                        assert response.status >= 500, f"not cancelled: {response.status} {await response.text()}"
                except (aiohttp.ClientError, TimeoutError):
                    pass
                sure = False
                await asyncio.sleep(_PAUSE_SECONDS)

    async def replace_source(self, order: Order, seconds: float) -> None:
        """Put another film in a source's place once its download has begun, or after so many seconds."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not self._source.sent(_name(order)) and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
        film = await asyncio.to_thread(lambda: numbered(seconds=6, size="320x240").read_bytes())
        self._source.host(_name(order), film)

    async def _body(self, order: Order) -> dict[str, Any]:
        """The request for a job; its source is hosted."""
        async with Client({**self._env, "S3_ENDPOINT": self._storage_endpoint}) as client:
            output = client.location(order.prefix, with_keys=True)
        resolutions = ["audio"] if order.source == "sound" else ["144p"]
        return {"input_url": self._host(order), "output_path": output, "resolutions": resolutions}

    def _host(self, order: Order) -> str:
        name, data = _name(order), (long_clip() if order.source == "long" else short_clip()).read_bytes()
        match order.source:
            case "missing":
                pass
            case "replaced":
                # Not through the proxy, which hands out nothing before it has all of it.
                return self._source.host(name, data, pause=0.02)
            case "truncated":
                self._source.host(name, data[: len(data) * 2 // 3])
            case "not_video":
                self._source.host(name, b"This is a letter, not a film.\n" * 100)
            case "empty":
                self._source.host(name, b"")
            case "short" | "long" | "sound":
                self._source.host(name, data)
        return f"{self._source_endpoint}/{name}"


def _name(order: Order) -> str:
    return f"{order.number:04d}.mp4"
