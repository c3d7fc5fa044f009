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
from typing import Any

import aiohttp
import nats
from nats.aio.client import Client as NatsClient

from shared.bus.joblog import JobLog
from shared.bus.topology import JOBS
from shared.events import Completed, now
from stack.client import Client
from tests.chaos import inspection
from tests.chaos.field import Field, Second, Trouble
from tests.chaos.judging import Fate, Told, judge
from tests.chaos.orders import Order, orders
from tests.chaos.report import Blow, Report
from tests.chaos.schedule import SECOND, Strike, schedule
from tests.support.clips import numbered
from tests.support.faults import FaultyProxy
from tests.support.jobs import another_organization, long_clip, short_clip
from tests.support.receiver import WebhookReceiver
from tests.support.sources import SourceServer, source_server
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
_STILL_SECONDS = 240.0
_CLEAN_SECONDS = 60.0
_NUMBER = re.compile(r"/(?:chaos/)?(\d{4})[/.]")


@dataclass(frozen=True)
class Plan:
    """What a run is to do; the same plan has the same jobs and the same faults at the same times.

    Attributes:
        seconds: for which jobs are posted and faults hit; then all that is left has to come to its end.
        pace: seconds from one fault to the next, on average.
        second: whether there are two of every service.
    """

    seed: int
    jobs: int
    seconds: float
    pace: float = 2.5
    second: bool = True


@dataclass
class _Posted:
    order: Order
    org: str
    job: str
    cancelled: bool | None = None


@dataclass
class _Run:
    plan: Plan
    stack: RunningStack
    strikes: Field
    source: SourceServer
    proxies: dict[str, FaultyProxy]
    receiver: WebhookReceiver
    customers: Sequence[dict[str, str]]
    say: Callable[[str], None]
    posted: list[_Posted] = field(default_factory=list)
    blows: list[Blow] = field(default_factory=list)


async def run(plan: Plan, folder: Path, say: Callable[[str], None] = print) -> Report:
    """Carry a plan out on a stack of its own.

    Args:
        folder: for the stack's state.

    Raises:
        AssertionError: a job could not be posted, or nothing moved for minutes although nothing is in the way.
    """
    dice = random.Random(plan.seed)
    troubles = {name: Trouble(dice, _SHARE) for name in ("source", "storage", "receiver")}
    stack = running_stack(folder, transcoders=2, env=SETTINGS)
    async with AsyncExitStack() as exits:
        await exits.enter_async_context(stack)
        receiver = await exits.enter_async_context(WebhookReceiver(troubles["receiver"].reply))
        source = await exits.enter_async_context(source_server())
        proxies = {
            "source": await exits.enter_async_context(FaultyProxy(source.url(""), troubles["source"])),
            "storage": await exits.enter_async_context(FaultyProxy(stack.env["S3_ENDPOINT"], troubles["storage"])),
        }
        second = {name: Second(name, stack.layout, SETTINGS) for name in SECOND if plan.second}
        await asyncio.gather(*(exits.enter_async_context(server) for server in second.values()))
        customers = [stack.env, await another_organization(stack, "second")]
        for number, customer in enumerate(customers):
            async with Client(customer) as api:
                await api.add_webhook(f"{receiver.url}/{number}")
        around = _Run(plan, stack, Field(stack, second, troubles), source, proxies, receiver, customers, say)
        await _post_and_strike(around)
        for trouble in troubles.values():
            trouble.end()
        client = await nats.connect(stack.env["NATS_URL"], max_reconnect_attempts=-1)
        exits.push_async_callback(client.close)
        await _until_all_ended(around, client)
        report = await _account(around, client)
    report.findings += inspection.orphans(stack)
    return report


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
        job = await _post(http, customer, await _body(around, order), f"chaos-{order.number}")
        posted = _Posted(order, customer["ORG_ID"], job)
        around.posted.append(posted)
        if order.source == "replaced":
            await _replace_source(around, order, begun + plan.seconds)
        if order.cancel_after is not None:
            await asyncio.sleep(order.cancel_after)
            posted.cancelled = await _cancel(http, customer, job)

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as http, asyncio.TaskGroup() as tasks:
        for one in schedule(plan.seed, plan.seconds, plan.pace):
            tasks.create_task(strike(one))
        for order in orders(plan.seed, plan.jobs, plan.seconds):
            tasks.create_task(send(order, http))
    around.say(f"{len(around.posted)} jobs posted, {len(around.blows)} faults; from here on nothing is in the way")


async def _body(around: _Run, order: Order) -> dict[str, Any]:
    """The request for a job; its source is hosted."""
    name = f"{order.number:04d}.mp4"
    data = (long_clip() if order.source == "long" else short_clip()).read_bytes()
    address = f"{around.proxies['source'].endpoint}/{name}"
    match order.source:
        case "truncated":
            around.source.host(name, data[: len(data) * 2 // 3])
        case "not_video":
            around.source.host(name, b"This is a letter, not a film.\n" * 100)
        case "empty":
            around.source.host(name, b"")
        case "replaced":
            # Not through the proxy, which hands out nothing before it has all of it.
            address = around.source.host(name, data, pause=0.02)
        case "missing":
            address = around.source.url(name)
        case "short" | "long" | "sound":
            around.source.host(name, data)
    env = around.customers[order.organization] | {"S3_ENDPOINT": around.proxies["storage"].endpoint}
    async with Client(env) as client:
        output = client.location(order.prefix, with_keys=True)
    resolutions = ["audio"] if order.source == "sound" else ["144p"]
    return {"input_url": address, "output_path": output, "resolutions": resolutions}


async def _replace_source(around: _Run, order: Order, deadline: float) -> None:
    """Put another film in its place once the download has begun, which in some runs it does only when the faults are over."""
    name = f"{order.number:04d}.mp4"
    while not around.source.sent(name) and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.02)
    around.source.host(name, numbered(seconds=6, size="320x240").read_bytes())


async def _post(http: aiohttp.ClientSession, customer: dict[str, str], body: dict[str, Any], key: str) -> str:
    """Post a job until it is accepted, as a careful client does: with a key, so that it is accepted once."""
    address = f"{customer['API_URL']}/api/v1/{customer['ORG_ID']}/transcoding_jobs/"
    headers = {"Authorization": f"Token {customer['API_TOKEN']}", "Idempotency-Key": key}
    async with asyncio.timeout(_STILL_SECONDS):
        while True:
            try:
                async with http.post(address, json=body, headers=headers) as response:
                    if response.status in (200, 201):
                        return str((await response.json())["id"])
                    assert response.status >= 500, f"a job was refused: {response.status} {await response.text()}"
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.3)


async def _cancel(http: aiohttp.ClientSession, customer: dict[str, str], job: str) -> bool | None:
    """Cancel a job; whether the api says that it did, None where an answer was lost before."""
    address = f"{customer['API_URL']}/api/v1/{customer['ORG_ID']}/transcoding_jobs/{job}/"
    sure = True
    async with asyncio.timeout(_STILL_SECONDS):
        while True:
            try:
                async with http.delete(
                    address, headers={"Authorization": f"Token {customer['API_TOKEN']}"}
                ) as response:
                    if response.status == 200:
                        did = "cancelled successfully" in (await response.json())["message"]
                        return did if did or sure else None
                    assert response.status >= 500, f"not cancelled: {response.status} {await response.text()}"
            except (aiohttp.ClientError, TimeoutError):
                pass
            sure = False
            await asyncio.sleep(0.3)


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
        if loop.time() - moved > _STILL_SECONDS:
            around.say(f"nothing has moved for {_STILL_SECONDS:.0f} s")
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

        await asyncio.gather(*(look(fate) for fate in report.fates if isinstance(fate.events[-1], Completed)))
    report.findings += await inspection.last_of(
        lambda: inspection.left_overs(around.stack, client), operator.not_, _CLEAN_SECONDS
    )
    report.findings += await inspection.projection_findings(around.stack)
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
