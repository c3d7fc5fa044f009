"""Who users and tokens are: login, logout, and for whom a token speaks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from asyncpg import Record

from services.api.accounts.issuing import IssuedToken, issue_token, token_hash
from services.api.accounts.login_guard import LoginGuard
from services.api.accounts.passwords import Passwords
from services.api.contract.account_models import PasswordRequest
from services.api.contract.errors import NON_FIELD, Forbidden, Invalid, InvalidToken
from services.api.contract.models import LoginRequest
from services.api.contract.roles import Needed, OrganizationRole, may
from services.api.database.pool import Connection, Database, DatabaseDown
from shared.coalescing import Coalescer

TOKEN = re.compile(r"[0-9a-f]{64}")
_HEADER = re.compile(r"\s*token\s+([0-9a-f]{64})\s*", re.IGNORECASE)
_RIGHT_SCHEME = "Send it as: Authorization: Token <token>"
_CREDENTIALS = """
    select id, password_hash,
           $2::text is null or exists (select from memberships where user_id = users.id and org = $2) as is_in
    from users where username = $1
"""
_IDENTIFY = """
    select t.hash, t.org, t.user_id, u.username, coalesce(m.role, t.role) as role,
           coalesce(u.operator, t.operator) as operator,
           o.max_requests_per_minute
    from tokens t
    join organizations o on o.code = t.org
    left join users u on u.id = t.user_id
    left join memberships m on m.user_id = t.user_id and m.org = t.org
    where t.hash = any($1::bytea[]) and t.expires > now() and (t.user_id is null or m.user_id is not null)
"""
_END_TOKENS = """
    delete from tokens where user_id = $1 and hash <> $2
        and id is distinct from (select token from browser_sessions where hash = $2)
"""


@dataclass(frozen=True)
class Identity:
    """Who asks, and what he may do.

    Attributes:
        org: the organization that is asked about; empty for a session that asks about none.
        credential: what is stored of the token, or of the session's secret.
        role: in that organization; None where there is none.
        user: the id of who has logged in; None for a token that belongs to the organization.
        username: his name.
        operator: whether he sees to the server.
        requests_per_minute: the organization's own quota, if it has one.
    """

    org: str
    credential: bytes
    role: OrganizationRole | None
    user: int | None = None
    username: str | None = None
    operator: bool = False
    requests_per_minute: int | None = None

    def may(self, needed: Needed) -> bool:
        """Whether he may do what needs a role."""
        return may(self.role, needed, operator=self.operator)


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
        self._identified = Coalescer(self._identify_each, everybodys=(DatabaseDown,))

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
                row = await connection.fetchrow(_CREDENTIALS, storable(username), org and storable(org))
            known = await self._passwords.check(row["password_hash"] if row else None, password)
            # One answer for an unknown user, a wrong password and a foreign organization: none of them is anybody's business.
            if row is None or not known or not row["is_in"]:
                attempt.failed = True
                raise Invalid({NON_FIELD: ["Unable to log in with provided credentials."]})
            attempt.succeeded = True
        user: int = row["id"]
        return user

    async def hash(self, password: str, address: str) -> str:
        """The hash of a new password. It stands in line as logins do, since it takes as much.

        Raises:
            TooManyRequests: too many in line, from there. Unavailable: too many at a time in all.
        """
        async with self._guard.attempt("", address):
            return await self._passwords.hash(password)

    async def change_password(self, identity: Identity, request: PasswordRequest, address: str) -> None:
        """Give a user a new password. Tokens and browser sessions that were got with the old one end, but for the request's.

        Raises:
            Forbidden: the token is no user's. Invalid: wrong password.
            TooManyRequests: too many failures, or too many in line, from there. Unavailable: too many at a time in all.
        """
        if identity.username is None:
            raise Forbidden("This token belongs to no user who could have a password.")
        try:
            user = await self.authenticate(identity.username, request.password, address)
        except Invalid:
            raise Invalid({"password": ["This is not the present password."]}) from None
        hashed = await self.hash(request.new_password, address)
        async with self._database.transaction() as connection:
            await set_password(connection, user, hashed, keep=identity.credential)

    async def logout(self, identity: Identity) -> None:
        """Revoke the token, or end the browser session, at once."""
        async with self._database.transaction() as connection:
            for table in ("tokens", "browser_sessions"):
                await connection.execute(f"delete from {table} where hash = $1", identity.credential)  # noqa: S608

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
        known = {row["hash"]: _identity(row) for row in rows}
        return [known.get(hashed) or InvalidToken() for hashed in hashes]


def _identity(row: Record) -> Identity:
    return Identity(
        row["org"],
        row["hash"],
        row["role"],
        row["user_id"],
        row["username"],
        row["operator"],
        row["max_requests_per_minute"],
    )


def storable(text: str) -> str:
    """A text without what PostgreSQL has no texts with; what it stands for is in none of ours."""
    return text.replace("\0", "\ufffd")


async def set_password(connection: "Connection", user: int, hashed: str, *, keep: bytes = b"") -> None:
    """Change a user's password; what was got with the old one ends. Runs inside the caller's transaction.

    Args:
        keep: what is stored of a token or browser session that does not.
    """
    await connection.execute("update users set password_hash = $2 where id = $1", user, hashed)
    # A session that stands for a token goes with it, so that the token of one that is kept has to be kept, too.
    await connection.execute(_END_TOKENS, user, keep)
    await connection.execute("delete from browser_sessions where user_id = $1 and hash <> $2", user, keep)
