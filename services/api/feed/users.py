"""Bus users: made, listed, rotated and revoked. A password is shown once, and its hash alone is kept."""

import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from services.api.accounts.organizations import lock_organization
from services.api.contract.errors import Forbidden, NotFound
from services.api.contract.listing import Window
from services.api.contract.responses import BusUser, NewBusUser
from services.api.database.pool import Connection, Database
from shared.bus.permissions import bus_user_inbox, bus_user_permissions
from shared.bus.subjects import replay_subject
from shared.ids import ORG_ALPHABET
from shared.payload import json_text, timestamp

OFF = "Bus users are not set up here. Ask the operator of the server."
_NAME_LETTERS = 10
_COLUMNS = "id, org, name, username, created, rotated"
_OURS = "from bus_users where org = $1"
_PAGE = f"select {_COLUMNS} {_OURS} order by created, id limit $2 offset $3"
_COUNT = f"select count(*) {_OURS}"
_ONE = f"select {_COLUMNS} {_OURS} and id = $2"
_CREATE = f"insert into bus_users (org, name, username, password_hash) values ($1, $2, $3, $4) returning {_COLUMNS}"  # noqa: S608
_ROTATE = f"""
    update bus_users set password_hash = $3, rotated = clock_timestamp() where org = $1 and id = $2 returning {_COLUMNS}
"""  # noqa: S608 - our own names
_REVOKE = f"delete {_OURS} and id = $2 returning id"


@dataclass(frozen=True)
class BusUserSlice:
    """Part of a list of bus users: the items as JSON text, and how many there are in all."""

    count: int
    items: list[str]


class BusUsers:
    """The bus users of all organizations.

    Args:
        most: how many an organization may have.
        on_change: called when a user may no longer be connected.
    """

    def __init__(self, database: Database, *, most: int, on_change: Callable[[], None]) -> None:
        self._database = database
        self._most = most
        self._on_change = on_change

    async def page(self, org: str, window: Window) -> BusUserSlice:
        """A page of the bus users of an organization, oldest first."""
        async with self._database.connection() as connection:
            count = await connection.fetchval(_COUNT, org)
            rows = await list_bus_users(connection, org, window)
        return BusUserSlice(count, [_shown(row) for row in rows])

    async def read(self, org: str, user: UUID) -> str:
        """A bus user as JSON text.

        Raises:
            NotFound: it is not there.
        """
        async with self._database.connection() as connection:
            return _shown(await connection.fetchrow(_ONE, org, user))

    async def create(self, org: str, name: str) -> tuple[UUID, str]:
        """A new bus user: its id, and the user as JSON text with the password.

        Raises:
            Forbidden: the organization has as many as it may have.
        """
        async with self._database.transaction() as connection:
            row, password = await create_bus_user(connection, org, name, self._most)
        return row["id"], _shown(row, password)

    async def rotate(self, org: str, user: UUID) -> str:
        """Give a bus user a new password; the user as JSON text with it.

        Raises:
            NotFound: it is not there.
        """
        async with self._database.connection() as connection:
            row, password = await rotate_bus_user(connection, org, user)
        shown = _shown(row, password)
        self._on_change()
        return shown

    async def revoke(self, org: str, user: UUID) -> None:
        """Remove a bus user.

        Raises:
            NotFound: it is not there.
        """
        async with self._database.connection() as connection:
            if not await revoke_bus_user(connection, org, user):
                raise NotFound()
        self._on_change()

    async def organization_of(self, username: str, password: str) -> str | None:
        """The organization whose user this is, None where the password is not his."""
        async with self._database.connection() as connection:
            found: str | None = await connection.fetchval(
                "select org from bus_users where username = $1 and password_hash = $2", username, _hash(password)
            )
        return found

    async def rotated(self, usernames: Collection[str]) -> dict[str, datetime]:
        """Since when the passwords of these users hold; those that are none are left out."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                "select username, rotated from bus_users where username = any($1::text[])", list(usernames)
            )
        return {row["username"]: row["rotated"] for row in rows}


async def list_bus_users(connection: Connection, org: str, window: Window) -> Sequence[Any]:
    """Bus users of an organization, oldest first: rows of id, name, username, created and rotated."""
    return await connection.fetch(_PAGE, org, window.size, window.offset)


async def create_bus_user(connection: Connection, org: str, name: str, most: int) -> tuple[Any, str]:
    """Make a bus user: its row and its password. Runs inside the caller's transaction.

    Raises:
        Forbidden: the organization has ``most`` of them.
    """
    # The lock lets no two count at the same time.
    await lock_organization(connection, org)
    if await connection.fetchval(_COUNT, org) >= most:
        raise Forbidden(f"This organization may have {most} bus users. Revoke one of them first.")
    # The organization's code is its beginning: by it, the places for replies are told apart.
    username = f"{org}-{''.join(secrets.choice(ORG_ALPHABET) for _ in range(_NAME_LETTERS))}"
    password = secrets.token_hex(32)
    return await connection.fetchrow(_CREATE, org, name, username, _hash(password)), password


async def rotate_bus_user(connection: Connection, org: str, user: UUID) -> tuple[Any, str]:
    """Give a bus user a new password; returns its row, None if it is not there, and the password."""
    password = secrets.token_hex(32)
    return await connection.fetchrow(_ROTATE, org, user, _hash(password)), password


async def revoke_bus_user(connection: Connection, org: str, user: UUID) -> bool:
    """Remove a bus user. Returns whether it was there."""
    return await connection.fetchval(_REVOKE, org, user) is not None


def _hash(password: str) -> bytes:
    # A password of 32 random bytes cannot be guessed, so that a slow hash would protect nothing.
    return sha256(password.encode(errors="replace")).digest()


def _shown(row: Any, password: str | None = None) -> str:
    if row is None:
        raise NotFound()
    org, username = row["org"], row["username"]
    inbox = bus_user_inbox(username)
    allowed = bus_user_permissions(org, username)
    user = BusUser(
        id=row["id"],
        name=row["name"],
        username=username,
        inbox_prefix=inbox,
        subjects=[subject for subject in allowed.subscribe if not subject.startswith(inbox)],
        replay_subject=replay_subject(org),
        created=row["created"],
        rotated=row["rotated"],
    )
    if password is not None:
        user = NewBusUser(**dict(user), password=password)
    shown = user.model_dump(mode="json")
    return json_text(shown | {"created": timestamp(user.created), "rotated": timestamp(user.rotated)})
