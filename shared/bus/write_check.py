"""The check that the bus can write. That it answers is no proof: after its disk was full, NATS reads on and writes no more.

Each of its streams stops by itself when a write into it has failed, and only a restart gets it going again. So the check has
to write, and goes on to fail after the disk has space again, until somebody restarts the server.
"""

import asyncio

from nats.aio.client import Client
from nats.errors import Error as NatsError

from shared.bus.topology import HEALTH_BUCKET

PROVED_SECONDS = 5.0
"""How long a write is proof enough."""
_WRITE_SECONDS = 2.0
# More than a page, or a full disk may still have room for it.
_CONTENT = bytes(8192)


class BusCannotWrite(ConnectionError):
    """The bus answers, but a write was refused or left without an answer."""


class WriteCheck:
    """A check for the health port.

    Args:
        name: of the service; its replicas write to the same place.
    """

    def __init__(self, client: Client, name: str) -> None:
        self._js = client.jetstream(timeout=_WRITE_SECONDS)
        self._subject = f"$KV.{HEALTH_BUCKET}.{name}"
        self._turn = asyncio.Lock()
        self._proved = float("-inf")

    async def __call__(self) -> None:
        """Ask for an answer, and for a write if the last one is a few seconds old.

        Raises:
            BusCannotWrite: it does not write. nats.errors.Error: it does not answer.
        """
        await self._js.account_info()
        async with self._turn:
            clock = asyncio.get_running_loop().time
            if clock() - self._proved < PROVED_SECONDS:
                return
            try:
                await self._js.publish(self._subject, _CONTENT, stream=f"KV_{HEALTH_BUCKET}", timeout=_WRITE_SECONDS)
            except (NatsError, TimeoutError) as error:
                raise BusCannotWrite(repr(error)) from error
            self._proved = clock()
