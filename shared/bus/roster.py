"""Who works: every worker process writes down what it does, and reads there whether it shall leave.

Both are states in a bucket, not messages: an order that a worker could not read is read the next time, and what a worker
has written lately shows that it lives. An entry that nobody repeats is that of a process that has died.
"""

import asyncio
import os
import re
import secrets
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import KeyNotFoundError
from nats.js.kv import KeyValue
from pydantic import BaseModel, ConfigDict, Field

from shared.bus.errors import bus_calls
from shared.bus.topology import WORKERS_BUCKET

BEAT_SECONDS = 5.0
"""Between two entries of a worker."""

ALIVE_SECONDS = 4 * BEAT_SECONDS
"""How old the newest entry of a living worker may be."""

_WRITE_SECONDS = 2.0
ENTRY, _ORDER = "worker", "drain"


class UnderWay(BaseModel):
    """A piece of work that a worker is at. ``sequence``: of its message. ``delivery``: which delivery of it this is, from 1."""

    model_config = ConfigDict(frozen=True)
    consumer: str
    subject: str
    sequence: int
    since: datetime
    delivery: int = 1


class Worker(BaseModel):
    """A worker process as it was when it last wrote.

    Attributes:
        id: unique, also among those that have died. draining: takes no new work, and ends when its own is done.
        at: when it has written, by its own clock; by that of the bus where it was read from there.
    """

    model_config = ConfigDict(frozen=True)
    id: str
    service: str
    host: str
    pid: int
    started: datetime
    slots: int
    draining: bool = False
    running: tuple[UnderWay, ...] = ()
    at: datetime = Field(default_factory=lambda: datetime.now(UTC))

    def alive(self, now: datetime) -> bool:
        """It has written lately. ``now`` and ``at``: by the same clock."""
        return now - self.at < timedelta(seconds=ALIVE_SECONDS)


class DrainOrder(BaseModel):
    """A worker is to leave. ``stay``: without ending, so that nothing starts another one in its place."""

    model_config = ConfigDict(frozen=True)
    stay: bool = False


class Roster:
    """The entries of workers. All calls raise ``BusUnavailable`` while the bus is out of reach."""

    def __init__(self, client: Client) -> None:
        self._js = client.jetstream(timeout=_WRITE_SECONDS)
        self._opened: KeyValue | None = None

    @bus_calls()
    async def write(self, worker: Worker) -> None:
        """Write a worker's entry."""
        await (await self._bucket()).put(_key(ENTRY, worker), worker.model_dump_json().encode())

    @bus_calls()
    async def leave(self, worker: Worker) -> None:
        """Remove all that is there of a worker."""
        bucket = await self._bucket()
        await bucket.purge(_key(ENTRY, worker))
        await bucket.purge(_key(_ORDER, worker))

    @bus_calls()
    async def order(self, worker: Worker, order: DrainOrder) -> None:
        """Order a worker to drain. It finds the order within :data:`BEAT_SECONDS`, or as soon as it reaches the bus."""
        await (await self._bucket()).put(_key(_ORDER, worker), order.model_dump_json().encode())

    @bus_calls()
    async def order_for(self, worker: Worker) -> DrainOrder | None:
        """The order that a worker has been given."""
        try:
            entry = await (await self._bucket()).get(_key(_ORDER, worker))
        except KeyNotFoundError:
            return None
        return DrainOrder.model_validate_json(entry.value or b"")

    async def _bucket(self) -> KeyValue:
        if self._opened is None:
            self._opened = await self._js.key_value(WORKERS_BUCKET)
        return self._opened


class Begun:
    """The work that a process is at.

    Attributes:
        worker: tells the process apart from others of its service, now and later.
    """

    def __init__(self) -> None:
        self.worker = secrets.token_hex(4)
        self._works: dict[int, UnderWay] = {}
        self._numbers = count()

    def __call__(self) -> Sequence[UnderWay]:
        """All of it, oldest first."""
        return tuple(self._works.values())

    @contextmanager
    def working_on(self, message: Msg) -> Iterator[UnderWay]:
        """A block in which the work of a message is done."""
        number, metadata = next(self._numbers), message.metadata
        self._works[number] = work = UnderWay(
            consumer=metadata.consumer,
            subject=message.subject,
            sequence=metadata.sequence.stream,
            since=datetime.now(UTC),
            delivery=metadata.num_delivered,
        )
        try:
            yield work
        finally:
            del self._works[number]


class Presence:
    """A worker's own entry, for as long as its process lives.

    Args:
        begun: what it is at.
        on_order: called once, when it is ordered to drain.
    """

    def __init__(
        self,
        client: Client,
        service: str,
        slots: int,
        *,
        begun: Begun,
        on_order: Callable[[DrainOrder], None],
    ) -> None:
        self._nc = client
        self._roster = Roster(client)
        self._begun = begun
        self._on_order = on_order
        self._ordered = False
        self._beat = asyncio.Event()
        host, pid = socket.gethostname(), os.getpid()
        # What a key may consist of.
        name = re.sub(r"[^A-Za-z0-9_-]", "-", host)[:60]
        self._worker = Worker(
            id=f"{name}-{pid}-{begun.worker}",
            service=service,
            host=host,
            pid=pid,
            started=datetime.now(UTC),
            slots=slots,
        )

    @property
    def id(self) -> str:
        """By which the worker is addressed."""
        return self._worker.id

    def drains(self) -> None:
        """It takes no new work from now on: let everybody see that at once."""
        self._worker = self._worker.model_copy(update={"draining": True})
        self._beat.set()

    async def run(self) -> None:
        """Write and read until cancelled, whatever happens to the bus."""
        while True:
            with suppress(NatsError, TimeoutError, ValueError):
                await self._turn()
            self._beat.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_SECONDS):
                    await self._beat.wait()

    async def end(self) -> None:
        """The process ends."""
        # What is written without a connection is kept for the next one, and is in the way of closing this one.
        if not self._nc.is_connected:
            return
        with suppress(NatsError, TimeoutError):
            await self._roster.leave(self._worker)

    async def _turn(self) -> None:
        if not self._nc.is_connected:
            return
        entry = self._worker.model_copy(update={"running": tuple(self._begun()), "at": datetime.now(UTC)})
        await self._roster.write(entry)
        if not self._ordered and (order := await self._roster.order_for(entry)):
            self._ordered = True
            await structlog.get_logger().ainfo("told to drain", stay=order.stay)
            self._on_order(order)


def _key(kind: str, worker: Worker) -> str:
    return f"{kind}.{worker.service}.{worker.id}"
