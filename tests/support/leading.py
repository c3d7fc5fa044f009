"""Replicas of the api's leader inside a test, what they bring into the tables, and workers for what they admit."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from nats.aio.client import Client
from nats.aio.msg import Msg

from services.api.database.pool import Connection
from services.api.jobs.waits import Waits as KnownWaits
from services.api.projection.admission import Waits
from services.api.projection.leader import HooksChanged, Leader
from shared import events as ev
from shared.bus.joblog import JobEnded, JobLog
from shared.bus.subjects import split_job_subject
from tests.support.samples import completed


async def _nothing_to_do(_org: str) -> None:
    return


@asynccontextmanager
async def leading(
    url: str,
    client: Client,
    *,
    active: int = 100,
    per_organization: int = 50,
    on_hooks_changed: HooksChanged = _nothing_to_do,
    keep_jobs: timedelta | None = None,
    waits: Waits | None = None,
) -> AsyncIterator[Leader]:
    """A replica that leads, or stands for leader, while the block runs.

    Args:
        url: of a database whose migrations have run.
        active, per_organization: how many jobs may be under way.
        keep_jobs: how long an ended job stays; by default for ever, since the samples tell of jobs of long ago.
        waits: of the jobs that are under way; by default nothing waits.
    """
    leader = Leader(
        url,
        client,
        JobLog(client),
        max_active_jobs=active,
        max_active_per_organization=per_organization,
        on_hooks_changed=on_hooks_changed,
        keep_jobs=keep_jobs,
        waits=waits or KnownWaits(),
    )
    running = asyncio.create_task(leader.run())
    try:
        yield leader
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def leads(*leaders: Leader) -> Callable[[], Awaitable[bool]]:
    """Condition: exactly one of them leads."""

    async def one() -> bool:
        return sum(leader.leads for leader in leaders) == 1

    return one


def status_is(connection: Connection, job: str, status: str) -> Callable[[], Awaitable[bool]]:
    """Condition: the job's row says so."""

    async def reached() -> bool:
        return bool(await connection.fetchval("select status from jobs where id = $1", job) == status)

    return reached


class Workers:
    """Stands for all workers: starts what is admitted, takes a while, completes it."""

    def __init__(self, client: Client, *, takes: float) -> None:
        self._client = client
        self._log = JobLog(client)
        self._takes = takes
        self.active: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.most_in_all = 0
        self.started: list[tuple[str, str]] = []
        self.done: list[tuple[str, str]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Workers":
        self._subscription = await self._client.subscribe("feed.jobs.*.*.admitted", cb=self._admitted)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._subscription.unsubscribe()
        for task in self._tasks:
            task.cancel()

    async def _admitted(self, message: Msg) -> None:
        org, job, _ = split_job_subject(message.subject)
        self.active[org] += 1
        self.most[org] = max(self.most[org], self.active[org])
        self.most_in_all = max(self.most_in_all, self.active.total())
        self.started.append((org, job))
        task = asyncio.create_task(self._work(org, job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, org: str, job: str) -> None:
        await self._log.append(ev.Started(org=org, job=job))
        await asyncio.sleep(self._takes)
        with suppress(JobEnded):
            await self._log.append(completed(job, org))
        self.active[org] -= 1
        self.done.append((org, job))
