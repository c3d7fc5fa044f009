"""Who users and tokens are: login, logout, and for whom a token speaks."""

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from services.api.accounts.login_guard import LoginGuard
from services.api.accounts.organizations import lock_organization
from services.api.accounts.passwords import Passwords
from services.api.contract.errors import NON_FIELD, Forbidden, Invalid, InvalidToken
from services.api.contract.models import LoginRequest
from services.api.contract.roles import OrganizationRole, has_role
from services.api.database.pool import Connection, Database

TOKEN = re.compile(r"[0-9a-f]{64}")
_HEADER = re.compile(r"\s*token\s+([0-9a-f]{64})\s*", re.IGNORECASE)
_RIGHT_SCHEME = "Send it as: Authorization: Token <token>"
_CREDENTIALS = """
    select id, password_hash,
           $2::text is null or exists (select from memberships where user_id = users.id and org = $2) as is_in
    from users where username = $1
"""
_IDENTIFY = """
    select t.org, t.user_id, coalesce(m.role, t.role) as role, coalesce(u.operator, t.operator) as operator,
           o.max_requests_per_minute
    from tokens t
    join organizations o on o.code = t.org
    left join users u on u.id = t.user_id
    left join memberships m on m.user_id = t.user_id and m.org = t.org
    where t.hash = $1 and t.expires > now() and (t.user_id is null or m.user_id is not null)
"""
_GIVE_WAY = """
    delete from tokens where hash = any(array(
        select hash from tokens where org = $1 and user_id is not null order by created, id limit $2))
    returning hash
"""


@dataclass(frozen=True)
class Identity:
    """Who asks, and what he may do.

    Attributes:
        org: the organization that is asked about; empty for a session that asks about none.
        credential: what is stored of the token, or of the session's secret.
        role: in that organization; None where there is none.
        user: the id of who has logged in; None for a token that belongs to the organization.
        operator: whether he sees to the server.
        requests_per_minute: the organization's own quota, if it has one.
    """

    org: str
    credential: bytes
    role: OrganizationRole | None = "admin"
    user: int | None = None
    operator: bool = False
    requests_per_minute: int | None = None

    def is_admin(self) -> bool:
        """Whether he is an admin of the organization."""
        return self.role is not None and has_role(self.role, "admin")


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

    async def login(self, request: LoginRequest, address: str) -> IssuedToken:
        """A token for a user of an organization.

        Raises:
            Invalid: wrong credentials. Forbidden: too many tokens that the operator has made.
            TooManyRequests: too many failures, or too many in line, from there. Unavailable: too many at a time in all.
        """
        org = request.organization_id
        user = await self.authenticate(request.username, request.password, address, org=org)
        async with self._database.transaction() as connection:
            return await issue_token(connection, org, user, self._life, self._most_tokens, name=request.token_name)

    async def authenticate(self, username: str, password: str, address: str, *, org: str | None = None) -> int:
        """The id of the user who has this password.

        Args:
            address: where the request comes from. org: an organization that he has to be in.

        Raises:
            Invalid: wrong credentials.
            TooManyRequests: too many failures, or too many in line, from there. Unavailable: too many at a time in all.
        """
        async with self._guard.attempt(username, address) as attempt:
            async with self._database.connection() as connection:
                row = await connection.fetchrow(_CREDENTIALS, _storable(username), org and _storable(org))
            known = await self._passwords.check(row["password_hash"] if row else None, password)
            # One answer for an unknown user, a wrong password and a foreign organization: none of them is anybody's business.
            if row is None or not known or not row["is_in"]:
                attempt.failed = True
                raise Invalid({NON_FIELD: ["Unable to log in with provided credentials."]})
            attempt.succeeded = True
        user: int = row["id"]
        return user

    async def logout(self, identity: Identity) -> None:
        """Revoke the token, or end the browser session, at once."""
        async with self._database.transaction() as connection:
            for table in ("tokens", "browser_sessions"):
                await connection.execute(f"delete from {table} where hash = $1", identity.credential)  # noqa: S608

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
        hashed = token_hash(match[1])
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_IDENTIFY, hashed)
        if row is None:
            raise InvalidToken()
        return Identity(
            row["org"], hashed, row["role"], row["user_id"], row["operator"], row["max_requests_per_minute"]
        )


def _storable(text: str) -> str:
    """A text without what PostgreSQL has no texts with; what it stands for is in none of ours."""
    return text.replace("\0", "\ufffd")


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
