"""Whether a process really asks the bus for work: that a pull of every free slot lies at the server.

A slot is a loop that asks, works, and asks again. It may end, or ask over a connection that is none any more, and nothing of
the process shows it: it is alive, it reaches the bus, and does nothing. The proof is the server's own: while a pull lies there,
the server says so every few seconds, by the pull's heartbeat.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.errors import FetchTimeoutError

from shared.bus.guard import OnEnd
from shared.health import Check

PULL_SECONDS = 5.0
"""How long a pull lies at the server; a message that comes is delivered at once."""

UNPROVED_SECONDS = 3 * PULL_SECONDS
"""How long a slot may be without a proof: a pull that was lost with a server, and the one after it."""

UNHEALED_SECONDS = 30
"""How long that may go on, with a bus that answers and writes, before the process ends."""

# The server wants two of these at least in the time of a pull.
_HEARTBEAT_SECONDS = 2.0
# Pause after a pull that was refused at once: there is no leader yet, or the consumer is being made.
_REFUSED_SECONDS = 0.5


class SlotsIdle(RuntimeError):
    """Slots have neither work nor a pull at the server."""


class Pulling(Protocol):
    """What is needed of a FastStream subscriber that pulls."""

    subscription: JetStreamContext.PullSubscription | None
    tasks: list["asyncio.Task[Any]"]


class Connection(Protocol):
    """What is needed of a client of the bus."""

    @property
    def is_connected(self) -> bool:
        """Whether there is a server now."""


class Pulls:
    """The slots of one process. Without any there is nothing to prove.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or asyncio.get_running_loop().time
        self._subscribers: list[tuple[str, Pulling]] = []
        self._slots: list[_Slot] = []

    def add(self, consumer: str, subscriber: Pulling) -> None:
        """A slot of a consumer. To be called before the subscriber starts."""
        self._subscribers.append((consumer, subscriber))

    def begin(self, client: Connection) -> None:
        """All subscribers have started: watch them from now on.

        Args:
            client: the connection that they pull over.
        """
        self._slots = [_Slot(consumer, subscriber, client, self._clock) for consumer, subscriber in self._subscribers]

    async def check(self) -> None:
        """The check for the health port.

        Raises:
            SlotsIdle: some slots take no work.
        """
        idle = sorted({slot.consumer for slot in self._slots if not slot.takes_work()})
        if idle:
            raise SlotsIdle(", ".join(idle))

    async def guard(self, bus_works: Check, on_end: OnEnd) -> None:
        """Watch until cancelled, and end the process where idle slots cannot be the fault of the bus.

        Args:
            bus_works: raises while the bus does not answer or write.
        """
        unhealed = 0
        while True:
            # In ticks, since a process that was stopped for a minute has not waited for one.
            await _pause(1)
            try:
                await self.check()
                unhealed = 0
            except SlotsIdle as idle:
                unhealed = unhealed + 1 if await _passes(bus_works) else 0
                if unhealed == 1:
                    await structlog.get_logger().awarning("slots take no work", consumers=str(idle))
                if unhealed > UNHEALED_SECONDS:
                    await on_end(f"slots take no work: {idle}")
                    return


class _Slot:
    """One of them, with its pulls looked at as they are made."""

    def __init__(self, consumer: str, subscriber: Pulling, client: Connection, clock: Callable[[], float]) -> None:
        if subscriber.subscription is None:
            raise RuntimeError("the subscriber has not started")
        self.consumer = consumer
        self._tasks = subscriber.tasks
        self._client = client
        self._clock = clock
        self._pull = subscriber.subscription.fetch
        # Its first pull is under way, and may have brought work already.
        self._working = True
        self._proved = clock()
        subscriber.subscription.fetch = self._fetch  # type: ignore[method-assign]

    def takes_work(self) -> bool:
        """Whether the slot works, or has asked for work."""
        if all(task.done() for task in self._tasks):
            return False
        return self._working or self._clock() - self._proved < UNPROVED_SECONDS

    async def _fetch(
        self, batch: int = 1, timeout: float | None = PULL_SECONDS, heartbeat: float | None = None
    ) -> list[Msg]:
        """As the client's. Refusals are time-outs after a pause, since who pulls in a loop would ask again at once.

        Raises:
            nats.errors.TimeoutError: there was nothing, or no answer.
        """
        if self._working:
            # The pull after a long piece of work has not had the time to be proved.
            self._working, self._proved = False, self._clock()
        if not self._client.is_connected:
            # The client would keep it, and send the pulls of a whole outage at once: the slot would be given as many
            # messages, and keep them from others until their leases are over.
            await _pause(_REFUSED_SECONDS)
            raise NatsTimeoutError
        try:
            messages = await self._pull(batch, timeout, heartbeat or _HEARTBEAT_SECONDS)
        except FetchTimeoutError:
            # Heartbeats have come, and no message.
            self._proved = self._clock()
            raise
        except NatsTimeoutError:
            raise
        except NatsError as refusal:
            await _pause(_REFUSED_SECONDS)
            raise NatsTimeoutError from refusal
        self._working, self._proved = True, self._clock()
        return messages


async def _pause(seconds: float) -> None:
    await asyncio.sleep(seconds)


async def _passes(check: Callable[[], Awaitable[None]]) -> bool:
    try:
        await check()
    except Exception:
        # Whatever it is, the bus may be at fault.
        return False
    return True
