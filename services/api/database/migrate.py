"""The numbered migrations: files of SQL, each applied once and in a transaction of its own."""

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import structlog

from services.api.database.pool import ACQUIRE_SECONDS, DOWN, Connection, Pool

MIGRATIONS = Path(__file__).parent / "migrations"
# Any number that nothing else in the database locks by.
_MIGRATION_LOCK = 0x4D494C4C
_NAME = re.compile(r"(\d{4})_\w+\.sql")


@dataclass(frozen=True)
class Migration:
    """A numbered file of SQL."""

    number: int
    name: str
    sql: str


def migrations(folder: Path = MIGRATIONS) -> list[Migration]:
    """The migrations in their order.

    Raises:
        ValueError: a name is malformed, or a number is missing or there twice.
    """
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if not match:
            raise ValueError(f"{path.name}: a migration is named like 0001_what_it_does.sql")
        found.append(Migration(int(match[1]), path.stem, path.read_text()))
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"migrations must be numbered from 1 without gaps: {[migration.name for migration in found]}")
    return found


async def migrate(pool: "Pool", folder: Path = MIGRATIONS) -> list[str]:
    """Bring the database up to date, each migration in a transaction of its own. Safe to run by several at once.

    Returns:
        names of the migrations that were applied now.
    """
    wanted = migrations(folder)
    applied = []
    async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
        await connection.execute("select pg_advisory_lock($1)", _MIGRATION_LOCK, timeout=60)
        try:
            await connection.execute(
                "create table if not exists schema_migrations (number integer primary key, name text not null,"
                " applied timestamptz not null default now())"
            )
            done = {row["number"] for row in await connection.fetch("select number from schema_migrations")}
            for migration in wanted:
                if migration.number not in done:
                    await _apply(connection, migration)
                    applied.append(migration.name)
        finally:
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                # Not left to the pool, which takes connections back as they are.
                await connection.close()
    return applied


async def _apply(connection: "Connection", migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(migration.sql, timeout=3600)
        await connection.execute(
            "insert into schema_migrations (number, name) values ($1, $2)", migration.number, migration.name
        )


async def migrate_when_there(pool: "Pool") -> None:
    """Migrate as soon as there is a server."""
    log = structlog.get_logger()
    while True:
        try:
            applied = await migrate(pool)
        except (*DOWN, asyncpg.InterfaceError) as error:
            await log.awarning("no database yet", error=repr(error))
            await asyncio.sleep(0.5)
        else:
            await log.ainfo("database is up to date", applied=applied)
            return
