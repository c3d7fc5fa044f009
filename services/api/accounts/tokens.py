"""The live tokens of an organization: list, name and revoke them. The tokens themselves are shown to nobody."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.api.accounts.accounts import Identity
from services.api.contract.errors import NotFound
from services.api.contract.listing import Window
from services.api.contract.responses import LiveToken
from services.api.database.pool import Connection, Database
from shared.payload import json_text, timestamp

_COLUMNS = "id, name, hash, created, expires, (select username from users where users.id = user_id) as username"
_LIVE = "from tokens where org = $1 and expires > now()"
_PAGE = f"select {_COLUMNS} {_LIVE} order by created, id limit $2 offset $3"
_COUNT = f"select count(*) {_LIVE}"
_ONE = f"select {_COLUMNS} {_LIVE} and id = $2"
_RENAME = f"update tokens set name = $3 where org = $1 and expires > now() and id = $2 returning {_COLUMNS}"  # noqa: S608
_REVOKE = "delete from tokens where org = $1 and id = $2 and expires > now() returning id"


@dataclass(frozen=True)
class TokenSlice:
    """Part of a list of tokens: the items as JSON text, and how many there are in all."""

    count: int
    items: list[str]


class Tokens:
    """The tokens of all organizations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, identity: Identity, window: Window) -> TokenSlice:
        """A page of the live tokens of an organization, oldest first."""
        async with self._database.connection() as connection:
            count = await connection.fetchval(_COUNT, identity.org)
            rows = await list_tokens(connection, identity.org, window)
        return TokenSlice(count, [_shown(row, identity) for row in rows])

    async def read(self, identity: Identity, token: UUID) -> str:
        """A token as JSON text.

        Raises:
            NotFound: it is not there.
        """
        async with self._database.connection() as connection:
            return _shown(await connection.fetchrow(_ONE, identity.org, token), identity)

    async def rename(self, identity: Identity, token: UUID, name: str) -> str:
        """Give a token another name; returns it as JSON text.

        Raises:
            NotFound: it is not there.
        """
        async with self._database.connection() as connection:
            return _shown(await name_token(connection, identity.org, token, name), identity)

    async def revoke(self, identity: Identity, token: UUID) -> None:
        """Revoke a token, at once.

        Raises:
            NotFound: it is not there.
        """
        async with self._database.connection() as connection:
            if not await revoke_token(connection, identity.org, token):
                raise NotFound()


async def list_tokens(connection: Connection, org: str, window: Window) -> Sequence[Any]:
    """Live tokens of an organization, oldest first: rows of id, name, username, created and expires."""
    return await connection.fetch(_PAGE, org, window.size, window.offset)


async def name_token(connection: Connection, org: str, token: UUID, name: str) -> Any:
    """Give a token another name; returns its row, or None if it is not there."""
    return await connection.fetchrow(_RENAME, org, token, name)


async def revoke_token(connection: Connection, org: str, token: UUID) -> bool:
    """Revoke a token. Returns whether it was there."""
    return await connection.fetchval(_REVOKE, org, token) is not None


def _shown(row: Any, identity: Identity) -> str:
    if row is None:
        raise NotFound()
    token = LiveToken(
        id=row["id"],
        name=row["name"],
        username=row["username"],
        created=row["created"],
        expiry=row["expires"],
        current=row["hash"] == identity.credential,
    )
    shown = token.model_dump(mode="json")
    return json_text(shown | {"created": timestamp(token.created), "expiry": timestamp(token.expiry)})
