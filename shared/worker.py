"""The life of a worker process: connect, wait for the bus, work, and stop with grace."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import structlog
from faststream.nats import JStream, NatsBroker, PullSub
from nats.aio.client import Client

from shared.bus.connection import connect, make_broker
from shared.bus.joblog import JobLog
from shared.bus.topology import wait_until_provisioned
from shared.bus.vault import Vault
from shared.bus.work import Desk
from shared.health import Check, Health
from shared.lifeline import Lifeline
from shared.logs import configure_logs
from shared.sealing import Sealer
from shared.settings import WorkerSettings, decode_keys

# A pull waits this long at the server before it asks again; a message that comes is delivered at once.
PULL = PullSub(batch_size=1, timeout=5.0)


def stream(name: str) -> JStream:
    """A provisioned stream to bind to, never to declare."""
    return JStream(name, declare=False)


@dataclass(frozen=True)
class Bus:
    """What a worker's handlers and use cases get of the bus."""

    client: Client
    log: JobLog
    vault: Vault
    broker: NatsBroker
    desk: Desk


Register = Callable[[Bus], Awaitable[dict[str, Check]]]
"""Subscribes a service's handlers on the broker; returns further checks of readiness by name."""


async def run_worker(settings: WorkerSettings, register: Register, *, side_work: bool = False) -> None:
    """Run until SIGTERM or SIGINT."""
    configure_logs(settings.service, settings.log_level)
    log = structlog.get_logger()
    lifeline = Lifeline()
    lifeline.listen()
    async with AsyncExitStack() as stack:
        checks: dict[str, Check] = {"start": _not_yet}
        health = Health(checks)
        await health.start(settings.health_host, settings.health_port)
        stack.push_async_callback(health.stop)
        starting = asyncio.create_task(_start(settings, register, stack, lifeline, side_work=side_work))
        started = await lifeline.unless_over(starting)
        if started is None:
            return
        bus, more_checks = started
        del checks["start"]
        checks |= {"nats": _nats_check(bus.client)} | more_checks
        await log.ainfo("ready", slots=settings.slots)
        await lifeline.until_over()
        await log.ainfo("stopping", running=bus.desk.busy)
        health.stopping = True
        await bus.desk.drain(settings.grace_seconds)
        await bus.broker.stop()
    await log.ainfo("stopped")
    if lifeline.exit_status():
        raise SystemExit(lifeline.exit_status())


async def _start(
    settings: WorkerSettings,
    register: Register,
    stack: AsyncExitStack,
    lifeline: Lifeline,
    *,
    side_work: bool,
) -> tuple[Bus, dict[str, Check]]:
    client = await connect(settings.nats_url, settings.service, closed_cb=lifeline.cut)
    stack.push_async_callback(client.close)
    await wait_until_provisioned(client.jetstream())
    job_log = JobLog(client)
    desk = Desk(client, job_log, service=settings.service, lease_seconds=settings.lease_seconds, side_work=side_work)
    broker = make_broker(
        settings.nats_url, f"{settings.service}-work", middlewares=[desk.middleware], closed_cb=lifeline.cut
    )
    bus = Bus(client, job_log, Vault(client, Sealer(decode_keys(settings.seal_keys))), broker, desk)
    checks = await register(bus)
    await desk.start()
    await broker.start()
    return bus, checks


async def _not_yet() -> None:
    raise ConnectionError("still starting")


def _nats_check(client: Client) -> Check:
    async def check() -> None:
        await client.jetstream().account_info()

    return check
