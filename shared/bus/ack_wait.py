"""How long a lease is: what the server itself goes by, not what anybody was configured with.

A worker that trusted a number of its own would go on working for as long as that says, while the server has given the
message to another already.
"""

import asyncio
from contextlib import suppress

from nats.aio.client import Client
from nats.errors import Error as NatsError

from shared.bus.topology import Durable

# The api may have been started anew with another setting; how long that may stay unnoticed.
REFRESH_SECONDS = 60.0
_RETRY_SECONDS = 0.5


class AckWaits:
    """The seconds of a lease for each consumer that a process takes work from."""

    def __init__(self, client: Client) -> None:
        self._js = client.jetstream(timeout=5)
        self._durables: dict[str, Durable] = {}
        self._seconds: dict[str, float] = {}
        self._changed = asyncio.Event()

    def watch(self, durable: Durable) -> None:
        """Read this consumer's too, from the next reading on."""
        self._durables[durable.name] = durable

    def of(self, consumer: str) -> float:
        """Seconds of a lease of a consumer, as last read."""
        return self._seconds[consumer]

    async def read(self) -> None:
        """Read all of them.

        Raises:
            nats.errors.Error, TimeoutError: the bus is out of reach; those not read stay as they were.
        """
        for durable in self._durables.values():
            config = (await self._js.consumer_info(durable.stream, durable.name)).config
            # Every consumer has one: the server fills in its own default.
            seconds = float(config.ack_wait or 0)
            if self._seconds.get(durable.name) != seconds:
                self._seconds[durable.name] = seconds
                # An event of its own for each change: who comes to pause later waits for the next one.
                changed, self._changed = self._changed, asyncio.Event()
                changed.set()

    async def pause(self, seconds: float) -> None:
        """Wait; not to the end if a lease turns out to be another than before."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    async def read_first(self) -> None:
        """Read all of them, as soon as the bus answers."""
        while True:
            with suppress(NatsError, TimeoutError):
                await self.read()
                return
            await asyncio.sleep(_RETRY_SECONDS)

    async def follow(self) -> None:
        """Read them again now and then, until cancelled."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            with suppress(NatsError, TimeoutError):
                await self.read()
