"""Sealing what PostgreSQL keeps with the newest key, so that older ones can go."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from services.api.accounts.organizations import storage_purpose
from services.api.database.pool import Database
from services.api.drm import contents, providers, signing_keys
from services.api.webhooks.hooks import secret_purpose
from shared.sealing import SealBroken, Sealer

_PAGE = 500


@dataclass(frozen=True)
class SealedColumn:
    """A column of sealed texts.

    Attributes:
        key: the columns that tell its rows apart. purpose: what the text of a row is sealed for, by the values of these.
    """

    table: str
    name: str
    key: tuple[str, ...]
    purpose: Callable[..., str]


COLUMNS = (
    SealedColumn("organizations", "storage", ("code",), storage_purpose),
    SealedColumn("organizations", "key_provider", ("code",), providers.purpose),
    SealedColumn("webhooks", "secret", ("id",), secret_purpose),
    SealedColumn("webhooks", "previous_secret", ("id",), secret_purpose),
    SealedColumn("drm_contents", "keys", ("org", "content_id"), contents.purpose),
    SealedColumn("drm_signing_keys", "pair", ("org",), signing_keys.purpose),
)
"""All there are."""


@dataclass
class Resealed:
    """What became of a column: how many texts were sealed anew, and the purposes of those that no key opens."""

    column: SealedColumn
    count: int = 0
    broken: tuple[str, ...] = ()


async def reseal(database: Database, sealer: Sealer, column: SealedColumn) -> Resealed:
    """Seal all texts of a column with the first key. It may be interrupted and run again, and others may write meanwhile."""
    done = Resealed(column)
    async for row in _rows(database, column):
        key, sealed = [row[name] for name in column.key], row[column.name]
        purpose = column.purpose(*key)
        try:
            anew = sealer.reseal(sealed, purpose)
        except SealBroken:
            done.broken += (purpose,)
            continue
        if anew is not None:
            # Not over what somebody has set meanwhile, who had the new key.
            await _execute(database, column, key, anew, sealed)
            done.count += 1
    return done


async def _rows(database: Database, column: SealedColumn) -> AsyncIterator[Any]:
    key = ", ".join(column.key)
    places = ", ".join(f"${number}" for number in range(1, len(column.key) + 1))
    every = f"select {key}, {column.name} from {column.table} where {column.name} is not null"  # noqa: S608 - our own names
    after: list[Any] = []
    while True:
        beyond = f" and ({key}) > ({places})" if after else ""
        async with database.connection() as connection:
            rows = await connection.fetch(f"{every}{beyond} order by {key} limit {_PAGE}", *after)
        for row in rows:
            yield row
        if len(rows) < _PAGE:
            return
        after = [rows[-1][name] for name in column.key]


async def _execute(database: Database, column: SealedColumn, key: list[Any], anew: bytes, sealed: bytes) -> None:
    same = " and ".join(f"{name} = ${number}" for number, name in enumerate(column.key, 3))
    async with database.connection() as connection:
        await connection.execute(
            f"update {column.table} set {column.name} = $1 where {column.name} = $2 and {same}",  # noqa: S608 - our own names
            anew,
            sealed,
            *key,
        )
