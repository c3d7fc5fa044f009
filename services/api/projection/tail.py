"""Reading a stream from any place on, in batches, without a trace on the server.

The reader keeps its place itself, so the consumer is ephemeral and acknowledges nothing. A message that is delivered
and lost on the way is therefore gone for this consumer: every such gap is noticed, and the reader opens anew where it was.
"""

import asyncio
import json

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js import api

BATCH = 500
_HEARTBEAT_SECONDS = 2.0
_SILENCE_SECONDS = 2.5 * _HEARTBEAT_SECONDS
_PULL_SECONDS = 30.0
# While a batch is worked on the next ones are on their way already.
_IN_FLIGHT = 3 * BATCH


class TailBroken(Exception):
    """Messages may have been missed; open anew after the last one that was handled."""


class Tail:
    """The messages of one stream. Not to be shared between tasks.

    Attributes:
        pending: how many messages the stream had beyond the last one handed out, when that one was delivered.
    """

    def __init__(self, client: Client, stream: str) -> None:
        self._nc = client
        self._js = client.jetstream()
        self._stream = stream
        self._consumer = ""
        self._inbox = ""
        self._subscription: Subscription | None = None
        self._arrived: asyncio.Queue[Msg] = asyncio.Queue()
        self._wanted = 0
        self._expected = 1
        self._reconnects = 0
        self._last_sign = 0.0
        self.pending = 0

    async def open(self, after: int) -> None:
        """Begin with the first message whose sequence is greater than ``after``.

        Raises:
            nats.errors.Error, TimeoutError: the bus is out of reach, or has no such stream.
        """
        await self.close()
        self._reconnects = self._nc.stats["reconnects"]
        self._arrived = asyncio.Queue()
        self._wanted, self._expected, self._last_sign = 0, 1, asyncio.get_running_loop().time()
        self._inbox = self._nc.new_inbox()
        self._subscription = await self._nc.subscribe(self._inbox, cb=self._arrive)
        config = api.ConsumerConfig(
            deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=after + 1,
            ack_policy=api.AckPolicy.NONE,
            inactive_threshold=60.0,
            mem_storage=True,
            num_replicas=1,
        )
        info = await self._js.add_consumer(self._stream, config)
        self._consumer, self.pending = info.name, int(info.num_pending or 0)

    async def next_batch(self, wait: float) -> list[Msg]:
        """What has arrived, up to ``BATCH`` messages in order; waits for the first, and returns none if none comes.

        Raises:
            TailBroken: messages may have been missed.
            nats.errors.Error, TimeoutError: the bus is out of reach.
        """
        messages: list[Msg] = []
        clock = asyncio.get_running_loop().time
        deadline = clock() + wait
        while not messages:
            if self._nc.stats["reconnects"] != self._reconnects:
                raise TailBroken("reconnected")
            await self._pull()
            try:
                async with asyncio.timeout_at(deadline):
                    arrived = await self._arrived.get()
            except TimeoutError:
                if clock() - self._last_sign > _SILENCE_SECONDS:
                    raise TailBroken("no sign of life from the consumer") from None
                return []
            self._sort_in(arrived, messages)
            while len(messages) < BATCH and not self._arrived.empty():
                self._sort_in(self._arrived.get_nowait(), messages)
        return messages

    async def close(self) -> None:
        """Leave. The server forgets the consumer soon, if it cannot be told now."""
        subscription, self._subscription = self._subscription, None
        consumer, self._consumer = self._consumer, ""
        try:
            if subscription:
                await subscription.unsubscribe()
            if consumer and self._nc.is_connected:
                await self._nc.publish(f"$JS.API.CONSUMER.DELETE.{self._stream}.{consumer}")
        except NatsError:
            return

    async def _arrive(self, message: Msg) -> None:
        self._last_sign = asyncio.get_running_loop().time()
        self._arrived.put_nowait(message)

    async def _pull(self) -> None:
        if self._wanted > _IN_FLIGHT // 2:
            return
        request = {
            "batch": _IN_FLIGHT,
            "expires": int(_PULL_SECONDS * 1e9),
            "idle_heartbeat": int(_HEARTBEAT_SECONDS * 1e9),
        }
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._consumer}"
        await self._nc.publish(subject, json.dumps(request).encode(), reply=self._inbox)
        self._wanted += _IN_FLIGHT

    def _sort_in(self, message: Msg, messages: list[Msg]) -> None:
        if message.subject == self._inbox:
            self._heed(message)
            return
        place = message.metadata
        if place.sequence.consumer != self._expected:
            raise TailBroken(f"message {self._expected} of the consumer was lost on the way")
        self._expected += 1
        self._wanted -= 1
        self.pending = place.num_pending
        messages.append(message)

    def _heed(self, message: Msg) -> None:
        headers = message.headers or {}
        match headers.get("Status"):
            case "100":
                return
            case "408" | "404":
                # A pull request has expired; what it had left over is not coming.
                self._wanted -= int(headers.get("Nats-Pending-Messages", _IN_FLIGHT))
            case status:
                raise TailBroken(f"{status} {headers.get('Description', '')}")
