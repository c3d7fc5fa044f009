"""A run from start to verdict."""

import asyncio
import operator
import random
import re
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import nats
from nats.aio.client import Client as NatsClient

from shared.bus.joblog import JobLog
from shared.bus.topology import JOBS
from shared.events import Completed, now
from stack.client import Client
from tests.chaos import inspection
from tests.chaos.customers import Customer, Posted
from tests.chaos.field import Field, Second, Trouble
from tests.chaos.judging import Fate, Told, judge
from tests.chaos.orders import Order, orders
from tests.chaos.redelivery import Redelivery
from tests.chaos.report import Blow, Report
from tests.chaos.schedule import SECOND, Strike, schedule
from tests.support.clock import Clock
from tests.support.faults import FaultyProxy
from tests.support.jobs import another_organization
from tests.support.receiver import WebhookReceiver
from tests.support.sources import source_server
from tests.support.stack import RunningStack, running_stack

SETTINGS = {
    # Attempts at a webhook go on for longer than any receiver is down.
    "MILLRACE_NOTIFIER_RETRY_SECONDS": "0,1,2" + 60 * ",4",
    "MILLRACE_NOTIFIER_TIMEOUT_SECONDS": "3",
    # An encoder that was stopped, and a source that is silent, are given up before anybody loses patience.
    "MILLRACE_TRANSCODER_STALL_SECONDS": "20",
    "MILLRACE_FETCHER_STALL_SECONDS": "4",
    # Several ranges also of a small file.
    "MILLRACE_FETCHER_CHUNK_BYTES": "65536",
    "MILLRACE_FETCHER_GRACE_SECONDS": "3",
    "MILLRACE_TRANSCODER_GRACE_SECONDS": "3",
    "MILLRACE_UPLOADER_GRACE_SECONDS": "3",
    "MILLRACE_NOTIFIER_GRACE_SECONDS": "3",
}
_SHARE = 0.1
# Longer than it takes until credentials whose job never came to be are looked for.
_CLEAN_SECONDS = 120.0
_NUMBER = re.compile(r"/(?:chaos/)?(\d{4})[/.]")


@dataclass(frozen=True)
class Plan:
    """What a run is to do; the same plan has the same jobs and the same faults at the same times.

    Attributes:
        seconds: for which jobs are posted and faults hit; then all that is left has to come to its end.
        pace: seconds from one fault to the next, on average.
        second: whether there are two of every service.
        patience: seconds after which a run in which nothing moves is over, although nothing is in the way.
    """

    seed: int
    jobs: int
    seconds: float
    pace: float = 2.5
    second: bool = True
    patience: float = 240


@dataclass
class _Run:
    plan: Plan
    stack: RunningStack
    strikes: Field
    proxies: dict[str, FaultyProxy]
    receiver: WebhookReceiver
    customers: Sequence[Customer]
    say: Callable[[str], None]
    posted: list[Posted] = field(default_factory=list)
    blows: list[Blow] = field(default_factory=list)


async def run(plan: Plan, folder: Path, say: Callable[[str], None] = print) -> Report:
    """Carry a plan out on a stack of its own.

    Args:
        folder: for the stack's state.

    Raises:
        AssertionError, TimeoutError: a job could not be posted or cancelled, or a program of the stack did not get ready again.
    """
    dice = random.Random(plan.seed)
    troubles = {name: Trouble(dice, _SHARE) for name in ("source", "storage", "receiver")}
    async with AsyncExitStack() as exits:
        clock = Clock(Path(exits.enter_context(TemporaryDirectory(prefix="millrace-chaos-clock-"))))
        if not clock.settable:
            say("there is no C compiler (cc), so nobody's clock is set")
        settings = SETTINGS | clock.environment
        stack = running_stack(folder, transcoders=2, env=settings)
        await exits.enter_async_context(stack)
        receiver = await exits.enter_async_context(WebhookReceiver(troubles["receiver"].reply))
        source = await exits.enter_async_context(source_server())
        proxies = {
            "source": await exits.enter_async_context(FaultyProxy(source.url(""), troubles["source"])),
            "storage": await exits.enter_async_context(FaultyProxy(stack.env["S3_ENDPOINT"], troubles["storage"])),
        }
        second = {name: Second(name, stack.layout, settings) for name in SECOND if plan.second}
        await asyncio.gather(*(exits.enter_async_context(server) for server in second.values()))
        customers = []
        for env in (stack.env, await another_organization(stack, "second")):
            async with Client(env) as api:
                await api.add_webhook(f"{receiver.url}/{env['ORG_ID']}")
            endpoints = {f"{name}_endpoint": proxy.endpoint for name, proxy in proxies.items()}
            customers.append(Customer(env, source, **endpoints, patience=plan.patience))
        client = await nats.connect(stack.env["NATS_URL"], max_reconnect_attempts=-1, error_cb=_expected)
        exits.push_async_callback(client.close)
        strikes = Field(stack, second, troubles, Redelivery(client), clock)
        around = _Run(plan, stack, strikes, proxies, receiver, customers, say)
        await _post_and_strike(around)
        for trouble in troubles.values():
            trouble.end()
        # Whatever has hit them, all have to come back.
        await asyncio.to_thread(stack.wait_ready, seconds=plan.patience)
        await _until_all_ended(around, client)
        report = await _account(around, client)
    report.findings += inspection.orphans(stack)
    return report


async def _expected(_error: Exception) -> None:
    """The bus is killed on purpose."""


async def _post_and_strike(around: _Run) -> None:
    plan = around.plan
    begun = asyncio.get_running_loop().time()

    async def later(seconds: float) -> None:
        await asyncio.sleep(max(0, begun + seconds - asyncio.get_running_loop().time()))

    async def strike(one: Strike) -> None:
        await later(one.at)
        begin = now()
        if await around.strikes.hit(one):
            around.blows.append(Blow(one.name, begin, now()))

    async def send(order: Order, http: aiohttp.ClientSession) -> None:
        await later(order.at)
        customer = around.customers[order.organization]
        posted = await customer.post(http, order)
        around.posted.append(posted)
        if order.source == "replaced":
            await customer.replace_source(order, begun + plan.seconds - asyncio.get_running_loop().time())
        if order.cancel_after is not None:
            await asyncio.sleep(order.cancel_after)
            posted.cancelled = await customer.cancel(http, posted.job)

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as http, asyncio.TaskGroup() as tasks:
        for one in schedule(plan.seed, plan.seconds, plan.pace):
            tasks.create_task(strike(one))
        for order in orders(plan.seed, plan.jobs, plan.seconds):
            tasks.create_task(send(order, http))
    around.say(f"{len(around.posted)} jobs posted, {len(around.blows)} faults; from here on nothing is in the way")


async def _until_all_ended(around: _Run, client: NatsClient) -> None:
    """Wait as long as anything moves."""
    js, loop = client.jetstream(timeout=20), asyncio.get_running_loop()
    last, moved, said = (-1, -1), loop.time(), -1
    while True:
        info = await js.stream_info(JOBS, subjects_filter="jobs.*.*.end.*")
        ended = len(info.state.subjects or {})
        if ended >= len(around.posted) and not await inspection.unsettled(client):
            return
        if (at := (info.state.last_seq, len(around.receiver.payloads))) != last:
            last, moved = at, loop.time()
        if ended != said:
            said = ended
            around.say(f"{ended} of {len(around.posted)} jobs have ended")
        if loop.time() - moved > around.plan.patience:
            around.say(f"nothing has moved for {around.plan.patience:.0f} s")
            return
        await asyncio.sleep(0.5)


async def _account(around: _Run, client: NatsClient) -> Report:
    report = Report(blows=around.blows + _shares(around))
    report.fates = await inspection.last_of(
        lambda: _fates(around, client), lambda fates: not _faults(fates), _CLEAN_SECONDS
    )
    report.verdicts = {fate.order.number: judge(fate) for fate in report.fates}
    turns = asyncio.Semaphore(2)
    async with aiohttp.ClientSession() as http:

        async def look(fate: Fate) -> None:
            async with turns:
                findings = await inspection.output_findings(around.stack, http, fate.order.prefix)
                report.verdicts[fate.order.number].lost += findings

        await asyncio.gather(
            *(look(fate) for fate in report.fates if fate.events and isinstance(fate.events[-1], Completed))
        )
    report.findings += await inspection.last_of(
        lambda: inspection.left_overs(around.stack.layout.workspace, client), operator.not_, _CLEAN_SECONDS
    )
    report.findings += await inspection.projection_findings(around.stack)
    report.findings += await inspection.unknown_jobs(client, {one.job for one in around.posted})
    report.findings += inspection.uploads_begun(around.proxies["storage"])
    report.findings += [f"a webhook came after a newer one: {late.message_id}" for late in around.receiver.overtaken]
    return report


async def _fates(around: _Run, client: NatsClient) -> list[Fate]:
    log, accepted = JobLog(client), set(around.receiver.accepted)
    superseded = await inspection.superseded(around.stack)
    told: dict[str, list[Told]] = {}
    for payload in around.receiver.payloads:
        if payload.message_id in accepted:
            told.setdefault(payload.job["id"], []).append(Told(payload.message_id, payload.status))
    return [
        Fate(
            one.order,
            one.job,
            [recorded.event for recorded in await log.read(one.org, one.job)],
            told.get(one.job, []),
            superseded.get(one.job, frozenset()),
            one.cancelled,
        )
        for one in sorted(around.posted, key=lambda one: one.order.number)
    ]


def _faults(fates: Sequence[Fate]) -> list[str]:
    return [fault for fate in fates for fault in judge(fate).faults]


def _shares(around: _Run) -> list[Blow]:
    """The single calls that went wrong, beside the strikes."""
    when: datetime = now()
    blows = []
    for name, proxy in around.proxies.items():
        for one in proxy.requests:
            if one.fault and (found := _NUMBER.search(one.path)):
                blows.append(Blow(f"call {one.fault} {name}", when, when, frozenset({int(found[1])})))
    return blows
