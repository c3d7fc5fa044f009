"""New tokens: they are shown once, and only their hashes are kept."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from services.api.accounts.organizations import lock_organization
from services.api.contract.errors import Forbidden
from services.api.contract.roles import OrganizationRole
from services.api.database.pool import Connection

_ISSUE = """
    insert into tokens (hash, org, user_id, created, expires, name, role, operator)
    values ($1, $2, $3, clock_timestamp(), $4, $5, $6, $7) returning id
"""
_GIVE_WAY = """
    delete from tokens where hash = any(array(
        select hash from tokens where org = $1 and user_id is not null
        order by (user_id = $3) is true desc, created, id limit $2))
    returning hash
"""


@dataclass(frozen=True)
class IssuedToken:
    """A token that was just made; nobody will see it again."""

    token: str
    expiry: datetime
    id: UUID


@dataclass(frozen=True)
class Power:
    """What a token may do that belongs to no user."""

    role: OrganizationRole = "admin"
    operator: bool = False


ALL = Power()
"""All that can be done in an organization."""


def token_hash(token: str) -> bytes:
    """What is stored of a token."""
    return sha256(token.encode()).digest()


async def issue_token(
    connection: Connection,
    org: str,
    user_id: int | None,
    life: timedelta,
    most: int,
    *,
    name: str = "",
    power: Power = ALL,
) -> IssuedToken:
    """Make a token. Runs inside the caller's transaction.

    Args:
        power: of a token that belongs to no user; with a user, what he may do counts.

    Where the organization has ``most`` live tokens already, the oldest from a login gives way, of the user's own if there is one:
    nobody shall be locked out by logins that were forgotten. Those that belong to no user stay.

    Raises:
        Forbidden: all of them belong to no user.
    """
    # The lock lets no two logins count at the same time.
    await lock_organization(connection, org)
    await connection.execute("delete from tokens where org = $1 and expires <= now()", org)
    surplus = await connection.fetchval("select count(*) from tokens where org = $1", org) - most + 1
    if surplus > 0 and len(await connection.fetch(_GIVE_WAY, org, surplus, user_id)) < surplus:
        raise Forbidden(
            f"This organization may have {most} live tokens, and has as many that are from no login. Revoke one of them first."
        )
    token, expiry = secrets.token_hex(32), datetime.now(UTC) + life
    made = token_hash(token), org, user_id, expiry, name, power.role, power.operator
    return IssuedToken(token, expiry, await connection.fetchval(_ISSUE, *made))
