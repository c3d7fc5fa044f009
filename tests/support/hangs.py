"""Servers that take a connection and keep it: they never answer, or never come to the content."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def silent_server() -> AsyncIterator[str]:
    """Accepts connections and requests, and never answers. Yields its address."""
    async with _server(b"") as address:
        yield address


@asynccontextmanager
async def contentless_server() -> AsyncIterator[str]:
    """Sends the headers of an answer and none of its content. Yields its address."""
    async with _server(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n") as address:
        yield address


@asynccontextmanager
async def trickling_server() -> AsyncIterator[str]:
    """Answers with headers that never end, a byte at a time, so that it is never silent for long. Yields its address."""
    async with _server(b"HTTP/1.1 206 Partial Content\r\nX-Padding: ", then=b"x") as address:
        yield address


@asynccontextmanager
async def _server(beginning: bytes, *, then: bytes = b"") -> AsyncIterator[str]:
    held: set[asyncio.Task[None]] = set()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        held.add(task)
        try:
            writer.write(beginning)
            while not reader.at_eof():
                writer.write(then)
                await writer.drain()
                await asyncio.sleep(0.05)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            held.discard(task)
            writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in set(held):
            task.cancel()
