"""The live tokens of an organization: make, list, name and revoke them. The tokens themselves are shown to nobody."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from services.api.accounts.accounts import Identity
from services.api.accounts.issuing import Power, issue_token
from services.api.contract.account_models import NewToken, NewTokenRequest
from services.api.contract.errors import NotFound
from services.api.contract.listing import Window
from services.api.contract.responses import LiveToken
from services.api.database.pool import Connection, Database
from shared.payload import json_text, timestamp

_COLUMNS = "t.id, t.name, t.hash, t.created, t.expires, u.username, coalesce(m.role, t.role) as role"
_FROM = """
    from tokens t left join users u on u.id = t.user_id
    left join memberships m on m.user_id = t.user_id and m.org = t.org
    where t.org = $1 and t.expires > now()
"""
# Admins see all of them, others their own.
_SEEN = f"{_FROM} and ($2 or t.user_id = $3 or t.hash = $4)"
_PAGE = f"select {_COLUMNS} {_SEEN} order by t.created, t.id limit $5 offset $6"
_COUNT = f"select count(*) {_SEEN}"
_ONE = f"select {_COLUMNS} {_SEEN} and t.id = $5"
_ALL = f"select {_COLUMNS} {_FROM} order by t.created, t.id limit $2 offset $3"
_RENAME = "update tokens set name = $3 where org = $1 and id = $2 and expires > now() returning id"
_REVOKE = "delete from tokens where org = $1 and id = $2 and expires > now() returning id"


@dataclass(frozen=True)
class TokenSlice:
    """Part of a list of tokens: the items as JSON text, and how many there are in all."""

    count: int
    items: list[str]


class Tokens:
    """The tokens of all organizations. Whoever is no admin sees those of his own logins, and the one that he uses.

    Args:
        days: how long a token lives where nobody says. most: live tokens that an organization may have.
    """

    def __init__(self, database: Database, *, days: float, most: int) -> None:
        self._database = database
        self._days = days
        self._most = most

    async def create(self, identity: Identity, request: NewTokenRequest) -> NewToken:
        """Make a token that belongs to no user, and so stays when its maker goes.

        Raises:
            Forbidden: the organization has as many as it may have.
        """
        life, power = timedelta(days=request.days or self._days), Power(request.role)
        async with self._database.transaction() as connection:
            issued = await issue_token(connection, identity.org, None, life, self._most, name=request.name, power=power)
        return NewToken(id=issued.id, name=request.name, role=request.role, expiry=issued.expiry, token=issued.token)

    async def page(self, identity: Identity, window: Window) -> TokenSlice:
        """A page of the live tokens of an organization, oldest first."""
        seen = _seen_by(identity)
        async with self._database.connection() as connection:
            count = await connection.fetchval(_COUNT, *seen)
            rows = await connection.fetch(_PAGE, *seen, window.size, window.offset)
        return TokenSlice(count, [_shown(row, identity) for row in rows])

    async def read(self, identity: Identity, token: UUID) -> str:
        """A token as JSON text.

        Raises:
            NotFound: it is not there.
        """
        async with self._database.connection() as connection:
            return await _read(connection, identity, token)

    async def rename(self, identity: Identity, token: UUID, name: str) -> str:
        """Give a token another name; returns it as JSON text.

        Raises:
            NotFound: it is not there.
        """
        async with self._database.transaction() as connection:
            await _read(connection, identity, token)
            await name_token(connection, identity.org, token, name)
            return await _read(connection, identity, token)

    async def revoke(self, identity: Identity, token: UUID) -> None:
        """Revoke a token, at once.

        Raises:
            NotFound: it is not there.
        """
        async with self._database.transaction() as connection:
            await _read(connection, identity, token)
            await revoke_token(connection, identity.org, token)


async def list_tokens(connection: Connection, org: str, window: Window) -> Sequence[Any]:
    """Live tokens of an organization, oldest first: rows of id, name, username, role, created and expires."""
    return await connection.fetch(_ALL, org, window.size, window.offset)


async def name_token(connection: Connection, org: str, token: UUID, name: str) -> bool:
    """Give a token another name. Returns whether it was there."""
    return await connection.fetchval(_RENAME, org, token, name) is not None


async def revoke_token(connection: Connection, org: str, token: UUID) -> bool:
    """Revoke a token. Returns whether it was there."""
    return await connection.fetchval(_REVOKE, org, token) is not None


def _seen_by(identity: Identity) -> tuple[str, bool, int | None, bytes]:
    return identity.org, identity.may("admin"), identity.user, identity.credential


async def _read(connection: Connection, identity: Identity, token: UUID) -> str:
    row = await connection.fetchrow(_ONE, *_seen_by(identity), token)
    if row is None:
        raise NotFound()
    return _shown(row, identity)


def _shown(row: Any, identity: Identity) -> str:
    token = LiveToken(
        id=row["id"],
        name=row["name"],
        username=row["username"],
        role=row["role"],
        created=row["created"],
        expiry=row["expires"],
        current=row["hash"] == identity.credential,
    )
    shown = token.model_dump(mode="json")
    return json_text(shown | {"created": timestamp(token.created), "expiry": timestamp(token.expiry)})
