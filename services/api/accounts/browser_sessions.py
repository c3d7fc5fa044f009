"""The sessions of browsers: a cookie stands for a user who has logged in, or for the token that the session was begun with.

What a session may do is looked up with each request, so that a change of roles holds from the next one on. Of the cookie's secret
only a hash is stored. What requests that change something have to carry beside the cookie is made from the secret, so that it
need not be stored, and neither can be told from the other one's hash.
"""

import re
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from hmac import compare_digest
from typing import Any

from services.api.accounts.accounts import Identity
from services.api.contract.errors import InvalidSession
from services.api.contract.session_models import BrowserSession, OrganizationOfSession
from services.api.database.pool import Connection, Database

MOST_SESSIONS = 20
"""Of one user or token at a time; with one more, the oldest ends."""
_SECRET = re.compile(r"[0-9a-f]{64}")
_CSRF_PURPOSE = b"millrace csrf token of "

_LIVE = """
    select s.hash, coalesce(s.user_id, t.user_id) as user_id, t.org as org_of_token, s.expires, s.ends,
           u.username, coalesce(u.operator, t.operator) as operator, t.role as role_of_token,
           s.expires < least(s.ends, now() + $2::interval * 0.95) as is_older
    from browser_sessions s
    left join tokens t on t.id = s.token
    left join users u on u.id = coalesce(s.user_id, t.user_id)
    where s.hash = $1 and s.expires > now() and (s.token is null or t.expires > now())
"""
# A user's session is for all of his organizations, that of a token for the token's alone.
_ORGANIZATIONS = """
    select o.code, o.name, coalesce(m.role, $3) as role, o.max_requests_per_minute
    from organizations o left join memberships m on m.org = o.code and m.user_id = $1::bigint
    where ($2::text is null or o.code = $2) and (m.user_id is not null or ($1::bigint is null and o.code = $2))
"""
_LISTED = f"{_ORGANIZATIONS} order by o.name, o.code"
_ONE = f"{_ORGANIZATIONS} and o.code = $4"
_PROLONG = "update browser_sessions set expires = least(ends, now() + $2::interval) where hash = $1"
_BEGIN = """
    insert into browser_sessions (hash, user_id, token, expires, ends)
    select $1, $2::bigint, t.id, least(now() + $4::interval, now() + $5::interval, t.expires), least(now() + $5, t.expires)
    from (select) as once left join tokens t on t.hash = $3
    where $2 is not null or t.id is not null
"""
_GIVE_WAY = """
    delete from browser_sessions where hash = any(array(
        select s.hash from browser_sessions s left join tokens t on t.id = s.token
        where s.user_id = $1 or t.hash = $2 order by s.created desc offset $3))
"""


@dataclass(frozen=True)
class Begun:
    """A session that was just begun. ``secret`` is for the cookie; it is not stored."""

    secret: str
    shown: BrowserSession


class BrowserSessions:
    """All sessions of browsers.

    Args:
        idle: how long one lives without a request. life: how long at most.
    """

    def __init__(self, database: Database, *, idle: timedelta, life: timedelta) -> None:
        self._database = database
        self._idle = idle
        self.life = life

    async def begin_for_user(self, user: int, replaced: str | None) -> Begun:
        """Begin a session of a user whose password was checked.

        Args:
            replaced: the cookie that came with the request; its session ends.
        """
        return await self._begin(user, None, replaced)

    async def begin_for_token(self, identity: Identity, replaced: str | None) -> Begun:
        """Begin a session that stands for a token, and ends with it.

        Raises:
            InvalidSession: the token has ended meanwhile.
        """
        return await self._begin(None, identity.credential, replaced)

    async def _begin(self, user: int | None, token: bytes | None, replaced: str | None) -> Begun:
        # Always a new secret: whoever has put a cookie into somebody's browser does not learn of his session.
        secret = secrets.token_hex(32)
        async with self._database.transaction() as connection:
            if replaced:
                await _end(connection, replaced)
            await connection.execute(_GIVE_WAY, user, token, MOST_SESSIONS - 1)
            await connection.execute(_BEGIN, _hash(secret), user, token, self._idle, self.life)
            return Begun(secret, await self._shown(connection, secret))

    async def show(self, secret: str) -> BrowserSession:
        """Whose session it is.

        Raises:
            InvalidSession: it is none, or has ended.
        """
        async with self._database.connection() as connection:
            return await self._shown(connection, secret)

    async def identify(self, secret: str, org: str | None) -> Identity:
        """Who a cookie speaks for, and puts off the session's end.

        Args:
            org: the organization that is asked about. Where the user is not in it, the answer is about none.

        Raises:
            InvalidSession: it is none, or has ended.
        """
        async with self._database.connection() as connection:
            row = await self._live(connection, secret)
            of_token = row["org_of_token"], row["role_of_token"]
            found = await connection.fetchrow(_ONE, row["user_id"], *of_token, org or of_token[0])
            if row["org_of_token"] and not found and not org:
                # Its user is not in the organization any more.
                raise InvalidSession()
            # Not with each request: a twentieth of the time is near enough.
            if row["is_older"]:
                await connection.execute(_PROLONG, row["hash"], self._idle)
        asked = Identity("", row["hash"], None, row["user_id"], row["username"], row["operator"])
        if found is None:
            return asked
        quota: int | None = found["max_requests_per_minute"]
        return replace(asked, org=found["code"], role=found["role"], requests_per_minute=quota)

    async def end(self, secret: str) -> None:
        """End a session, at once."""
        async with self._database.connection() as connection:
            await _end(connection, secret)

    async def forget_expired(self) -> None:
        """Delete the sessions whose time is over."""
        async with self._database.connection() as connection:
            await connection.execute("delete from browser_sessions where expires <= now()")

    async def _live(self, connection: Connection, secret: str) -> Any:
        row = await connection.fetchrow(_LIVE, _hash(secret), self._idle) if _SECRET.fullmatch(secret) else None
        if row is None:
            raise InvalidSession()
        return row

    async def _shown(self, connection: Connection, secret: str) -> BrowserSession:
        row = await self._live(connection, secret)
        found = await connection.fetch(_LISTED, row["user_id"], row["org_of_token"], row["role_of_token"])
        if row["org_of_token"] and not found:
            raise InvalidSession()
        return BrowserSession(
            username=row["username"],
            operator=row["operator"],
            csrf_token=csrf_token(secret),
            expires=row["expires"],
            ends=row["ends"],
            organizations=[OrganizationOfSession(id=one["code"], name=one["name"], role=one["role"]) for one in found],
        )


def csrf_token(secret: str) -> str:
    """What requests of a session that change something have to carry beside the cookie."""
    return sha256(_CSRF_PURPOSE + secret.encode()).hexdigest()


def is_csrf_token(text: str, secret: str) -> bool:
    """Whether a text is the session's; takes as long whatever it is."""
    return compare_digest(_octets(text), csrf_token(secret).encode())


def _hash(secret: str) -> bytes:
    return sha256(_octets(secret)).digest()


def _octets(text: str) -> bytes:
    """What a header brought, whatever it is: octets that are no UTF-8 stand in the text as they cannot be encoded."""
    return text.encode(errors="surrogateescape")


async def _end(connection: Connection, secret: str) -> None:
    await connection.execute("delete from browser_sessions where hash = $1", _hash(secret))
