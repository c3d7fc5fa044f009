"""The api's tables in a test's database."""

from typing import Any

from pydantic import SecretStr

from services.api.database.migrate import migrate
from services.api.database.pool import Connection, close_pool, open_pool

TABLES = (
    "jobs",
    "job_words",
    "deliveries",
    "offsets",
    "output_claims",
    "progress_shown",
    "webhooks",
    "idempotency_keys",
    "organizations",
)
"""What a server fills while it runs."""


async def migrated(database_url: str) -> str:
    """Bring a test's database up to date.

    Returns:
        the same address.
    """
    pool = await open_pool(SecretStr(database_url), 1)
    try:
        await migrate(pool)
    finally:
        await close_pool(pool)
    return database_url


async def new_organization(connection: Connection, code: str) -> str:
    """An organization, unless it is there. Returns its code."""
    await connection.execute("insert into organizations (code, name) values ($1, $1) on conflict do nothing", code)
    return code


async def dump(connection: Connection) -> dict[str, list[Any]]:
    """Every row of every table, in a definite order."""
    return {table: sorted(map(tuple, await connection.fetch(f"select * from {table}")), key=repr) for table in TABLES}
