"""A reverse proxy before an HTTP server that makes trouble on purpose, and remembers what went through.

async with FaultyProxy(s3.endpoint, trouble=every(10)) as proxy:
    …                                  # proxy.endpoint
    proxy.requests                     # in the order in which they were answered
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Self
from urllib.parse import unquote

from aiohttp import ClientError, ClientSession, TCPConnector, web
from yarl import URL

Fault = Literal["unavailable", "refused", "cut", "broken", "short"]
"""``unavailable``: 503, not forwarded; ``broken``: the same with 500. ``refused``: the connection is reset, not forwarded.
``cut``: forwarded, and the connection is reset instead of the answer, so that the caller cannot know that it took effect.
``short``: forwarded, and the connection ends in the middle of the answer's body; where there is none, it is as ``cut``."""

_FAULTS: tuple[Fault, ...] = ("unavailable", "refused", "cut")
_STATUSES: dict[Fault | None, int] = {"unavailable": 503, "broken": 500}
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-encoding", "content-length"}

MAX_BODY = 64 * 1024 * 1024


@dataclass(frozen=True)
class Request:
    """What went through: ``path`` is decoded and without the query."""

    method: str
    path: str
    status: int | None
    fault: Fault | None = None


Trouble = Callable[[int, web.Request], "Awaitable[Fault | None]"]
"""Decides about a request by its number, from 1; it may also wait."""


def every(step: int) -> Trouble:
    """Each ``step``-th request fails, one kind of fault after the other."""

    async def decide(number: int, _request: web.Request) -> Fault | None:
        return _FAULTS[number // step % len(_FAULTS)] if number % step == 0 else None

    return decide


class FaultyProxy:
    """Listens on a free loopback port. ``trouble`` may be replaced while it runs."""

    def __init__(self, upstream: str, trouble: Trouble | None = None) -> None:
        self._upstream = URL(upstream)
        self.trouble = trouble
        self.requests: list[Request] = []
        self._number = 0

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._port}"

    def of(self, method: str) -> list[str]:
        """Paths of the requests of a method that were answered with success, in order."""
        return [one.path for one in self.requests if one.method == method and one.status in (200, 204, 206)]

    async def __aenter__(self) -> Self:
        self._session = ClientSession(connector=TCPConnector(limit=0), auto_decompress=False)
        # handler_cancellation: a caller that goes away takes its request with it, as with a real server.
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self._number += 1
        fault = await self.trouble(self._number, request) if self.trouble else None
        if fault in _STATUSES:
            return self._note(request, fault, web.Response(status=_STATUSES[fault], text="busy"))
        if fault == "refused":
            return self._reset(request, fault)
        try:
            response = await self._forward(request, body)
        except ClientError:
            # The server itself is away.
            return self._reset(request, None)
        if fault == "short" and isinstance(response.body, bytes) and len(response.body) > 1:
            await self._begin(request, response, response.body)
        return self._reset(request, fault) if fault else self._note(request, None, response)

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        # The Host header goes on as it came: it is part of an S3 signature.
        target = self._upstream.join(URL(request.raw_path, encoded=True))
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        async with self._session.request(
            request.method, target, headers=headers, data=body, allow_redirects=False
        ) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
            content = await answer.read()
            response = web.Response(status=answer.status, body=content, headers=kept)
            if request.method == "HEAD" and "Content-Length" in answer.headers:
                response.headers["Content-Length"] = answer.headers["Content-Length"]
            return response

    async def _begin(self, request: web.Request, whole: web.Response, body: bytes) -> None:
        """Send the first half of an answer."""
        begun = web.StreamResponse(status=whole.status, headers=whole.headers)
        begun.content_length = len(body)
        await begun.prepare(request)
        await begun.write(body[: len(body) // 2])

    def _note(self, request: web.Request, fault: Fault | None, response: web.Response) -> web.Response:
        self.requests.append(Request(request.method, unquote(request.rel_url.raw_path), response.status, fault))
        return response

    def _reset(self, request: web.Request, fault: Fault | None) -> web.Response:
        self.requests.append(Request(request.method, unquote(request.rel_url.raw_path), None, fault))
        if request.transport:
            request.transport.abort()
        return web.Response()


async def seen(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for something that happens in this process; fails at the deadline."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


class Hold:
    """Trouble for a proxy: holds back the requests of a method whose path ends so, until it is let go; they are then refused."""

    def __init__(self, method: str, ending: str) -> None:
        self._method, self._ending = method, ending
        self.holding = 0
        self._let_go = asyncio.Event()

    def let_go(self) -> None:
        self._let_go.set()

    async def __call__(self, _number: int, request: web.Request) -> Fault | None:
        if self._let_go.is_set() or request.method != self._method or not request.path.endswith(self._ending):
            return None
        self.holding += 1
        await self._let_go.wait()
        return "refused"
