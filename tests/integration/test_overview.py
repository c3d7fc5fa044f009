"""What the leader tells of the whole is what lies on the bus and in the tables."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import pytest
from nats.aio.client import Client
from prometheus_client import Gauge
from pydantic import SecretStr

from services.api import metrics
from services.api.database.pool import Connection, Database, close_pool, open_pool
from services.api.projection.overview import Overview
from shared.bus.joblog import JobLog
from shared.bus.topology import DEAD, DELIVERIES, FETCHER, JOBS, NOTIFIER, TRANSCODER
from shared.events import Admitted
from shared.ids import new_job_id
from shared.metrics import REGISTRY
from tests.support.bus import tell, until
from tests.support.leading import leading, status_is
from tests.support.samples import ORG, created


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    pool = await open_pool(SecretStr(url), 4)
    yield Database(pool)
    await close_pool(pool)


@pytest.fixture(autouse=True)
def nothing_is_left() -> None:
    metrics.forget()


def overview(client: Client, database: Database, held_up: Mapping[str, int] | None = None) -> Overview:
    return Overview(client, database, held_up=lambda: held_up or {}, places=7, leads=lambda: True)


async def test_queues_are_told_with_their_depth_and_age(client: Client, log: JobLog, database: Database) -> None:
    look = overview(client, database).look
    await look()
    assert (value(metrics.QUEUE_MESSAGES, FETCHER.name), value(metrics.QUEUE_OLDEST, FETCHER.name)) == (0, 0)
    jobs = [new_job_id() for _ in range(3)]
    await tell(log, [event for job in jobs for event in (created(job), Admitted(org=ORG, job=job))])
    await until(lambda: aged(look, FETCHER.name))
    assert value(metrics.QUEUE_MESSAGES, FETCHER.name) == 3
    # Of several filters the oldest message counts, whichever it fits.
    assert value(metrics.QUEUE_MESSAGES, NOTIFIER.name) == 3
    assert value(metrics.QUEUE_OLDEST, NOTIFIER.name) >= value(metrics.QUEUE_OLDEST, FETCHER.name)
    assert value(metrics.QUEUE_MESSAGES, TRANSCODER.name) == 0

    subscription = await client.jetstream().pull_subscribe_bind(FETCHER.name, FETCHER.stream)
    (message,) = await subscription.fetch(1)
    await look()
    assert value(metrics.QUEUE_MESSAGES, FETCHER.name) == 2
    assert value(metrics.QUEUE_UNSETTLED, FETCHER.name) == 1
    await message.ack_sync()


async def test_an_oldest_message_that_was_taken_no_longer_counts(
    client: Client, log: JobLog, database: Database
) -> None:
    look = overview(client, database).look
    for _ in range(2):
        job = new_job_id()
        await tell(log, [created(job), Admitted(org=ORG, job=job)])
    await until(lambda: aged(look, FETCHER.name))
    subscription = await client.jetstream().pull_subscribe_bind(FETCHER.name, FETCHER.stream)
    for message in await subscription.fetch(2):
        await message.ack_sync()
    await look()
    assert value(metrics.QUEUE_OLDEST, FETCHER.name) == 0


async def test_the_lag_of_the_projection_is_told_until_there_is_none(
    url: str, client: Client, log: JobLog, database: Database, connection: Connection
) -> None:
    look = overview(client, database).look
    job = new_job_id()
    await tell(log, [created(job)])
    await look()
    assert value(metrics.PROJECTION_LAG, JOBS) == 1
    assert value(metrics.PROJECTION_LAG_SECONDS, JOBS) > 0
    assert value(metrics.PROJECTION_LAG, DELIVERIES) == 0
    before = REGISTRY.get_sample_value("millrace_jobs_created_total") or 0
    async with leading(url, client):
        await until(status_is(connection, job, "queued"))
        await until(lambda: caught_up(look))
    assert value(metrics.PROJECTION_LAG_SECONDS, JOBS) == 0
    assert REGISTRY.get_sample_value("millrace_jobs_created_total") == before + 1


async def test_jobs_are_told_as_the_tables_have_them(
    url: str, client: Client, log: JobLog, database: Database, connection: Connection
) -> None:
    look = overview(client, database, Counter(output_unreachable=2, made_up=1)).look
    jobs = [new_job_id() for _ in range(3)]
    await tell(log, [created(job) for job in jobs])
    async with leading(url, client, active=1):
        for job in jobs:
            await until(status_is(connection, job, "queued"))
        await until(lambda: running(look))
    states = {state: REGISTRY.get_sample_value("millrace_jobs", {"state": state}) for state in ("waiting", "running")}
    assert states == {"waiting": 2, "running": 1}
    assert value(metrics.PLACES, "admission") == 7
    assert value(metrics.JOBS_OLDEST, "admission") > 0
    assert value(metrics.STREAM_MESSAGES, JOBS) == 4
    assert value(metrics.STREAM_MESSAGES, DEAD) == 0
    assert value(metrics.HELD_UP, "output_unreachable") == 2
    assert value(metrics.HELD_UP, "workspace_full") == 0
    assert value(metrics.HELD_UP, "other") == 1


async def test_what_cannot_be_seen_is_not_told(client: Client, database: Database) -> None:
    """What was seen last would look as if all were well."""
    overlooking = overview(client, database)
    running = asyncio.create_task(overlooking.run())
    try:
        await until(lambda: present("millrace_queue_messages"))
        await database.pool.close()
        await until(lambda: missing("millrace_queue_messages"), seconds=30)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def present(name: str) -> bool:
    return bool([one for family in REGISTRY.collect() for one in family.samples if one.name == name])


async def missing(name: str) -> bool:
    return not await present(name)


async def aged(look: Callable[[], Awaitable[None]], consumer: str) -> bool:
    await look()
    return value(metrics.QUEUE_OLDEST, consumer) > 0


async def caught_up(look: Callable[[], Awaitable[None]]) -> bool:
    await look()
    return value(metrics.PROJECTION_LAG, JOBS) == 0


async def running(look: Callable[[], Awaitable[None]]) -> bool:
    await look()
    return REGISTRY.get_sample_value("millrace_jobs", {"state": "running"}) == 1


def value(gauge: Gauge, label: str) -> float:
    (name,) = gauge._labelnames
    (family,) = gauge.describe()
    found = REGISTRY.get_sample_value(family.name, {name: label})
    assert found is not None, (family.name, label)
    return found
