"""Who waits at a consumer: whose messages have never been delivered, without taking any of them."""

from dataclasses import dataclass

from nats.aio.client import Client

from shared.bus.direct import direct_get
from shared.bus.topology import Durable
from shared.bus.work import Work

DEPTH = 256
"""Messages that are looked at, from the front of the queue."""

_SECONDS = 2.0


@dataclass(frozen=True)
class Waiting:
    """What waits at a consumer.

    Attributes:
        works: what the messages stand for that have never been delivered, in their order, as far as :data:`DEPTH` reaches.
        idle: workers that ask for a message and have not got one yet.
        redelivered: messages that were delivered more than once and are not settled: worked on, or to come again.
    """

    works: tuple[Work, ...]
    idle: int
    redelivered: int


class Queue:
    """The queue before a consumer, which must have one filter."""

    def __init__(self, client: Client, durable: Durable) -> None:
        self._nc = client
        self._js = client.jetstream(timeout=_SECONDS)
        self._durable = durable
        (self._filter,) = durable.filters

    async def look(self) -> Waiting:
        """What waits now.

        Raises:
            nats.errors.Error, TimeoutError: the bus is out of reach.
        """
        info = await self._js.consumer_info(self._durable.stream, self._durable.name)
        works: tuple[Work, ...] = ()
        if info.num_pending:
            start = (info.delivered.stream_seq if info.delivered else 0) + 1
            request = {"seq": start, "next_by_subj": self._filter, "batch": DEPTH}
            messages, _ = await direct_get(self._nc, self._durable.stream, request, seconds=_SECONDS)
            works = tuple(_work(message.headers or {}, message.data) for message in messages)
        return Waiting(works, info.num_waiting or 0, info.num_redelivered or 0)

    async def call_back(self, reply: str) -> None:
        """Have a message that was handed back for some time come again at once.

        Args:
            reply: of its delivery.

        Raises:
            nats.errors.Error, TimeoutError: the bus is out of reach.
        """
        # Confirmed, so that whoever asks for a message from now on gets this one.
        await self._nc.request(reply, b"-NAK", timeout=_SECONDS)


def _work(headers: dict[str, str], data: bytes) -> Work:
    return Work.of(headers["Nats-Subject"], int(headers["Nats-Sequence"]), data)
