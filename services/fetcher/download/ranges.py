"""Fetching the missing pieces of a file over several connections."""

import asyncio
from bisect import insort
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from services.fetcher.download.chunks import ChunkMap
from services.fetcher.download.landing import LandingFile
from services.fetcher.download.patience import Patience
from services.fetcher.download.remote import Remote, Reply, SourceChanged, Trouble
from shared.errors import Outage

_RETIRING = ("busy", "refused")


class RangeFetch:
    """Fetches the pieces that a :class:`ChunkMap` lacks.

    A connection that the server turns away while another one is served goes home: many servers allow only a few, and some
    links answer only once. So the first answer, which goes on to the end of the file, is read on as long as nobody else
    fetches what comes next, and is kept until a second one has come. The others begin at the end of the file.

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
        self._pending: list[int] = []
        self._reached: dict[int, int] = {}
        self._alive = 0
        self._answered_again = asyncio.Event()
        self._here = chunks.bytes_here

    async def run(self, reply: Reply, first: int) -> None:
        """Fetch all of them; ``reply`` is the answer to the first one's request, which was made to see what the server can.

        Raises:
            Trouble: ``refused``, where nobody is served any more.
            PermanentError, SourceChanged: see :class:`services.fetcher.download.remote.Remote`.
            Outage: the source is out of order; what is there is noted down.
        """
        self._pending.extend(number for number in self._chunks.missing() if number != first)
        self._alive = min(self._connections, len(self._pending) + 1)
        if self._alive == 1:
            self._answered_again.set()
        workers = [asyncio.create_task(self._connection(first, _Body(reply)))]
        workers += [asyncio.create_task(self._connection()) for _ in range(self._alive - 1)]
        keeper = asyncio.create_task(self._keep_notes())
        try:
            await asyncio.gather(*workers)
        except (asyncio.CancelledError, Outage):
            # A process that is stopped has a moment for this; one that is killed has left its last checkpoint.
            with suppress(OSError):
                await self._checkpoint()
            raise
        finally:
            for task in (*workers, keeper):
                task.cancel()
            await asyncio.gather(*workers, keeper, return_exceptions=True)
        await self._checkpoint()

    async def _connection(self, number: int | None = None, body: "_Body | None" = None) -> None:
        while number is not None or self._pending:
            piece = self._pending.pop() if number is None else number
            number = None
            try:
                await self._piece(piece, body)
                if body and (number := await self._following(piece, body)) is None:
                    body.close()
                    body = None
            except (Trouble, SourceChanged) as trouble:
                if self._goes_home(trouble, body):
                    insort(self._pending, piece)
                    break
                if isinstance(trouble, SourceChanged) or trouble.kind == "refused":
                    raise
                number, body = piece, None
                await asyncio.sleep(self._patience.after(trouble))
        self._alive -= 1
        if self._alive <= 1:
            self._answered_again.set()

    def _goes_home(self, trouble: Trouble | SourceChanged, body: "_Body | None") -> bool:
        if self._alive == 1 or body:
            return False
        if not self._answered_again.is_set():
            return True
        return isinstance(trouble, Trouble) and trouble.kind in _RETIRING

    async def _following(self, piece: int, body: "_Body") -> int | None:
        """The next piece, if the body goes on with it and nobody else fetches it."""
        if not body.goes_on:
            return None
        if piece + 1 not in self._pending[:1]:
            await self._answered_again.wait()
        return self._pending.pop(0) if piece + 1 in self._pending[:1] else None

    async def _piece(self, number: int, body: "_Body | None") -> None:
        """Fetch one piece, from where an earlier try has got to."""
        start, end = self._chunks.span(number)
        if body:
            await self._take(number, body, start, end)
        while (reached := self._reached.get(number, start)) < end:
            async with self._remote.read(reached, end, self._chunks.version) as answer:
                if not answer.ranged:
                    raise Trouble("refused", "the server stopped answering ranges")
                self._answered_again.set()
                await self._take(number, _Body(answer), reached, end)
        self._reached.pop(number, None)
        self._chunks.mark(number)
        if number == 0:
            self._file.end_of_head()

    async def _take(self, number: int, body: "_Body", position: int, end: int) -> None:
        async def landed(count: int) -> None:
            nonlocal position
            position += count
            self._reached[number] = position
            self._here += count
            self._patience.received(count)
            await self._on_progress(self._here / self._chunks.version.size)

        before = position
        await self._file.write(position, body.take(end - position), landed)
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


class _Body:
    """The body of an answer, taken a stretch at a time."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._taken = 0
        self._ended = False
        self._rest = b""

    @property
    def goes_on(self) -> bool:
        """There is more to take."""
        return not self._ended and self._taken != self._reply.length

    async def take(self, most: int) -> AsyncIterator[bytes]:
        """The next bytes, in pieces; fewer than ``most`` where the body ends."""
        while most > 0:
            piece = self._rest or await anext(self._reply.body, b"")
            if not piece:
                self._ended = True
                return
            piece, self._rest = piece[:most], piece[most:]
            most -= len(piece)
            self._taken += len(piece)
            yield piece

    def close(self) -> None:
        """Give up what is left of it."""
        self._reply.close()
