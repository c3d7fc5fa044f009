"""How many requests may run at the same time to one host, and for one organization.

A receiver that never answers holds a slot for the whole time-out. With many jobs waiting for it, it would hold all of
them; these limits, kept by each process for its own slots, leave the others room. Who finds no room waits in his slot
only where that is a matter of moments, and is told when to come back otherwise.
"""

import asyncio
import heapq
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

SHORTEST_WAIT = 0.25
LONGEST_WAIT = 30.0
# Requests that take no longer on average are waited for in the slot, for so long at most.
QUICK = 0.25
# So many time-outs in a row, and a host gets one slot until it answers again.
PATIENCE = 3

Name = tuple[str, str]
"""What is crowded: a kind, ``host`` or ``organization``, and which."""


@dataclass
class _Crowd:
    running: int = 0
    seconds: float = 0.1
    unanswered: int = 0
    returns: list[float] = field(default_factory=list)


class ConcurrencyLimits:
    """Room for requests.

    Args:
        room: by the kind of name, how many may run at once.
        clock: monotonic seconds.
    """

    def __init__(self, room: dict[str, int], clock: Callable[[], float]) -> None:
        self._room = room
        self._clock = clock
        self._crowds: dict[Name, _Crowd] = {}
        self._left = asyncio.Event()

    async def enter(self, names: Sequence[Name]) -> float:
        """Take room under each name.

        Returns:
            0 if it was taken; give it back with :meth:`leave`. Else seconds after which to ask again: roughly when those
            who were turned away before will have had their turn.
        """
        deadline = self._clock() + QUICK
        while full := self._full(names):
            crowd, room = full
            if crowd.seconds > QUICK or self._clock() >= deadline:
                return self._turn_away(crowd, room)
            self._left.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(QUICK):
                    await self._left.wait()
        for name in names:
            self._crowds.setdefault(name, _Crowd()).running += 1
        return 0.0

    def leave(self, names: Sequence[Name], *, seconds: float | None, answered: bool) -> None:
        """Give the room back.

        Args:
            seconds: how long the request took; None if there was none after all.
            answered: whether it got any answer or refusal, rather than silence.
        """
        for name in names:
            crowd = self._crowds[name]
            crowd.running -= 1
            if seconds is not None:
                crowd.seconds += 0.3 * (seconds - crowd.seconds)
                crowd.unanswered = 0 if answered else crowd.unanswered + 1
            self._forget(crowd)
            if not (crowd.running or crowd.returns or crowd.unanswered):
                del self._crowds[name]
        self._left.set()

    def _full(self, names: Sequence[Name]) -> tuple[_Crowd, int] | None:
        for name in names:
            crowd = self._crowds.get(name)
            if crowd is None:
                continue
            kind = name[0]
            room = 1 if kind == "host" and crowd.unanswered >= PATIENCE else self._room[kind]
            if crowd.running >= room:
                return crowd, room
        return None

    def _turn_away(self, crowd: _Crowd, room: int) -> float:
        self._forget(crowd)
        turn = (len(crowd.returns) + 1) / room * crowd.seconds
        wait = min(max(turn, SHORTEST_WAIT), LONGEST_WAIT) * random.uniform(0.8, 1.2)  # noqa: S311
        heapq.heappush(crowd.returns, self._clock() + wait)
        return wait

    def _forget(self, crowd: _Crowd) -> None:
        while crowd.returns and crowd.returns[0] <= self._clock():
            heapq.heappop(crowd.returns)
