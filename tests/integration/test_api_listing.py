"""Lists of a hundred thousand jobs: what the database does for them, and that every filter finds what it should."""

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from services.api.contract.listing import JobFilter, Window
from services.api.database.pool import Connection
from services.api.jobs.query import Query, count_query, page_query, status_counts_query
from services.api.projection.retention import _DRAW_COUNTS_TOGETHER
from tests.support.samples import ORG, whole_life
from tests.support.schema import migrated
from tests.support.servers import PostgresServer

ROWS = 100_000
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
STATUSES = ("completed", "error", "cancelled", "queued", "transcoding")
# As long as a row is, and as little to be compressed.
_DONE = "\n".join(event.model_dump_json() for event in whole_life("5KQfnXCg8Qh"))[:1500]


def status_of(number: int) -> str:
    """Most are completed, an error is one in a hundred, and a handful are under way: the newest and some of the oldest."""
    if number in (17, 18) or number >= ROWS - 12:
        return "transcoding" if number % 2 else "queued"
    if number % 100 == 0:
        return "error"
    return "cancelled" if number % 50 == 1 else "completed"


def rows() -> Iterator[tuple[Any, ...]]:
    for number in range(ROWS):
        # Nine of ten are of the organization that is asked for; some were made in the same instant.
        org = ORG if number % 10 else "other0"
        created = BEGIN + timedelta(seconds=number // 3)
        yield (
            f"{number:011d}", org, created, status_of(number), number % 1000 == 5, 1, True, number + 1, f"{number} {_DONE}",
        )  # fmt: skip


@pytest.fixture(scope="module")
def url(postgres: PostgresServer) -> str:
    url = postgres.new_database()
    asyncio.run(filled(url))
    return url


async def filled(url: str) -> None:
    """Migrate a database and put the rows into it."""
    await migrated(url)
    connection = await asyncpg.connect(url)
    columns = ["id", "org", "created", "status", "enable_drm", "priority", "admitted", "last_sequence", "state"]
    await connection.copy_records_to_table("jobs", records=rows(), columns=columns)
    # As autovacuum does by itself, in its own time.
    await connection.execute("vacuum analyze jobs")
    await connection.execute("vacuum analyze job_words")
    await connection.close()


@pytest.fixture
async def connection(url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


async def explained(connection: Connection, query: Query, *, generic: bool = False) -> dict[str, Any]:
    """The plan, with what it did.

    Args:
        generic: the plan for any values, which the server may take after a few calls, instead of the one for these values.
    """
    await connection.execute(f"set plan_cache_mode = force_{'generic' if generic else 'custom'}_plan")
    await connection.execute(f"prepare explained as {query.sql}")
    try:
        values = ", ".join(literal(value) for value in query.values)
        found = await connection.fetchval(f"explain (analyze, buffers, format json) execute explained({values})")
    finally:
        await connection.execute("deallocate explained")
    return dict(json.loads(found)[0])


def literal(value: object) -> str:
    """A value as it stands in SQL."""
    if isinstance(value, list):
        return f"array[{', '.join(literal(each) for each in value)}]"
    if isinstance(value, bool | int):
        return str(value).lower()
    return f"'{value}'"


FILTERS = [
    JobFilter(statuses=("error",)),
    JobFilter(statuses=("queued",)),
    JobFilter(statuses=("completed",)),
    JobFilter(statuses=("queued", "transcoding")),
    JobFilter(statuses=("error", "cancelled"), newest_first=False),
    JobFilter(statuses=STATUSES),  # type: ignore[arg-type]
    JobFilter(statuses=("completed",), enable_drm=True),
    JobFilter(statuses=("transcoding",), created_from=BEGIN, created_to=BEGIN + timedelta(hours=1)),
    JobFilter(),
    JobFilter(enable_drm=True, newest_first=False),
    JobFilter(created_from=BEGIN + timedelta(hours=2), created_to=BEGIN + timedelta(hours=3)),
    JobFilter(search="000000123"),
    JobFilter(search="00000012317", enable_drm=False),
    JobFilter(search="0000001 somethingelse"),
]
COMMON = [
    JobFilter(search="0"),
    JobFilter(search="0000001", statuses=("error",), newest_first=False, created_from=BEGIN + timedelta(hours=1)),
]
"""Searches that find everything and a lot; all that they find is read."""


def _name(wanted: JobFilter) -> str:
    found = "-".join(wanted.statuses) + (f"-drm={wanted.enable_drm}" if wanted.enable_drm is not None else "")
    return found + (f"-search={wanted.search}" if wanted.search else "")


@pytest.mark.parametrize("wanted", [*FILTERS, *COMMON], ids=_name)
@pytest.mark.parametrize("generic", [False, True], ids=["these-values", "any-values"])
async def test_no_list_reads_the_whole_table(connection: Connection, wanted: JobFilter, generic: bool) -> None:
    queries = page_query(ORG, wanted, Window(1, 20)), count_query(ORG, wanted), status_counts_query(ORG, wanted)
    for query in queries:
        plan = await explained(connection, query, generic=generic)
        print(json.dumps(plan, indent=1))
        read = [node for node in nodes(plan["Plan"]) if "Relation Name" in node]
        used = [(node["Relation Name"], node["Node Type"], node.get("Index Name")) for node in read]
        assert used, "nothing was read?"
        assert not [table for table, kind, _ in used if kind == "Seq Scan" and table in ("jobs", "job_words")], used
        print(f"{plan['Execution Time']:.2f} ms", used)


@pytest.mark.parametrize("wanted", FILTERS, ids=_name)
async def test_a_first_page_reads_little(connection: Connection, wanted: JobFilter) -> None:
    """Counted in pages of the database, which no busy machine changes. The rarest filter goes through the index, not the rows."""
    plan = await explained(connection, page_query(ORG, wanted, Window(1, 20)))
    pages = plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
    assert pages < (1500 if wanted.enable_drm else 250), plan


@pytest.mark.parametrize("wanted", [*FILTERS, *COMMON], ids=_name)
async def test_every_filter_finds_what_it_should(connection: Connection, wanted: JobFilter) -> None:
    everything = [row[:6] for row in rows()]
    selected = [
        row
        for row in sorted(everything, key=lambda row: (row[2], row[0]), reverse=wanted.newest_first)
        if row[1] == ORG
        and (not wanted.statuses or row[3] in wanted.statuses)
        and (wanted.enable_drm is None or row[4] == wanted.enable_drm)
        and (wanted.created_from is None or row[2] >= wanted.created_from)
        and (wanted.created_to is None or row[2] <= wanted.created_to)
        and (wanted.search is None or all(row[0].startswith(word) for word in wanted.search.split()))
    ]
    expected = [row[0] for row in selected]
    counting = count_query(ORG, wanted)
    assert await connection.fetchval(counting.sql, *counting.values) == len(expected)
    counting = status_counts_query(ORG, wanted)
    counted = {row["status"]: row["jobs"] for row in await connection.fetch(counting.sql, *counting.values)}
    assert {status: jobs for status, jobs in counted.items() if jobs} == Counter(row[3] for row in selected)
    for page, size in itertools.product((1, 2, 3, 40), (20, 100)):
        window = Window(page, size)
        paging = page_query(ORG, wanted, window)
        found = await connection.fetch(paging.sql, *paging.values)
        ids = [f"{int(row['state'].partition(' ')[0]):011d}" for row in found]
        assert ids == expected[window.offset : window.offset + size]


async def test_counts_are_exact_whatever_happens_to_the_rows(postgres: PostgresServer) -> None:
    """Upserts, changes of status, changes of nothing that counts, deletes, a broken-off transaction, several at once."""
    url = await migrated(postgres.new_database())
    pool = await asyncpg.create_pool(url, min_size=4, max_size=4)
    upsert = """
        insert into jobs (id, org, created, status, enable_drm, priority, admitted, last_sequence, state)
        values ($1, $2, now(), $3, $4, 1, false, $5, '')
        on conflict (id) do update set status = excluded.status, last_sequence = excluded.last_sequence
        where jobs.last_sequence < excluded.last_sequence
    """

    async def live(worker: int) -> None:
        for number in range(40):
            job, org = f"{worker}-{number}", f"org{number % 3}"
            for sequence, status in enumerate(("queued", "queued", "transcoding", "completed")[: 1 + number % 4]):
                await pool.execute(upsert, job, org, status, number % 5 == 0, sequence)
            # Told a second time, and one that is older than what the row holds.
            await pool.execute(upsert, job, org, "error", number % 5 == 0, 0)
            if number % 7 == 0:
                await pool.execute("delete from jobs where id = $1", job)
            if number % 10 == 0:
                await pool.execute(_DRAW_COUNTS_TOGETHER, 2)
            with suppress(ZeroDivisionError):
                async with pool.acquire() as connection, connection.transaction():
                    await connection.execute("delete from jobs where org = $1", org)
                    raise ZeroDivisionError

    counted = "select org, status, enable_drm, count(*)::bigint as jobs from jobs group by 1, 2, 3 order by 1, 2, 3"
    known = """
        select org, status, enable_drm, sum(jobs)::bigint as jobs from job_counts
        group by 1, 2, 3 having sum(jobs) <> 0 order by 1, 2, 3
    """
    await asyncio.gather(*(live(worker) for worker in range(4)))
    rows = await pool.fetch(counted)
    assert len(rows) > 10
    assert await pool.fetch(known) == rows
    await pool.execute(_DRAW_COUNTS_TOGETHER, 0)
    assert await pool.fetch(known) == rows
    assert await pool.fetchval("select count(*) from job_counts") == len(rows)
    await pool.execute("truncate jobs")
    assert await pool.fetch(known) == []
    await pool.close()


async def test_how_long_it_takes_is_told(connection: Connection) -> None:
    """A figure for the reader; the bound is far above what an idle machine does, so that a busy one passes too."""
    for wanted in [*FILTERS, *COMMON]:
        page, count = page_query(ORG, wanted, Window(1, 20)), count_query(ORG, wanted)
        best = float("inf")
        for _ in range(7):
            begun = time.perf_counter()
            await connection.fetchval(count.sql, *count.values)
            await connection.fetch(page.sql, *page.values)
            best = min(best, time.perf_counter() - begun)
        print(f"{best * 1000:6.2f} ms  {_name(wanted)}")
        assert best < 1
