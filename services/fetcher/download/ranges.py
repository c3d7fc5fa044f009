"""Fetching the missing pieces of a file over several connections."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from services.fetcher.download.chunks import ChunkMap
from services.fetcher.download.landing import LandingFile
from services.fetcher.download.patience import Patience
from services.fetcher.download.remote import Remote, Reply, Trouble

_RETIRING = ("busy", "refused")


class RangeFetch:
    """Fetches the pieces that a :class:`ChunkMap` lacks.

    A connection that the server turns away while another one is served goes home: many servers allow only a few.

    Args:
        state: where the map is kept for a restart.
        on_progress: gets the fraction that is there.
    """

    def __init__(
        self,
        remote: Remote,
        file: LandingFile,
        chunks: ChunkMap,
        patience: Patience,
        *,
        state: Path,
        connections: int,
        checkpoint_seconds: float,
        on_progress: Callable[[float], Awaitable[None]],
    ) -> None:
        self._remote = remote
        self._file = file
        self._chunks = chunks
        self._patience = patience
        self._state = state
        self._connections = connections
        self._checkpoint_seconds = checkpoint_seconds
        self._on_progress = on_progress
        self._pending: deque[int] = deque()
        self._reached: dict[int, int] = {}
        self._alive = 0
        self._here = chunks.bytes_here

    async def run(self, reply: Reply, first: int) -> None:
        """Fetch all of them; ``reply`` is the answer to the first one's request, which was made to see what the server can.

        Raises:
            PermanentError, SourceChanged: see :class:`services.fetcher.download.remote.Remote`; what is there is noted down.
        """
        self._pending.extend(number for number in self._chunks.missing() if number != first)
        self._alive = min(self._connections, len(self._pending) + 1)
        workers = [asyncio.create_task(self._connection(first, reply))]
        workers += [asyncio.create_task(self._connection()) for _ in range(self._alive - 1)]
        keeper = asyncio.create_task(self._keep_notes())
        try:
            await asyncio.gather(*workers)
        except asyncio.CancelledError:
            # A process that is stopped has a moment for this; one that is killed has left its last checkpoint.
            with suppress(OSError):
                await self._checkpoint()
            raise
        finally:
            for task in (*workers, keeper):
                task.cancel()
            await asyncio.gather(*workers, keeper, return_exceptions=True)
        await self._checkpoint()

    async def _connection(self, number: int | None = None, reply: Reply | None = None) -> None:
        while number is not None or self._pending:
            piece = self._pending.popleft() if number is None else number
            number = None
            try:
                await self._piece(piece, reply)
            except Trouble as trouble:
                if self._alive > 1 and trouble.kind in _RETIRING:
                    self._pending.appendleft(piece)
                    break
                number = piece
                await asyncio.sleep(self._patience.after(trouble))
            reply = None
        self._alive -= 1

    async def _piece(self, number: int, reply: Reply | None) -> None:
        """Fetch one piece, from where an earlier try has got to."""
        start, end = self._chunks.span(number)
        if reply:
            await self._take(number, reply, start, end)
        while (reached := self._reached.get(number, start)) < end:
            async with self._remote.read(reached, end, self._chunks.version) as answer:
                if not answer.ranged:
                    raise Trouble("broken", "the server stopped answering ranges")
                await self._take(number, answer, reached, end)
        self._reached.pop(number, None)
        self._chunks.mark(number)
        if number == 0:
            self._file.end_of_head()

    async def _take(self, number: int, reply: Reply, position: int, end: int) -> None:
        async def landed(count: int) -> None:
            nonlocal position
            position += count
            self._reached[number] = position
            self._here += count
            self._patience.received(count)
            await self._on_progress(self._here / self._chunks.version.size)

        before = position
        await self._file.write(position, reply.body, landed, most=end - position)
        if position == before:
            raise Trouble("broken", "the server sent an empty answer")

    async def _keep_notes(self) -> None:
        while True:
            await asyncio.sleep(self._checkpoint_seconds)
            await self._checkpoint()

    async def _checkpoint(self) -> None:
        # What is marked now is what was written before the data is forced out; pieces that land meanwhile wait.
        noted = self._chunks.copy()
        await self._file.sync()
        noted.save(self._state)
