"""Migrations and the pool on a real Postgres."""

import asyncio
import shutil
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from services.api.database.migrate import MIGRATIONS, migrate, migrations
from services.api.database.pool import Database, DatabaseDown, close_pool, open_pool
from tests.support.servers import PostgresServer, postgres_server


async def test_migrations_are_applied_once_by_however_many(postgres: PostgresServer, tmp_path: Path) -> None:
    (tmp_path / "0001_first.sql").write_text("create table things (id integer); insert into things values (1);")
    pools = [await open_pool(SecretStr(postgres.new_database()), 3)]
    pool = pools[0]
    applied = await asyncio.gather(*(migrate(pool, tmp_path) for _ in range(3)))
    assert sorted(applied) == [[], [], ["0001_first"]]
    (tmp_path / "0002_second.sql").write_text("insert into things values (2);")
    assert await migrate(pool, tmp_path) == ["0002_second"]
    assert await pool.fetchval("select count(*) from things") == 2
    (tmp_path / "0003_third.sql").write_text("insert into things values (3); insert into nothing values (3);")
    with pytest.raises(asyncpg.UndefinedTableError):
        await migrate(pool, tmp_path)
    assert await pool.fetchval("select count(*) from things") == 2
    assert [row["number"] for row in await pool.fetch("select number from schema_migrations order by 1")] == [1, 2]
    await close_pool(pool)


async def test_a_server_that_goes_and_comes() -> None:
    with postgres_server() as server:
        database = Database(await open_pool(SecretStr(server.new_database()), 3))
        await database.check()
        async with database.connection() as connection:
            await connection.execute("create table things (id integer)")
        with pytest.raises(DatabaseDown):
            async with database.transaction() as connection:
                await connection.execute("insert into things values (1)")
                server.kill()
                await connection.execute("insert into things values (2)")
        with pytest.raises(DatabaseDown):
            await database.check()
        server.start()
        await database.check()
        async with database.connection() as connection:
            assert await connection.fetchval("select count(*) from things") == 0
            with pytest.raises(asyncpg.UndefinedTableError):
                await connection.execute("select * from nothing")
        await close_pool(database.pool)


@pytest.mark.parametrize("state", ["53100", "53200", "53300", "58030", "25006"])
async def test_a_server_that_cannot_write_is_down(postgres: PostgresServer, state: str) -> None:
    database = Database(await open_pool(SecretStr(postgres.new_database()), 2))
    with pytest.raises(DatabaseDown):
        async with database.transaction() as connection:
            await connection.execute(f"do $$ begin raise exception using errcode = '{state}'; end $$")
    await database.check()
    await close_pool(database.pool)


async def test_a_database_of_the_first_version_is_brought_up_to_date(postgres: PostgresServer, tmp_path: Path) -> None:
    """Its jobs get the time of their end, and are counted; an unreadable row does not stop the update."""
    shutil.copy(MIGRATIONS / "0001_initial.sql", tmp_path)
    pool = await open_pool(SecretStr(postgres.new_database()), 2)
    await migrate(pool, tmp_path)
    await pool.executemany(
        "insert into jobs (id, org, created, status, enable_drm, priority, admitted, last_sequence, state)"
        " values ($1, 'acme00', now(), $2, false, 1, true, 1, $3)",
        [
            ("done", "completed", '{"end_time": "2024-05-01T12:00:19.123456Z"}'),
            ("running", "transcoding", '{"end_time": null}'),
            ("garbage", "error", "rubbish"),
            ("odd", "cancelled", "{}"),
        ],
    )
    assert len(await migrate(pool)) == len(migrations()) - 1
    ended = {row["id"]: row["ended"] for row in await pool.fetch("select id, ended from jobs")}
    assert ended == {
        "done": datetime(2024, 5, 1, 12, 0, 19, 123456, UTC),
        "running": None,
        "garbage": None,
        "odd": None,
    }
    counts = await pool.fetch("select status, sum(jobs)::int as jobs from job_counts group by status order by status")
    assert [tuple(row) for row in counts] == [("cancelled", 1), ("completed", 1), ("error", 1), ("transcoding", 1)]
    await close_pool(pool)
