"""Places for work that many organizations have done at the same time, of which none takes all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class Slots:
    """So many places.

    Args:
        most: in all. most_each: that one organization has at the same time.
    """

    def __init__(self, most: int, most_each: int) -> None:
        self._all = asyncio.Semaphore(most)
        self._most_each = most_each
        # Of those alone who have a place or wait for one.
        self._each: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, org: str) -> AsyncIterator[None]:
        """A block for which an organization has a place."""
        own = self._each.get(org)
        if own is None:
            own = self._each[org] = asyncio.Semaphore(self._most_each)
        # Those of one organization wait for each other before they stand in the common line.
        async with own, self._all:
            yield
