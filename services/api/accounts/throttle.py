"""Slowing down those who guess passwords. Each process counts for itself, which is enough against a guesser."""

import math
from collections import deque
from collections.abc import Callable
from time import monotonic

WINDOW_SECONDS = 60.0
# Memory stays bounded when somebody tries ever new names.
MOST_KEYS = 10_000


class FailureThrottle:
    """Allows so many failures a minute for a key, such as user name and address."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._failures: dict[tuple[str, str], deque[float]] = {}

    def wait_seconds(self, key: tuple[str, str]) -> int:
        """Whole seconds until the next try is allowed; 0 for now."""
        times = self._recent(key)
        if len(times) < self._per_minute:
            return 0
        return max(1, math.ceil(times[-self._per_minute] + WINDOW_SECONDS - self._clock()))

    def failed(self, key: tuple[str, str]) -> None:
        """Count a failure."""
        times = self._recent(key)
        times.append(self._clock())
        # Moved to the end: the keys stay in the order of their last failure.
        self._failures.pop(key, None)
        self._failures[key] = times
        while len(self._failures) > MOST_KEYS:
            del self._failures[next(iter(self._failures))]

    def succeeded(self, key: tuple[str, str]) -> None:
        """Forget the failures."""
        self._failures.pop(key, None)

    def _recent(self, key: tuple[str, str]) -> deque[float]:
        times = self._failures.get(key, deque())
        while times and times[0] <= self._clock() - WINDOW_SECONDS:
            times.popleft()
        return times
