"""Places in the queue, and that a long one costs no more than a short one."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from nats.aio.client import Client

from services.api.accounts.directory import set_quotas, set_weight
from services.api.contract.listing import JobFilter, Window
from services.api.contract.responses import MOST_PLACES
from services.api.database.pool import Connection
from services.api.jobs.query import page_query
from services.api.jobs.standing import _PLACES, standings
from services.api.jobs.waits import Waits
from services.api.projection.admission import _ACTIVE, _WAITING, Admission, Caps
from services.api.projection.projection import apply_events
from shared import events as ev
from shared.bus.joblog import JobLog
from shared.events import Recorded
from shared.ids import new_job_id
from shared.job import Job
from tests.support.bus import until
from tests.support.leading import Workers, leading
from tests.support.samples import EPOCH, ORG, created, failed
from tests.support.schema import migrated, new_organization
from tests.support.servers import PostgresServer
from tools.measure_queue import BIG, CAPS, SMALL, fill, measure, table

LONG = 100_000
OTHER = "other0"


async def jobs_of(connection: Connection, org: str) -> list[Job]:
    return [
        Job.model_validate_json(row["state"])
        for row in await connection.fetch("select state from jobs where org = $1", org)
    ]


async def test_places_are_those_of_admission(connection: Connection) -> None:
    """By priority, then by age, then by id; of the own organization alone, and of those that wait."""
    chance = random.Random(3)
    events: list[ev.Event] = []
    for _ in range(60):
        job, org = new_job_id(), chance.choice([ORG, OTHER])
        at = EPOCH + timedelta(seconds=chance.randrange(5))
        events.append(created(job, org, priority=chance.choice(["low", "normal", "high"]), at=at))
        events += chance.choice(
            [[], [], [ev.Admitted(org=org, job=job)], [failed(job, org)], [ev.Cancelled(org=org, job=job)]]
        )
    await apply_events(connection, [Recorded(number, event) for number, event in enumerate(events, 1)])
    for org in (ORG, OTHER):
        jobs = await jobs_of(connection, org)
        waiting = [job for job in jobs if job.status == "queued" and not job.admitted]
        rank = {"high": 0, "normal": 1, "low": 2}
        expected = [job.id for job in sorted(waiting, key=lambda job: (rank[job.priority], job.created, job.id))]
        assert 5 < len(expected) < len(jobs)
        found = {job: standing.queue_position for job, standing in (await standings(connection, org, jobs)).items()}
        assert {job: place for job, place in found.items() if place} == {
            job: place for place, job in enumerate(expected, 1)
        }
        # Admission takes them in this order.
        admission = Admission(JobLog(Client()), Caps(1000, 1000), Waits())
        assert [chosen.job for chosen in await admission.next_jobs(connection) if chosen.org == org] == expected


async def test_one_that_was_admitted_since_it_was_read_has_no_place(connection: Connection) -> None:
    first, second = new_job_id(), new_job_id()
    await apply_events(connection, [Recorded(1, created(first, priority="high")), Recorded(2, created(second))])
    read = await jobs_of(connection, ORG)
    await apply_events(connection, [Recorded(3, ev.Admitted(org=ORG, job=first))])
    found = await standings(connection, ORG, read)
    assert (found[first].queue_position, found[second].queue_position) == (None, 1)


@pytest.fixture(scope="module")
def long_queue(postgres: PostgresServer) -> str:
    """A database in which a hundred thousand jobs of one organization wait, and one of another."""
    url = postgres.new_database()

    async def filled() -> None:
        await migrated(url)
        connection = await asyncpg.connect(url)
        await fill(connection, BIG, LONG)
        await fill(connection, SMALL, 1, prefix="one")
        await connection.execute("vacuum analyze jobs")
        await connection.close()

    asyncio.run(filled())
    return url


@pytest.fixture
async def crowded(long_queue: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(long_queue)
    yield connection
    await connection.close()


async def read_for(connection: Connection, sql: str, *values: str, generic: bool) -> dict[str, Any]:
    """The plan of a statement, with what it did. ``values`` are SQL."""
    await connection.execute(f"set plan_cache_mode = force_{'generic' if generic else 'custom'}_plan")
    await connection.execute(f"prepare explained as {sql}")
    try:
        found = await connection.fetchval(
            f"explain (analyze, buffers, format json) execute explained({', '.join(values)})"
        )
    finally:
        await connection.execute("deallocate explained")
    return dict(json.loads(found)[0]["Plan"])


@pytest.mark.parametrize("generic", [False, True], ids=["these-values", "any-values"])
async def test_places_and_admission_read_little_however_many_wait(crowded: Connection, generic: bool) -> None:
    """Counted in pages of the database, which no busy machine changes."""
    page = page_query(BIG, JobFilter(), Window(1, 100))
    rows = await crowded.fetch(page.sql, *page.values)
    ids = [Job.model_validate_json(row["state"]).id for row in rows]
    asked = f"array[{', '.join(repr(each) for each in ids)}]"
    places = await read_for(crowded, _PLACES, f"'{BIG}'", asked, str(MOST_PLACES), generic=generic)
    admission = await read_for(crowded, _WAITING, str(CAPS.active), str(CAPS.active_per_organization), generic=generic)
    # The table and its indexes have some ten thousand.
    assert places["Shared Hit Blocks"] + places["Shared Read Blocks"] < 1500, places
    assert admission["Shared Hit Blocks"] + admission["Shared Read Blocks"] < 60, admission


async def test_places_far_back_are_not_counted(crowded: Connection) -> None:
    sql = "select state from jobs where org = $1 order by created offset $2 limit 1"
    ends = [
        Job.model_validate_json(await crowded.fetchval(sql, BIG, place - 1))
        for place in (1, 2, MOST_PLACES, MOST_PLACES + 1, LONG)
    ]
    found = await standings(crowded, BIG, ends)
    assert [found[job.id].queue_position for job in ends] == [1, 2, MOST_PLACES, MOST_PLACES + 1, MOST_PLACES + 1]
    (single,) = await jobs_of(crowded, SMALL)
    assert (await standings(crowded, SMALL, [single]))[single.id].queue_position == 1


async def test_ten_thousand_of_another_are_waited_for_no_longer_than_a_piece_of_work(
    url: str, client: Client, log: JobLog, connection: Connection
) -> None:
    """Whoever comes last of all is admitted while the others have their share: before any of the work under way is done."""
    await fill(connection, "bigone", 10_000)
    job = new_job_id()
    async with Workers(client, takes=1.0) as workers, leading(url, client, active=8, per_organization=6):

        async def busy() -> bool:
            return workers.active["bigone"] == 6 and len(workers.done) > 6

        await until(busy)
        done = len(workers.done)
        await log.append(created(job, "little"))

        async def started() -> bool:
            return ("little", job) in workers.started

        await until(started)
        assert len(workers.done) - done <= 6


async def test_weights_and_caps_of_organizations_hold_from_the_next_round_on(
    url: str, client: Client, log: JobLog, connection: Connection
) -> None:
    """Changed while the leader runs; what is under way is left alone."""
    for org, prefix in (("bigone", "big"), ("little", "sma")):
        await new_organization(connection, org)
        await fill(connection, org, 50, prefix=prefix)

    async def end(org: str, count: int) -> None:
        sql = "select id from jobs where org = $1 and admitted and status = 'queued' order by created limit $2"
        for row in await connection.fetch(sql, org, count):
            await log.append(ev.Cancelled(org=org, job=row["id"]))

    async def becomes(big: int, little: int) -> None:
        async def shared() -> bool:
            active = {row["org"]: row["jobs"] for row in await connection.fetch(_ACTIVE)}
            return active == {"bigone": big, "little": little}

        await until(shared, seconds=30, what=f"{big} and {little}")

    async with leading(url, client, active=8, per_organization=7):
        await becomes(4, 4)
        await set_weight(connection, "bigone", 3)
        await end("little", 2)
        await becomes(6, 2)
        await set_quotas(connection, "bigone", {"active_jobs": 2})
        await end("bigone", 4)
        await becomes(2, 6)
        await set_weight(connection, "bigone", None)
        await set_quotas(connection, "bigone", {"active_jobs": None})
        await end("little", 4)
        await becomes(4, 4)
    rows = await connection.fetch("select org, id from jobs where admitted order by created")
    admitted = [await log.fact(row["org"], row["id"], ev.Admitted) for row in rows]
    assert [event.weight for event in admitted if event and event.org == "bigone"] == [1] * 4 + [3] * 2 + [1] * 2
    assert [event.weight for event in admitted if event and event.org == "little"] == [1] * 10


async def test_the_figures_are_printed(url: str) -> None:
    """``tools.measure_queue``, for a short queue."""
    connection = await asyncpg.connect(url)
    figures = await measure(connection, 10)
    await connection.close()
    assert figures.place <= 2
    assert min(figures.list_ms, figures.job_ms, figures.admission_ms) > 0
    assert list(table([figures]))[-1].startswith("| 10 | ")
