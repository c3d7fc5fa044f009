"""Replicas of the api's leader inside a test, and what they bring into the tables."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from nats.aio.client import Client

from services.api.database.pool import Connection
from services.api.projection.leader import HooksChanged, Leader, ShortOfRoom
from shared.bus.joblog import JobLog


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
    short_of_room: ShortOfRoom = frozenset,
) -> AsyncIterator[Leader]:
    """A replica that leads, or stands for leader, while the block runs.

    Args:
        url: of a database whose migrations have run.
        active, per_organization: how many jobs may be under way.
        keep_jobs: how long an ended job stays; by default for ever, since the samples tell of jobs of long ago.
        short_of_room: tells which organizations wait for room in the work space.
    """
    leader = Leader(
        url,
        client,
        JobLog(client),
        max_active_jobs=active,
        max_active_per_organization=per_organization,
        on_hooks_changed=on_hooks_changed,
        keep_jobs=keep_jobs,
        short_of_room=short_of_room,
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
