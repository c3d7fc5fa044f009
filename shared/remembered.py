"""What takes time to find, remembered for a while. What was changed meanwhile counts after that."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from time import monotonic
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """Finds, and remembers what was found.

    Args:
        find: what is remembered of a key. What it raises is not remembered.
        seconds: how long it is.
        most: how many are; of more, those that were found longest ago are forgotten.
    """

    def __init__(self, find: Callable[[K], Awaitable[V]], *, seconds: float, most: int) -> None:
        self._find = find
        self._seconds = seconds
        self._most = most
        self._known: OrderedDict[K, tuple[float, V]] = OrderedDict()

    async def of(self, key: K) -> V:
        """What is known of a key, or found now. Raises: what the finding raises."""
        known = self._known.get(key)
        if known and monotonic() - known[0] < self._seconds:
            return known[1]
        found = await self._find(key)
        self._known[key] = monotonic(), found
        self._known.move_to_end(key)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return found
