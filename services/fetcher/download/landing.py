"""The file that a download is written to."""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from services.fetcher.download.remote import Trouble
from services.fetcher.metrics import FETCHED_BYTES
from services.fetcher.probe.sniff import HEAD_BYTES

# What is written at once: enough to be cheap, and never so late that slow progress goes unseen.
_BLOCK_BYTES = 1024 * 1024
_BLOCK_SECONDS = 0.5
# Pieces that the kernel takes in one call, of which it takes 1,024 at the most: more of them are joined before.
_MOST_PIECES = 512


class LandingFile:
    """A file written at several places at the same time, off the event loop.

    Args:
        on_head: gets the first bytes (:data:`HEAD_BYTES`, or all there are) once they have come; may raise.
    """

    def __init__(self, descriptor: int, on_head: Callable[[bytes], None]) -> None:
        self._descriptor: int | None = descriptor
        # Cancelling whoever waits for a thread does not stop the thread, and the number of a closed descriptor is soon
        # that of another file: nothing is written without the lock, and nothing after the close.
        self._lock = threading.Lock()
        self._on_head: Callable[[bytes], None] | None = on_head
        self._head = bytearray()

    async def write(
        self,
        offset: int,
        pieces: AsyncIterator[bytes],
        landed: Callable[[int], Awaitable[None]],
    ) -> None:
        """Write the pieces one after the other.

        Args:
            landed: gets the bytes of each block once it is written; also of the last one before the pieces break off.
        """
        block: list[bytes] = []
        size, since = 0, time.monotonic()

        async def put() -> None:
            nonlocal block, size, since, offset
            done, count = block, size
            block, size, since = [], 0, time.monotonic()
            if count:
                await self._put(offset, done, count)
                offset += count
                await landed(count)

        try:
            async for piece in pieces:
                block.append(piece)
                size += len(piece)
                if size >= self._wanted(offset) or time.monotonic() - since > _BLOCK_SECONDS:
                    await put()
                elif len(block) >= _MOST_PIECES:
                    block = [b"".join(block)]
        except Trouble:
            await put()
            raise
        await put()

    def _wanted(self, offset: int) -> int:
        """Bytes that make a block: fewer where somebody waits for the head."""
        return HEAD_BYTES if self._on_head and offset == 0 else _BLOCK_BYTES

    async def sync(self) -> None:
        """Return when everything that was written is on the disk."""
        await asyncio.to_thread(self._sync)

    def close(self) -> None:
        """Close it. A write that is under way is waited for."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is not None:
                os.close(descriptor)

    def end_of_head(self) -> None:
        """No more bytes will come before the ones seen: hand the head on even if it is short."""
        if self._on_head and self._head:
            on_head, self._on_head = self._on_head, None
            on_head(bytes(self._head))

    async def _put(self, offset: int, block: Sequence[bytes], size: int) -> None:
        await asyncio.to_thread(self._write, block, offset)
        FETCHED_BYTES.inc(size)
        if self._on_head and offset <= len(self._head):
            self._head[offset:] = b"".join(block)[:HEAD_BYTES]
            if len(self._head) >= HEAD_BYTES:
                self.end_of_head()

    def _write(self, block: Sequence[bytes], offset: int) -> None:
        # As they came, and not joined: every copy of a film takes a tenth of what the kernel needs to receive it.
        left = [memoryview(piece) for piece in block]
        with self._lock:
            while left and self._descriptor is not None:
                written = os.pwritev(self._descriptor, left, offset)
                offset += written
                left = _after(left, written)

    def _sync(self) -> None:
        with self._lock:
            # A descriptor of its own, so that writing can go on meanwhile.
            own = None if self._descriptor is None else os.dup(self._descriptor)
        if own is not None:
            try:
                os.fdatasync(own)
            finally:
                os.close(own)


@asynccontextmanager
async def landing_file(path: Path, size: int | None, on_head: Callable[[bytes], None]) -> AsyncIterator[LandingFile]:
    """Open the file, with room for ``size`` bytes; None starts it anew and lets it grow."""
    fresh = os.O_TRUNC if size is None else 0
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | fresh, 0o644)
    file = LandingFile(descriptor, on_head)
    try:
        if size is not None:
            os.ftruncate(descriptor, size)
        yield file
    finally:
        file.close()


def _after(pieces: Sequence[memoryview], count: int) -> list[memoryview]:
    """What is left of the pieces after so many bytes."""
    for number, piece in enumerate(pieces):
        if count < len(piece):
            return [piece[count:], *pieces[number + 1 :]]
        count -= len(piece)
    return []
