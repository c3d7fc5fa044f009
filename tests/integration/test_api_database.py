"""Migrations and the pool on a real Postgres."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from services.api.database.migrate import migrate
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
