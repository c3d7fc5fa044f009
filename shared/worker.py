"""The life of a worker process: connect, wait for the bus, work, and stop with grace."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Annotated

import anyio._backends._asyncio  # noqa: F401 - or the first pull imports it while the event loop waits
import structlog
from faststream import AckPolicy, Context
from faststream.nats import JStream, NatsBroker, PullSub
from nats.aio.client import Client
from nats.errors import Error as NatsError

from shared.bus.connection import connect, connect_broker, make_broker
from shared.bus.joblog import JobLog
from shared.bus.lease import LeaseRuntime
from shared.bus.metrics import handler_metrics
from shared.bus.patience import until_done
from shared.bus.permissions import ACCESS
from shared.bus.pulls import PULL_SECONDS, Pulls
from shared.bus.roster import Presence
from shared.bus.slots import TurnRules
from shared.bus.topology import Durable, wait_until_provisioned
from shared.bus.write_check import WriteCheck
from shared.garbage import settle, spare_what_is_loaded
from shared.health import Check, Health, still_starting
from shared.lifeline import Lifeline
from shared.logs import configure_logs
from shared.metrics import SERVICE, watch_event_loop
from shared.settings import WorkerSettings
from shared.tasks import end_tasks
from shared.tracing.recorder import traces

StreamSequence = Annotated[int, Context("message.raw_message.metadata.sequence.stream")]
"""What a handler annotates a parameter with that shall be the place of the message in its stream."""

_PULL = PullSub(batch_size=1, timeout=PULL_SECONDS)


@dataclass(frozen=True)
class Bus:
    """What a worker's handlers and use cases get of the bus."""

    client: Client
    log: JobLog
    broker: NatsBroker
    leases: LeaseRuntime
    pulls: Pulls = field(default_factory=Pulls)
    lifeline: Lifeline = field(default_factory=Lifeline)
    facts: dict[str, object] = field(default_factory=dict)
    """What the health page should tell beside the checks."""

    def take(
        self, durable: Durable, slots: int, handler: Callable[..., Awaitable[None]], *, turns: TurnRules | None = None
    ) -> None:
        """Have a handler called with each message of a consumer, under a lease. To be called before the broker starts.

        Args:
            slots: how many messages are worked on at the same time.
            handler: its annotations say what the message is decoded to, and whether it wants a :data:`StreamSequence`.
            turns: rules by which organizations take turns; None where they take none.
        """
        self.leases.serve(durable, slots, turns)
        inboxes = self.client.new_inbox().rpartition(".")[0] + "."
        for _ in range(slots):
            # One registration for each slot, since each pulls one message and works on it before it pulls again.
            subscriber = self.broker.subscriber(
                # The consumer on the server has the filters; it is there already, so this one is only a name in traces.
                durable.filters[0],
                durable=durable.name,
                stream=JStream(durable.stream, declare=False),
                pull_sub=_PULL,
                # Its default is not that of the broker.
                inbox_prefix=inboxes.encode(),
                ack_policy=AckPolicy.MANUAL,
            )
            subscriber(handler)
            self.pulls.add(durable.name, subscriber)


Register = Callable[[Bus], Awaitable[dict[str, Check]]]
"""Has a service's handlers take work from the bus; returns further checks of readiness by name."""


async def run_worker(settings: WorkerSettings, register: Register, *, side_work: bool = False) -> None:
    """Run until SIGTERM or SIGINT. From here on the process makes files that only its own user can read."""
    # Films are nobody else's business. The workers that share a work space are one user's.
    os.umask(0o077)
    spare_what_is_loaded()
    configure_logs(settings.service, settings.log_level)
    log = structlog.get_logger()
    lifeline = Lifeline()
    lifeline.listen()
    async with traces(settings), AsyncExitStack() as stack:
        SERVICE.labels(settings.service).set(1)
        checks: dict[str, Check] = {"start": still_starting}
        facts: dict[str, object] = {}
        health = Health(checks, facts)
        await health.start(settings.health_host, settings.health_port)
        stack.push_async_callback(health.stop)
        starting = asyncio.create_task(_start(settings, register, stack, lifeline, facts, side_work=side_work))
        started = await lifeline.unless_over(starting)
        if started is None:
            return
        bus, more_checks = started
        await asyncio.to_thread(settle)
        del checks["start"]
        bus_works = WriteCheck(bus.client, settings.service)
        checks["nats"], checks["pulls"] = bus_works, bus.pulls.check
        checks |= more_checks
        presence = Presence(
            bus.client,
            settings.service,
            settings.slots,
            begun=bus.leases.begun,
            on_order=lambda order: lifeline.drain(stay=order.stay),
        )
        guarding = lifeline.keep(bus.pulls.guard(bus_works, lifeline.cut), "pulls")
        present = lifeline.keep(presence.run(), "presence")
        for task in (guarding, present, lifeline.keep(watch_event_loop(), "event loop")):
            stack.callback(task.cancel)
        await log.ainfo("ready", slots=settings.slots, worker=presence.id)
        await lifeline.until_over()
        guarding.cancel()
        health.stopping = True
        if lifeline.drains:
            await _finish(bus, lifeline, presence)
        await log.ainfo("stopping", running=bus.leases.busy)
        await bus.leases.drain(settings.grace_seconds)
        # Without a connection there is nobody to say goodbye to.
        with suppress(NatsError):
            await bus.broker.stop()
        await end_tasks(present)
        await presence.end()
    await log.ainfo("stopped")
    if lifeline.exit_status():
        raise SystemExit(lifeline.exit_status())


async def _finish(bus: Bus, lifeline: Lifeline, presence: Presence) -> None:
    """Finish what runs, without a limit of time, unless the process is told to stop meanwhile."""
    log = structlog.get_logger()
    await log.ainfo("draining", running=bus.leases.busy)
    presence.drains()
    stopped = asyncio.create_task(lifeline.until_stopped())
    finishing = asyncio.create_task(bus.leases.finish())
    await asyncio.wait({stopped, finishing}, return_when=asyncio.FIRST_COMPLETED)
    if finishing.done() and lifeline.stays:
        await log.ainfo("drained")
        await stopped
    await end_tasks(stopped, finishing)


async def _close(client: Client) -> None:
    # One that is lost already says so, and has nothing to send any more.
    with suppress(NatsError, ConnectionError):
        await client.close()


async def _start(
    settings: WorkerSettings,
    register: Register,
    stack: AsyncExitStack,
    lifeline: Lifeline,
    facts: dict[str, object],
    *,
    side_work: bool,
) -> tuple[Bus, dict[str, Check]]:
    client = await connect(settings.nats_url, settings.service, tls=settings.nats_tls, on_end=lifeline.cut)
    stack.push_async_callback(_close, client)
    access = ACCESS[settings.service]
    await wait_until_provisioned(client.jetstream(), access.durables, access.buckets)
    job_log = JobLog(client)
    leases = LeaseRuntime(
        client, job_log, service=settings.service, side_work=side_work, outage_seconds=settings.outage_seconds
    )
    broker = make_broker(
        settings.nats_url,
        f"{settings.service}-work",
        tls=settings.nats_tls,
        middlewares=[leases.middleware, handler_metrics(settings.service)],
        on_end=lifeline.cut,
    )
    bus = Bus(
        client,
        job_log,
        broker,
        leases,
        Pulls(),
        lifeline,
        facts,
    )
    checks = await register(bus)
    await leases.start()
    for task in leases.following:
        lifeline.watch(task)
    await connect_broker(broker)
    # What of it has started already is left as it is.
    await until_done(broker.start, "consumers")
    bus.pulls.begin(broker.connection)
    return bus, checks
