"""An HTTP server for sources, as good and as bad as those on the internet.

async with source_server() as server:
    url = server.host("film.mp4", data)                       # ranges, ETag, Last-Modified
    url = server.host("old.mp4", data, ranges=False)
    url = server.host("bad.mp4", data, cut_after=100_000)     # every answer breaks off
    server.requests("film.mp4")                               # what was asked
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from hashlib import sha256

from aiohttp import web

_PIECE = 16 * 1024
_MODIFIED = "Wed, 01 May 2024 12:00:00 GMT"


@dataclass
class Hosted:
    """A file and the manners with which it is served.

    Attributes:
        ranges: answers ranges. hides_size: answers them with ``*`` instead of the size.
        cut_after: bytes after which every answer breaks off. stall_after: bytes after which nothing comes any more.
        pause: seconds between pieces of 16 KiB.
        told_length: sends ``Content-Length``; without it the answer is chunked.
        etags: made anew for each answer by this; None sends none.
        modified: the ``Last-Modified`` header; None sends none.
        at_most: requests answered at the same time; more get a 503.
        failures: statuses of the first answers. always: the status of every answer.
        redirect: where every request is sent.
        answers: requests that are answered; later ones get the status ``then``, or ``page`` where there is one.
        most: bytes of an answer. most_ranges: ranges that are given out; later requests for one get the status ``then``.
        one_at_a_time: a request waits until the one before has been answered.
        cookie: a value; who comes without it gets it, and is sent to the same address.
        headers: more of them.
    """

    data: bytes
    ranges: bool = True
    hides_size: bool = False
    cut_after: int | None = None
    stall_after: int | None = None
    pause: float = 0
    told_length: bool = True
    etags: Callable[[], str] | None = None
    modified: str | None = _MODIFIED
    at_most: int | None = None
    failures: list[int] = field(default_factory=list)
    always: int | None = None
    redirect: str | None = None
    answers: int | None = None
    then: int = 404
    page: bytes = b""
    most: int | None = None
    most_ranges: int | None = None
    one_at_a_time: bool = False
    cookie: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """A request as it came: its ``Range``, all its headers, and the bytes that were sent in answer."""

    range: str | None
    headers: dict[str, str]
    sent: list[int]


class SourceServer:
    """Serves what it is told to, and keeps count."""

    def __init__(self) -> None:
        self._files: dict[str, Hosted] = {}
        self._asked: dict[str, list[Asked]] = {}
        self._running: dict[str, int] = {}
        self._turn = asyncio.Lock()
        self.port = 0
        self.most_at_once = 0

    def host(self, name: str, data: bytes = b"", **manners: object) -> str:
        """Serve a file; returns its address."""
        self._files[name] = Hosted(data, **manners)  # type: ignore[arg-type]
        return self.url(name)

    def url(self, name: str, host: str = "127.0.0.1") -> str:
        """An address on this server."""
        return f"http://{host}:{self.port}/{name}"

    def hurry(self, name: str) -> None:
        """From now on there are no pauses in what is sent of a file."""
        self._files[name].pause = 0

    def requests(self, name: str) -> list[Asked]:
        """What was asked for a file, in order."""
        return self._asked.get(name, [])

    def sent(self, name: str) -> int:
        """Bytes of bodies that were sent for a file, over all requests."""
        return sum(sum(asked.sent) for asked in self.requests(name))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The handler of every request."""
        name = request.path.lstrip("/")
        asked = Asked(request.headers.get("Range"), dict(request.headers), [])
        self._asked.setdefault(name, []).append(asked)
        hosted = self._files.get(name)
        if hosted is None:
            return web.Response(status=404, text="no such file")
        ranges = sum(asked.range is not None for asked in self._asked[name])
        if asked.range and hosted.most_ranges is not None and ranges > hosted.most_ranges:
            return web.Response(status=hosted.then)
        if hosted.answers is not None and len(self._asked[name]) > hosted.answers:
            return web.Response(body=hosted.page, content_type="text/html", status=200 if hosted.page else hosted.then)
        self._running[name] = self._running.get(name, 0) + 1
        self.most_at_once = max(self.most_at_once, self._running[name])
        try:
            async with self._turn if hosted.one_at_a_time else nullcontext():
                return await self._serve(request, hosted, asked, self._running[name])
        finally:
            self._running[name] -= 1

    async def _serve(self, request: web.Request, hosted: Hosted, asked: Asked, running: int) -> web.StreamResponse:
        status = hosted.failures.pop(0) if hosted.failures else hosted.always
        if hosted.at_most is not None and running > hosted.at_most:
            status = 503
        if status:
            return web.Response(status=status, headers=hosted.headers)
        if hosted.cookie and request.headers.get("Cookie") != f"session={hosted.cookie}":
            cookie = {"Set-Cookie": f"session={hosted.cookie}; Path=/; HttpOnly"}
            return web.Response(status=302, headers={"Location": request.raw_path} | cookie)
        if hosted.redirect is not None:
            return web.Response(status=302, headers={"Location": hosted.redirect})
        response, body = _begin(hosted, asked.range)
        if response.status == 416:
            return response
        await response.prepare(request)
        await _send(request, response, hosted, body, asked.sent)
        return response


def _begin(hosted: Hosted, asked: str | None) -> tuple[web.StreamResponse, bytes]:
    headers = dict(hosted.headers)
    headers["ETag"] = hosted.etags() if hosted.etags else f'"{sha256(hosted.data).hexdigest()[:16]}"'
    if hosted.modified:
        headers["Last-Modified"] = hosted.modified
    size = len(hosted.data)
    given = re.fullmatch(r"bytes=(\d+)-(\d*)", asked or "")
    if not hosted.ranges or not given:
        response = web.StreamResponse(status=200, headers=headers)
        body = hosted.data
    else:
        start, end = int(given[1]), min(int(given[2] or size), size - 1)
        if start >= size:
            return web.Response(status=416, headers={"Content-Range": f"bytes */{size}"}), b""
        end = min(end, start + (hosted.most or size) - 1)
        headers["Content-Range"] = f"bytes {start}-{end}/{'*' if hosted.hides_size else size}"
        response = web.StreamResponse(status=206, headers=headers)
        body = hosted.data[start : end + 1]
    if hosted.told_length:
        response.content_length = len(body)
    return response, body


async def _send(
    request: web.Request, response: web.StreamResponse, hosted: Hosted, body: bytes, sent: list[int]
) -> None:
    so_far = 0
    for start in range(0, len(body), _PIECE):
        piece = body[start : start + _PIECE]
        await response.write(piece)
        so_far += len(piece)
        sent.append(len(piece))
        if hosted.cut_after is not None and so_far >= hosted.cut_after and request.transport:
            # Closed, not aborted: what was written still arrives, as from a server that is shut down.
            request.transport.close()
            return
        if hosted.stall_after is not None and so_far >= hosted.stall_after:
            await asyncio.Event().wait()
        if hosted.pause:
            await asyncio.sleep(hosted.pause)
    await response.write_eof()


@asynccontextmanager
async def source_server() -> AsyncIterator[SourceServer]:
    """A server on a free loopback port."""
    server = SourceServer()
    app = web.Application()
    app.router.add_route("*", "/{name:.*}", server.answer)
    runner = web.AppRunner(
        app,
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=0.1,
        max_line_size=16 * 1024,
        max_field_size=16 * 1024,
    )
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        await runner.cleanup()
