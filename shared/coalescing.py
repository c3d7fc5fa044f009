"""Doing in one go what several callers ask for at the same time, as databases do it with their commits.

Whoever asks alone is served at once: nobody waits for company. Those who ask while something is being done are served together
as soon as that is over, so that a round trip, or a write to a disk, is paid once for all of them.
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")
_MOST = 200


class Coalescer(Generic[T, R]):
    """Coalesces calls.

    Args:
        work: does it for several items, and returns for each, in their order, its result or the error to raise for it alone.
        most: items that are done together at the most.
        everybodys: errors of ``work`` that would meet each item alone as well, such as that a server is out of reach. After any
            other, each item is done by itself: one of them may be what is wrong, and the others shall not suffer from it. So
            ``work`` must be fit to be repeated after such an error.
    """

    def __init__(
        self,
        work: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]],
        *,
        most: int = _MOST,
        everybodys: tuple[type[Exception], ...] = (),
    ) -> None:
        self._work = work
        self._most = most
        self._everybodys = everybodys
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._running: asyncio.Task[None] | None = None

    async def do(self, item: T) -> R:
        """Do it for an item. One that is cancelled before its turn comes is not done.

        Raises: what ``work`` returns for it or raises.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._waiting.append((item, future))
        if self._running is None:
            # Outlives the caller, and is nobody's request: neither its logs nor its spans belong to one of them.
            self._running = loop.create_task(self._run(), context=contextvars.Context())
        return await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                taken: list[tuple[T, asyncio.Future[R]]] = []
                while self._waiting and len(taken) < self._most:
                    item, future = self._waiting.popleft()
                    if not future.done():
                        taken.append((item, future))
                if taken:
                    await self._do_together(taken)
        finally:
            self._running = None
            # Only where the loop is being closed in the middle.
            while self._waiting:
                self._waiting.popleft()[1].cancel()

    async def _do_together(self, taken: Sequence[tuple[T, "asyncio.Future[R]"]]) -> None:
        try:
            results = await self._work([item for item, _ in taken])
        except asyncio.CancelledError:
            for _, future in taken:
                future.cancel()
            raise
        except Exception as error:
            if len(taken) == 1 or isinstance(error, self._everybodys):
                for _, future in taken:
                    _settle(future, error)
            else:
                for one in taken:
                    await self._do_together([one])
            return
        for (_, future), result in zip(taken, results, strict=True):
            _settle(future, result)


def _settle(future: "asyncio.Future[R]", result: R | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
