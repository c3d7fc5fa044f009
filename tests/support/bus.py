"""A provisioned bus for tests, and waiting for what it brings."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from nats.aio.client import Client
from nats.js.errors import NotFoundError

from shared.bus.joblog import JobLog
from shared.bus.topology import DEAD, DELIVERIES, JOBS, PROGRESS, WEBHOOKS, provision
from shared.events import Event, Recorded
from tests.support.servers import NatsServer

T = TypeVar("T")


@asynccontextmanager
async def provisioned(server: NatsServer, *, lease_seconds: float = 30) -> AsyncIterator[Client]:
    """A connection to a bus on which everything stands ready, and nothing has been said yet."""
    client = await server.connect()
    try:
        js = client.jetstream()
        for stream in (JOBS, DELIVERIES, WEBHOOKS, DEAD, PROGRESS):
            try:
                await js.delete_stream(stream)
            except NotFoundError:
                continue
        await provision(js, lease_seconds=lease_seconds)
        yield client
    finally:
        # Some tests leave no server behind to say goodbye to.
        with suppress(ConnectionError):
            await client.close()


async def tell(log: JobLog, events: Iterable[Event]) -> list[Recorded]:
    """Append events one after the other."""
    return [(await log.append(event)).recorded for event in events]


async def until(condition: Callable[[], Awaitable[T | None]], *, seconds: float = 10, what: str = "") -> T:
    """Ask until the answer is true, and return it.

    Raises:
        AssertionError: it is not within the time.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = await condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, (
            f"not within {seconds} s: {what or getattr(condition, '__qualname__', condition)} (last: {answer!r})"
        )
        await asyncio.sleep(0.02)
