"""Flows done step by step, with an asynchronous client of httpx. The same as :mod:`millrace_client.blocking`, with ``await``."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeVar

import httpx

from millrace_client.errors import Unreachable
from millrace_client.http import (
    PIECE_BYTES,
    TIMEOUT,
    answer,
    arguments,
    is_events,
    piece_arguments,
    streaming,
    unreachable,
)
from millrace_client.steps import (
    Answer,
    Came,
    Close,
    Feed,
    Flow,
    Measure,
    Open,
    Pause,
    Read,
    Request,
    Send,
    SendPiece,
    Show,
    Step,
)

T = TypeVar("T")


class AsyncTransport:
    """Does what flows ask for.

    Args:
        http: used and left open if given, for proxies and the like; else one is made, and closed by :meth:`close`.
    """

    def __init__(self, http: httpx.AsyncClient | None = None) -> None:
        self._http = http or httpx.AsyncClient(timeout=TIMEOUT)
        self._owned = http is None

    async def close(self) -> None:
        """Close all connections."""
        if self._owned:
            await self._http.aclose()

    async def run(self, flow: Flow[T]) -> T:
        """The result of a flow."""
        work = _Work(self._http)
        came: Any = None
        try:
            while True:
                step = flow.throw(came) if isinstance(came, Unreachable) else flow.send(came)
                came = None if isinstance(step, Show) else await work.do(step)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            await work.close()

    async def show(self, feed: Feed[T]) -> AsyncIterator[T]:
        """The items of a feed."""
        work = _Work(self._http)
        came: Any = None
        try:
            while True:
                try:
                    step = feed.throw(came) if isinstance(came, Unreachable) else feed.send(came)
                except StopIteration:
                    return
                if isinstance(step, Show):
                    came = None
                    yield step.item
                else:
                    came = await work.do(step)
        finally:
            await work.close()


class _Work:
    """The steps of one flow, which has one stream open at most."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._opened: tuple[Request, httpx.Response, AsyncIterator[bytes]] | None = None

    async def do(self, step: Step) -> Came:
        match step:
            case Send():
                return await self._send(step.request)
            case Measure():
                return (await asyncio.to_thread(step.file.stat)).st_size
            case SendPiece():
                return await self._send_piece(step)
            case Open():
                return await self._open(step)
            case Read():
                return await self._read()
            case Close():
                await self.close()
            case Pause():
                await asyncio.sleep(step.seconds)
        return None

    async def close(self) -> None:
        if self._opened:
            await self._opened[1].aclose()
            self._opened = None

    async def _send(self, request: Request) -> Answer | Unreachable:
        try:
            return answer(await self._http.request(**arguments(request)))
        except httpx.RequestError as error:
            return unreachable(error, request)

    async def _send_piece(self, step: SendPiece) -> Answer | Unreachable:
        async def pieces() -> AsyncIterator[bytes]:
            # Disks make wait, and others want to go on meanwhile.
            file = await asyncio.to_thread(step.file.open, "rb")
            try:
                await asyncio.to_thread(file.seek, step.begin)
                left = step.size
                while left and (piece := await asyncio.to_thread(file.read, min(PIECE_BYTES, left))):
                    yield piece
                    left -= len(piece)
                    step.sent(step.size - left)
            finally:
                file.close()

        try:
            return answer(await self._http.request(**piece_arguments(step), content=pieces()))
        except httpx.RequestError as error:
            return unreachable(error, step.request)

    async def _open(self, step: Open) -> Answer | Unreachable:
        try:
            built = self._http.build_request(**arguments(step.request), timeout=streaming(step.quiet_seconds))
            response = await self._http.send(built, stream=True)
            if is_events(response):
                self._opened = (step.request, response, response.aiter_bytes())
                return answer(response, text=False)
            try:
                await response.aread()
            finally:
                await response.aclose()
            return answer(response)
        except httpx.RequestError as error:
            return unreachable(error, step.request)

    async def _read(self) -> bytes | Unreachable:
        if not self._opened:
            return b""
        request, _, pieces = self._opened
        try:
            return await anext(pieces, b"")
        except httpx.RequestError as error:
            return unreachable(error, request)
