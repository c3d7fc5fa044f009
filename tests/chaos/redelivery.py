"""Messages that the server delivers again: all of a consumer from the first one on, or each to a second worker beside the first."""

import asyncio
from contextlib import suppress

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import ConsumerConfig
from nats.js.errors import NotFoundError

from shared.bus.topology import DURABLES, Durable

_HEARTBEAT = b"+WPI"
_PAUSE_SECONDS = 0.2
_ACK_PARTS = 9


class Redelivery:
    """Has messages delivered again, as their consumers at the server know it.

    Args:
        client: of somebody who may do everything.
    """

    def __init__(self, client: Client) -> None:
        self._nc = client
        self._js = client.jetstream(timeout=2)
        self._durables = {durable.name: durable for durable in DURABLES}
        self._given: set[tuple[str, str]] = set()

    async def again(self, consumer: str) -> bool:
        """Make a consumer anew, as somebody does who restores a stream: each message comes again, of jobs that have ended too."""
        durable, config = self._durables[consumer], None
        while True:
            # Also with a bus that is away meanwhile: a consumer that is gone for good would be no fault but a murder.
            with suppress(NatsError, TimeoutError):
                config = config or (await self._js.consumer_info(durable.stream, durable.name)).config
                await self._make_anew(durable, config)
                return True
            await asyncio.sleep(_PAUSE_SECONDS)

    async def twice(self, consumer: str, seconds: float) -> bool:
        """For some seconds, give each message to a second worker as soon as the first one is heard to work on it."""
        durable, before = self._durables[consumer], len(self._given)
        subscription = await self._nc.subscribe(f"$JS.ACK.{durable.stream}.{durable.name}.>", cb=self._give)
        try:
            await asyncio.sleep(seconds)
        finally:
            await subscription.unsubscribe()
        return len(self._given) > before

    async def _make_anew(self, durable: Durable, config: ConsumerConfig) -> None:
        with suppress(NotFoundError):
            await self._js.delete_consumer(durable.stream, durable.name)
        await self._js.add_consumer(durable.stream, config)

    async def _give(self, message: Msg) -> None:
        parts = message.subject.split(".")
        sequence = (parts[3], parts[5])
        # Each of them once: three workers of whom nothing is heard are taken for killed by their work.
        if len(parts) == _ACK_PARTS and message.data == _HEARTBEAT and sequence not in self._given:
            self._given.add(sequence)
            await self._nc.publish(message.subject, b"-NAK")
