"""Jobs at a steady rate while one service after the other goes over to another version; then each job is accounted for."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count

import aiohttp

from shared.bus.joblog import JobLog
from shared.bus.topology import JOBS
from stack.client import Client
from tests.chaos.customers import Customer, Posted
from tests.chaos.inspection import left_overs
from tests.chaos.judging import Fate, Told, judge
from tests.chaos.orders import Order, orders
from tests.rolling.site import WORKERS, Site
from tests.rolling.versions import Version

_PATIENCE_SECONDS = 180.0
_POLL_SECONDS = 0.3


@dataclass(frozen=True)
class Turn:
    """All services go over to a version, in an order."""

    version: Version
    order: Sequence[str]

    @property
    def name(self) -> str:
        """To what, and who goes first."""
        return f"to {self.version.name}, {self.order[0]} first"


def there_and_back(old: Version, new: Version) -> list[Turn]:
    """Both ways, each in both orders: workers before the api, and the api before workers."""
    return [
        Turn(new, (*WORKERS, "api")),
        Turn(old, ("api", *WORKERS)),
        Turn(new, ("api", *WORKERS)),
        Turn(old, (*WORKERS, "api")),
    ]


@dataclass
class Outcome:
    """What a run comes to.

    Attributes:
        fates: what became of each job.
        findings: what is wrong, in sentences.
    """

    fates: list[Fate] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    @property
    def ends(self) -> Counter[str]:
        """How many jobs ended how, by name or error code."""
        last = [fate.events[-1] for fate in self.fates]
        return Counter(getattr(event, "code", "") or event.token().removeprefix("end.") for event in last)


class Load:
    """A customer who posts a job every few seconds, whatever the api does, until it is enough.

    He waits where many are under way, since a machine that does other things as well would get ever farther behind.

    Args:
        pace: seconds from one job to the next.
        most: jobs under way.
    """

    def __init__(self, site: Site, *, seed: int, pace: float, most: int) -> None:
        self.posted: list[Posted] = []
        self._customer = Customer(
            site.env,
            site.source,
            source_endpoint=site.source.url("").rstrip("/"),
            storage_endpoint=site.env["S3_ENDPOINT"],
            patience=_PATIENCE_SECONDS,
        )
        self._site = site
        self._orders = _without_end(seed)
        self._pace = pace
        self._most = most
        self._enough = asyncio.Event()

    async def run(self) -> None:
        """Post until it is enough."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as http:
            while not self._enough.is_set():
                if len(self.posted) - await _ended(self._site) < self._most:
                    self.posted.append(await self._customer.post(http, next(self._orders)))
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._enough.wait(), self._pace)

    def enough(self) -> None:
        """Post no more."""
        self._enough.set()


async def roll(
    site: Site,
    turns: Sequence[Turn],
    *,
    seed: int = 1,
    pace: float = 2,
    most: int = 6,
    say: Callable[[str], None] = print,
) -> Outcome:
    """Have all services go over, one after the other, and each only when another job has ended since.

    Args:
        seed, pace, most: of the load: which jobs, seconds from one to the next, and how many under way.

    Raises:
        AssertionError, TimeoutError: a service does not start, a job is refused, or nothing moves.
    """
    async with Client(site.env) as client:
        await client.add_webhook(f"{site.receiver.url}/rolling")
    load = Load(site, seed=seed, pace=pace, most=most)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.run())
        try:
            for turn in turns:
                say(turn.name)
                for name in turn.order:
                    await _until_more_have_ended(site)
                    await asyncio.to_thread(site.services[name].go_over, turn.version)
            await _until_more_have_ended(site)
        finally:
            load.enough()
    await _moves(site, lambda ended: ended >= len(load.posted), "all jobs have ended")
    return await _account(site, load.posted)


def _without_end(seed: int) -> Iterator[Order]:
    """Orders of all kinds that say at once what their end must be."""
    numbers = count()
    for block in count():
        for order in orders(seed + block, 20, 1):
            if order.source != "replaced":
                yield replace(order, number=next(numbers), cancel_after=None)


async def _until_more_have_ended(site: Site) -> None:
    before = await _ended(site)
    await _moves(site, lambda ended: ended > before, "another job has ended")


async def _moves(site: Site, enough: Callable[[int], bool], what: str) -> None:
    """Wait until so many jobs have ended, as long as anything moves in the log."""
    js, loop = site.client.jetstream(), asyncio.get_running_loop()
    last, moved = -1, loop.time()
    while not enough(await _ended(site)):
        newest = (await js.stream_info(JOBS)).state.last_seq
        if newest != last:
            last, moved = newest, loop.time()
        assert loop.time() - moved < _PATIENCE_SECONDS, f"nothing moves any more before {what}"
        await asyncio.sleep(_POLL_SECONDS)


async def _ended(site: Site) -> int:
    info = await site.client.jetstream().stream_info(JOBS, subjects_filter="jobs.*.*.end.*")
    return len(info.state.subjects or {})


async def _account(site: Site, posted: Sequence[Posted]) -> Outcome:
    """Wait for the last webhooks and the janitor, and judge."""
    deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
    while True:
        outcome = await _judged(site, posted)
        if not outcome.findings or asyncio.get_running_loop().time() > deadline:
            return outcome
        await asyncio.sleep(_POLL_SECONDS)


async def _judged(site: Site, posted: Sequence[Posted]) -> Outcome:
    log, outcome = JobLog(site.client), Outcome()
    told: dict[str, list[Told]] = {}
    for payload in site.receiver.payloads:
        told.setdefault(payload.job["id"], []).append(Told(payload.message_id, payload.status))
    for one in posted:
        events = [recorded.event for recorded in await log.read(one.org, one.job)]
        fate = Fate(one.order, one.job, events, told.get(one.job, []), frozenset(), None)
        outcome.findings += [f"job {one.order.number} ({one.job}): {fault}" for fault in judge(fate).faults]
        outcome.fates.append(fate)
    outcome.findings += [f"a webhook came after a newer one: {late.message_id}" for late in site.receiver.overtaken]
    outcome.findings += await left_overs(site.workspace, site.client)
    return outcome
