"""A deadline for the beginning of every answer, whichever protocol it comes by.

A time-out for silence alone is not enough: a server that sends a byte of its headers now and then is never silent.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from services.fetcher.download.remote import Remote, Reply, Trouble, Version


class PunctualRemote:
    """A source whose answers have to begin in time.

    Args:
        seconds: from a request until the first bytes of content, redirects and headers included.
    """

    def __init__(self, remote: Remote, seconds: float) -> None:
        self._remote = remote
        self._seconds = seconds

    @asynccontextmanager
    async def read(
        self, start: int, end: int | None, expected: Version | None = None, *, plain: bool = False
    ) -> AsyncIterator[Reply]:
        """See :class:`services.fetcher.download.remote.Remote`."""
        deadline = asyncio.get_running_loop().time() + self._seconds
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout_at(deadline):
                    reply = await stack.enter_async_context(self._remote.read(start, end, expected, plain=plain))
            except TimeoutError as error:
                raise self._late() from error
            yield replace(reply, body=self._body(reply.body, deadline))

    async def _body(self, pieces: AsyncIterator[bytes], deadline: float) -> AsyncIterator[bytes]:
        try:
            async with asyncio.timeout_at(deadline):
                first = await anext(pieces, b"")
        except TimeoutError as error:
            raise self._late() from error
        if first:
            yield first
        async for piece in pieces:
            yield piece

    def _late(self) -> Trouble:
        return Trouble("stalled", f"the server did not begin to send the content within {self._seconds:.0f} s")
