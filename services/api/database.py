"""Postgres: the pool of connections, what it means when they fail, and the numbered migrations."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import structlog
from pydantic import SecretStr

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Connection = Pool = Any

MIGRATIONS = Path(__file__).parent / "migrations"
CONNECT_SECONDS = 3.0
# Under a burst of requests a connection has to be waited for.
ACQUIRE_SECONDS = 10.0
COMMAND_SECONDS = 15.0
# Any number that nothing else in the database locks by.
_MIGRATION_LOCK = 0x4D494C4C
_NAME = re.compile(r"(\d{4})_\w+\.sql")

_DOWN = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InternalClientError,
)


class DatabaseDown(Exception):
    """Postgres is out of reach, or went away in the middle; whether a commit under way took place is unknown."""


class Database:
    """A pool of connections that says :class:`DatabaseDown` when Postgres is gone, and works again when it is back."""

    def __init__(self, pool: "Pool") -> None:
        self.pool = pool

    @asynccontextmanager
    async def connection(self) -> "AsyncIterator[Connection]":
        """A connection, each statement on it a transaction of its own.

        Raises:
            DatabaseDown: on entry or from inside the block.
        """
        try:
            async with self.pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
                try:
                    yield connection
                except asyncpg.InterfaceError as error:
                    # "connection is closed", or a mistake of ours on a connection that is not.
                    if _is_gone(connection):
                        raise DatabaseDown(repr(error)) from error
                    raise
        except _DOWN as error:
            raise DatabaseDown(repr(error)) from error

    @asynccontextmanager
    async def transaction(self) -> "AsyncIterator[Connection]":
        """A connection inside a transaction, committed at the end of the block, rolled back by an exception.

        Raises:
            DatabaseDown: on entry, from inside the block or from the commit.
        """
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def check(self) -> None:
        """Raises: DatabaseDown: Postgres does not answer."""
        async with self.connection() as connection:
            await connection.fetchval("select 1")


def _is_gone(connection: "Connection") -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        # The pool takes a connection back by itself as soon as that is lost.
        return True


async def open_pool(url: SecretStr, size: int) -> "Pool":
    """A pool. Nothing is connected yet, so the server need not be there."""
    return await asyncpg.create_pool(
        url.get_secret_value(),
        min_size=0,
        max_size=size,
        timeout=CONNECT_SECONDS,
        command_timeout=COMMAND_SECONDS,
        server_settings={"application_name": "millrace-api", "timezone": "UTC"},
    )


async def close_pool(pool: "Pool") -> None:
    """Close it; what is still running is cut after a moment."""
    with suppress(TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        await asyncio.wait_for(pool.close(), timeout=5)
        return
    pool.terminate()


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
                await connection.execute("select pg_advisory_unlock($1)", _MIGRATION_LOCK)
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
        except (*_DOWN, asyncpg.InterfaceError) as error:
            await log.awarning("no database yet", error=repr(error))
            await asyncio.sleep(0.5)
        else:
            await log.ainfo("database is up to date", applied=applied)
            return
