"""Organizations, their users and their tokens."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from services.api.accounts.login_guard import LoginGuard
from services.api.accounts.organizations import lock_organization
from services.api.accounts.passwords import Passwords
from services.api.contract.errors import NON_FIELD, Forbidden, Invalid, InvalidToken
from services.api.contract.models import LoginRequest
from services.api.database.pool import Connection, Database, DatabaseDown
from shared.coalescing import Coalescer

TOKEN = re.compile(r"[0-9a-f]{64}")
_HEADER = re.compile(r"\s*token\s+([0-9a-f]{64})\s*", re.IGNORECASE)
_RIGHT_SCHEME = "Send it as: Authorization: Token <token>"
_IDENTIFY = """
    select hash, org, max_requests_per_minute from tokens join organizations on code = org
    where hash = any($1::bytea[]) and expires > now()
"""
_MOST_TOGETHER = 200
_GIVE_WAY = """
    delete from tokens where hash = any(array(
        select hash from tokens where org = $1 and user_id is not null order by created, id limit $2))
    returning hash
"""


@dataclass(frozen=True)
class Identity:
    """Who a token speaks for.

    Attributes:
        token_hash: what is stored of the token.
        requests_per_minute: the organization's own quota, if it has one.
    """

    org: str
    token_hash: bytes
    requests_per_minute: int | None = None


@dataclass(frozen=True)
class IssuedToken:
    """A token that was just made; nobody will see it again."""

    token: str
    expiry: datetime


def token_hash(token: str) -> bytes:
    """What is stored of a token."""
    return sha256(token.encode()).digest()


class Accounts:
    """Login, logout, and who a token speaks for.

    Args:
        days: how long a token lives. most_tokens: live tokens that an organization may have.
    """

    def __init__(
        self, database: Database, passwords: Passwords, guard: LoginGuard, *, days: float, most_tokens: int
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._guard = guard
        self._life = timedelta(days=days)
        self._most_tokens = most_tokens
        self._identified = Coalescer(self._identify_each, most=_MOST_TOGETHER, everybodys=(DatabaseDown,))

    async def login(self, request: LoginRequest, address: str) -> IssuedToken:
        """A token for a user of an organization.

        Raises:
            Invalid: wrong credentials. Forbidden: too many tokens that the operator has made.
            TooManyRequests: too many failures, or too many in line, from there. Unavailable: too many at a time in all.
        """
        async with self._guard.attempt(request.username, address) as attempt:
            async with self._database.connection() as connection:
                row = await connection.fetchrow(
                    "select u.id, u.password_hash, m.org"
                    " from users u left join memberships m on m.user_id = u.id and m.org = $2 where u.username = $1",
                    request.username.replace("\0", "\ufffd"),
                    request.organization_id.replace("\0", "\ufffd"),
                )
            known = await self._passwords.check(row["password_hash"] if row else None, request.password)
            # One answer for an unknown user, a wrong password and a foreign organization: none of them is anybody's business.
            if row is None or not known or row["org"] is None:
                attempt.failed = True
                raise Invalid({NON_FIELD: ["Unable to log in with provided credentials."]})
            attempt.succeeded = True
        async with self._database.transaction() as connection:
            return await issue_token(
                connection, row["org"], row["id"], self._life, self._most_tokens, name=request.token_name
            )

    async def logout(self, identity: Identity) -> None:
        """Revoke the token, at once."""
        async with self._database.connection() as connection:
            await connection.execute("delete from tokens where hash = $1", identity.token_hash)

    async def name_of(self, org: str) -> str:
        """The name of an organization; its code where it is gone."""
        async with self._database.connection() as connection:
            name: str | None = await connection.fetchval("select name from organizations where code = $1", org)
        return name or org

    async def forget_expired(self) -> None:
        """Delete tokens whose time is over."""
        async with self._database.connection() as connection:
            await connection.execute("delete from tokens where expires <= now()")

    async def identify(self, authorization: str | None) -> Identity:
        """Who an ``Authorization`` header speaks for.

        Raises:
            InvalidToken: it is not good.
        """
        match = _HEADER.fullmatch(authorization or "")
        if not match:
            scheme, _, _ = (authorization or "").strip().partition(" ")
            raise InvalidToken(_RIGHT_SCHEME if scheme and scheme.lower() != "token" else "")
        return await self._identified.do(token_hash(match[1]))

    async def _identify_each(self, hashes: Sequence[bytes]) -> list[Identity | Exception]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(_IDENTIFY, hashes)
        known = {row["hash"]: Identity(row["org"], row["hash"], row["max_requests_per_minute"]) for row in rows}
        return [known.get(hashed) or InvalidToken() for hashed in hashes]


async def issue_token(
    connection: "Connection", org: str, user_id: int | None, life: timedelta, most: int, *, name: str = ""
) -> IssuedToken:
    """Make a token. Runs inside the caller's transaction.

    Where the organization has ``most`` live tokens already, the oldest from a login gives way: nobody shall be locked out by
    logins that were forgotten. Those that the operator has made stay.

    Raises:
        Forbidden: all of them were made by the operator.
    """
    # The lock lets no two logins count at the same time.
    await lock_organization(connection, org)
    await connection.execute("delete from tokens where org = $1 and expires <= now()", org)
    surplus = await connection.fetchval("select count(*) from tokens where org = $1", org) - most + 1
    if surplus > 0 and len(await connection.fetch(_GIVE_WAY, org, surplus)) < surplus:
        raise Forbidden(
            f"This organization may have {most} live tokens, and the operator has made as many. Revoke one of them first."
        )
    issued = IssuedToken(secrets.token_hex(32), datetime.now(UTC) + life)
    await connection.execute(
        "insert into tokens (hash, org, user_id, created, expires, name) values ($1, $2, $3, clock_timestamp(), $4, $5)",
        token_hash(issued.token),
        org,
        user_id,
        issued.expiry,
        name,
    )
    return issued
