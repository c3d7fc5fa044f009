"""The pool of connections, and what it means when they fail."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import asyncpg
from pydantic import SecretStr

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Connection = Pool = Any

CONNECT_SECONDS = 3.0
# Under a burst of requests a connection has to be waited for.
ACQUIRE_SECONDS = 10.0
COMMAND_SECONDS = 15.0

DOWN = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    # Too many connections, no memory, and above all a full disk.
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresIOError,
    # A standby, or a primary that its operator has stopped from writing.
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InternalClientError,
)
"""Errors that mean that Postgres is out of reach, or cannot do it now whatever is asked of it."""


class DatabaseDown(Exception):
    """Postgres is out of reach or out of space, or went away in the middle; whether a commit under way took place is unknown."""


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
        except DOWN as error:
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
        reset=_leave,
    )


async def _leave(_connection: "Connection") -> None:
    """Leave a connection that comes back to the pool as it is.

    By default a query would undo whatever was done to it, each time. But whoever borrows one changes no settings, holds no lock
    beyond a transaction and listens to nothing.
    """


async def close_pool(pool: "Pool") -> None:
    """Close it; what is still running is cut after a moment."""
    with suppress(TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        await asyncio.wait_for(pool.close(), timeout=5)
        return
    pool.terminate()
