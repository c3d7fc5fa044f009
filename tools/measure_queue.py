"""Measures what a long queue costs: a list, one job and a round of admission, with more and more jobs waiting.

    . .millrace/env && .venv/bin/python -m tools.measure_queue "$DATABASE_URL"

It makes a database of its own on that server, and drops it in the end. The figures are milliseconds, the best of many times;
docs/operations.md holds a run. Behind all the jobs of one organization waits a single one of another: the last column says at
which place of the next round it is admitted.
"""

import argparse
import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from nats.aio.client import Client
from pydantic import SecretStr

from services.api.contract.listing import JobFilter, Window
from services.api.database.migrate import migrate
from services.api.database.pool import Connection, close_pool, open_pool
from services.api.jobs.query import count_query, page_query
from services.api.jobs.standing import standings
from services.api.jobs.waits import Waits
from services.api.projection.admission import Admission, Caps
from shared.bus.joblog import JobLog
from shared.job import Job

BIG, SMALL = "bigone", "little"
"""The organization with the long queue, and the one with a single job."""

CAPS = Caps(active=8, active_per_organization=4)
SIZES = (100, 1_000, 10_000, 100_000)
_ROUNDS = 50
_ID = "2" * 11
_FILL = """
    insert into jobs (id, org, created, status, enable_drm, priority, admitted, last_sequence, state)
    select id, $1, created, 'queued', false, 1, false, 0,
           replace(replace($2, '22222222222', id), '2000-01-01T00:00:00Z',
                   to_char(created at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
    from (
        select $3 || translate(lpad(to_hex(number), 8, '0'), '01', 'xy') as id, now() + number * interval '1 ms' as created
        from generate_series(1, $4::integer) as number
    ) as jobs
"""
Work = Callable[[], Awaitable[Any]]


@dataclass(frozen=True)
class Figures:
    """What it costs with so many jobs waiting, in milliseconds; ``place`` is the small organization's in the next round."""

    waiting: int
    list_ms: float
    job_ms: float
    admission_ms: float
    place: int


async def fill(connection: Connection, org: str, count: int, *, prefix: str = "job") -> None:
    """Let jobs of an organization wait, one created a millisecond after the other.

    Args:
        prefix: three characters that the ids begin with.
    """
    job = Job(
        id=_ID, org=org, created=datetime(2000, 1, 1, tzinfo=UTC), input_url="https://example.com/film.mp4",
        output_path=f"s3://bucket/{_ID}/?access_key=<access_key>&secret_key=<secret_key>", resolutions=("240p", "480p", "720p"),
        client_metadata='{"lesson": 7}',
    )  # fmt: skip
    await connection.execute(_FILL, org, job.model_dump_json(), prefix, count)


async def measure(connection: Connection, waiting: int) -> Figures:
    """Fill an empty database, and measure.

    Args:
        waiting: jobs of the big organization.
    """
    await fill(connection, BIG, waiting)
    await fill(connection, SMALL, 1, prefix="one")
    # As autovacuum does by itself, in its own time.
    await connection.execute("vacuum analyze jobs")
    admission = Admission(JobLog(Client()), CAPS, Waits())
    counting, paging = count_query(BIG, JobFilter()), page_query(BIG, JobFilter(), Window())
    last = await connection.fetchval("select id from jobs where org = $1 order by created desc limit 1", BIG)

    async def page() -> None:
        await connection.fetchval(counting.sql, *counting.values)
        await _with_standings(connection, await connection.fetch(paging.sql, *paging.values))

    async def job() -> None:
        await _with_standings(connection, await connection.fetch("select state from jobs where id = $1", last))

    async def admit() -> None:
        await admission.next_jobs(connection)

    chosen = [admitted.org for admitted in await admission.next_jobs(connection)]
    return Figures(
        waiting,
        await _milliseconds(page),
        await _milliseconds(job),
        await _milliseconds(admit),
        chosen.index(SMALL) + 1,
    )


async def _with_standings(connection: Connection, rows: Sequence[Any]) -> None:
    await standings(connection, BIG, [Job.model_validate_json(row["state"]) for row in rows])


async def _milliseconds(work: Work) -> float:
    taken = []
    for _ in range(_ROUNDS):
        begun = time.perf_counter()
        await work()
        taken.append(1000 * (time.perf_counter() - begun))
    return min(taken)


@asynccontextmanager
async def scratch_database(server_url: str) -> AsyncIterator[Connection]:
    """A connection to an empty, migrated database on a server, which is dropped afterwards."""
    name = f"millrace_measure_{secrets.token_hex(4)}"
    server = await asyncpg.connect(server_url)
    try:
        await server.execute(f"create database {name}")
        url = urlsplit(server_url)._replace(path=f"/{name}").geturl()
        pool = await open_pool(SecretStr(url), 1)
        try:
            await migrate(pool)
            async with pool.acquire() as connection:
                yield connection
        finally:
            await close_pool(pool)
            await server.execute(f"drop database if exists {name} with (force)")
    finally:
        await server.close()


def table(rows: Sequence[Figures]) -> Iterator[str]:
    """The figures as a Markdown table, line by line."""
    yield "| waiting | list, ms | one job, ms | admission, ms | the other's place |"
    yield "|---:|---:|---:|---:|---:|"
    for row in rows:
        waiting, *times, place = astuple(row)
        yield f"| {waiting:,} | {' | '.join(f'{each:.1f}' for each in times)} | {place} |"


async def main() -> None:
    """Measure each size, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.measure_queue", description=(__doc__ or "").partition(":")[0]
    )
    parser.add_argument("server", help="address of a PostgreSQL whose user may create databases")
    server = parser.parse_args().server
    rows = []
    for size in SIZES:
        async with scratch_database(server) as connection:
            rows.append(await measure(connection, size))
    print("\n".join(table(rows)))


if __name__ == "__main__":
    asyncio.run(main())
