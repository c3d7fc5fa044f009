"""Progress beside the log: the newest fraction done of whatever is under way. Losing one of these harms nothing."""

import asyncio
from collections.abc import Callable

from nats.aio.client import Client
from nats.errors import Error as NatsError

from shared.bus.headway import made_headway
from shared.bus.subjects import progress_subject

# At most this many a second for one part.
RATE = 2.0


class ProgressReporter:
    """Publishes how far one piece of work is; never backwards, and a few times a second at most.

    Args:
        what: the name of the part, or ``fetch``.
    """

    def __init__(
        self, client: Client, org: str, job: str, what: str, *, clock: Callable[[], float] | None = None
    ) -> None:
        self._nc = client
        self._subject = progress_subject(org, job, what)
        self._clock = clock or asyncio.get_running_loop().time
        self._told = 0.0
        self._told_at = float("-inf")

    async def tell(self, fraction: float) -> None:
        """Publish the fraction done, 0 to 1."""
        now = self._clock()
        if fraction <= self._told or now - self._told_at < 1 / RATE:
            return
        self._told, self._told_at = min(fraction, 1.0), now
        try:
            await self._nc.publish(self._subject, f"{self._told:.4f}".encode())
        except (NatsError, TimeoutError, OSError):
            # Without a bus nobody listens; the work itself notices through its lease.
            return
        # Whatever gets on has found room, for now.
        await made_headway("workspace", kept=False)
