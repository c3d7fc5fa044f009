"""What takes time to open, kept open for a while after its last use."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass
class _Entry(Generic[V]):
    value: V
    opened: AsyncExitStack
    users: int = 0
    expiry: asyncio.TimerHandle | None = field(default=None)


class KeptOpen(Generic[K, V]):
    """One of each kind at the most, shared by all who use it at the same time. Close it at the end.

    Args:
        opens: makes the context in which the one of a key is open.
        idle: how many are kept that nobody uses; of more, those that were used longest ago are closed.
        seconds: how long one is kept that nobody uses.
    """

    def __init__(self, opens: Callable[[K], AbstractAsyncContextManager[V]], *, idle: int, seconds: float) -> None:
        self._opens = opens
        self._idle = idle
        self._seconds = seconds
        self._entries: OrderedDict[K, _Entry[V]] = OrderedDict()
        self._opening = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def of(self, key: K) -> AsyncIterator[V]:
        """The one of a key, open while the block lasts. Raises what its opening raises."""
        async with self._opening:
            entry = self._entries.get(key) or await self._open(key)
            entry.users += 1
        if entry.expiry:
            entry.expiry.cancel()
        self._entries.move_to_end(key)
        try:
            yield entry.value
        finally:
            self._leave(key, entry)

    async def close(self) -> None:
        """Close all of them."""
        for key in list(self._entries):
            self._drop(key)
        if self._closing:
            await asyncio.wait(self._closing)

    async def _open(self, key: K) -> _Entry[V]:
        opened = AsyncExitStack()
        entry = self._entries[key] = _Entry(await opened.enter_async_context(self._opens(key)), opened)
        return entry

    def _leave(self, key: K, entry: _Entry[V]) -> None:
        entry.users -= 1
        if entry.users or self._entries.get(key) is not entry:
            return
        entry.expiry = asyncio.get_running_loop().call_later(self._seconds, self._drop, key)
        idle = [key for key, entry in self._entries.items() if not entry.users]
        for oldest in idle[: max(0, len(idle) - self._idle)]:
            self._drop(oldest)

    def _drop(self, key: K) -> None:
        entry = self._entries.pop(key)
        if entry.expiry:
            entry.expiry.cancel()
        task = asyncio.create_task(entry.opened.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
