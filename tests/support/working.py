"""A transcoder's work with a handler of the test's own: real broker, real server, in this process."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Literal

from nats.aio.client import Client
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError
from pydantic import SecretStr

from shared import events as ev
from shared.bus.connection import connect, make_broker
from shared.bus.joblog import JobLog
from shared.bus.lease import LeaseRuntime
from shared.bus.slots import TurnRules
from shared.bus.topology import DEAD, JOBS, TRANSCODER
from shared.ids import new_job_id
from shared.worker import Bus
from tests.support.bus import tell
from tests.support.samples import ORG, created
from tests.support.servers import NatsServer

Handler = Callable[[ev.PartRequested], Awaitable[None]]


@asynccontextmanager
async def worker(
    server: NatsServer,
    handler: Handler,
    *,
    slots: int = 1,
    side_work: bool = False,
    turns: TurnRules | None = None,
    outage_seconds: float = 3600,
) -> AsyncIterator[LeaseRuntime]:
    """A worker process as shared/worker.py makes one, inside this process."""
    async with worker_bus(
        server.url, handler, slots=slots, side_work=side_work, turns=turns, outage_seconds=outage_seconds
    ) as bus:
        yield bus.leases


@asynccontextmanager
async def worker_bus(
    servers: str,
    handler: Handler,
    *,
    slots: int = 1,
    side_work: bool = False,
    turns: TurnRules | None = None,
    outage_seconds: float = 3600,
) -> AsyncIterator[Bus]:
    """The same with all that the worker has of the bus."""

    async def on_part(event: ev.PartRequested) -> None:
        await handler(event)

    def take(bus: Bus) -> None:
        bus.take(TRANSCODER, slots, on_part, turns=turns)

    async with serving(servers, "transcoder", take, side_work=side_work, outage_seconds=outage_seconds) as bus:
        yield bus


@asynccontextmanager
async def serving(
    servers: str,
    service: Literal["fetcher", "transcoder"],
    take: Callable[[Bus], None],
    *,
    side_work: bool = False,
    outage_seconds: float = 3600,
) -> AsyncIterator[Bus]:
    """A worker of a service that takes what ``take`` lets it take."""
    url = SecretStr(servers)
    client = await connect(url, "test")
    log = JobLog(client)
    leases = LeaseRuntime(client, log, service=service, side_work=side_work, outage_seconds=outage_seconds)
    broker = make_broker(url, "test-work", middlewares=[leases.middleware])
    bus = Bus(client, log, broker, leases)
    take(bus)
    await leases.start()
    await broker.start()
    bus.pulls.begin(broker.connection)
    try:
        yield bus
    finally:
        await leases.drain(0)
        await broker.stop()
        await client.close()


class Attempts:
    """A handler that counts, does what it is told to do, and knows how it ended."""

    def __init__(self, act: Callable[[int], Awaitable[None]]) -> None:
        self._act = act
        self.begun: list[float] = []
        self.done = 0
        self.cancelled: list[float] = []

    async def __call__(self, event: ev.PartRequested) -> None:
        self.begun.append(time.monotonic())
        try:
            await self._act(len(self.begun))
        except asyncio.CancelledError:
            self.cancelled.append(time.monotonic())
            raise
        self.done += 1


async def forever(_attempt: int) -> None:
    """Work that never ends by itself."""
    await asyncio.sleep(3600)


async def request_part(log: JobLog) -> str:
    """A job with one part to transcode."""
    job = new_job_id()
    await tell(log, [created(job), ev.PartRequested(org=ORG, job=job, part="v0000")])
    return job


async def settled(client: Client) -> bool:
    """Nothing is left to deliver, and nothing is out for work."""
    info = await client.jetstream().consumer_info(JOBS, TRANSCODER.name)
    return (info.num_pending, info.num_ack_pending) == (0, 0)


async def deliveries(client: Client) -> int:
    """How often the consumer has handed out a message."""
    info = await client.jetstream().consumer_info(JOBS, TRANSCODER.name)
    return info.delivered.consumer_seq if info.delivered else 0


async def dead(client: Client, org: str = ORG, job: str = "*") -> RawStreamMsg | None:
    """The newest dead letter of a job, or of any."""
    try:
        return await client.jetstream().get_last_msg(DEAD, f"dead.transcoder.{org}.{job}")
    except NotFoundError:
        return None


async def failure(log: JobLog, job: str) -> ev.Failed | None:
    """How the job has failed, if it has."""
    end = await log.end_of(ORG, job)
    return end.event if end and isinstance(end.event, ev.Failed) else None


def begun(attempts: Attempts, count: int = 1) -> Callable[[], Awaitable[bool]]:
    """Condition: so many tries have begun."""

    async def enough() -> bool:
        return len(attempts.begun) >= count

    return enough


def idle(leases: LeaseRuntime) -> Callable[[], Awaitable[bool]]:
    """Condition: nothing is worked on."""

    async def none_runs() -> bool:
        return leases.busy == 0

    return none_runs


def cancelled(attempts: Attempts) -> Callable[[], Awaitable[bool]]:
    """Condition: a try was cancelled."""

    async def enough() -> bool:
        return bool(attempts.cancelled)

    return enough
