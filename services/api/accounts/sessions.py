"""Long requests end when their token or browser session does. Short ones need none of this: it was good when they began."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from services.api.accounts.accounts import Identity
from services.api.database.pool import Database, DatabaseDown

LOOK_SECONDS = 2.0
_GOOD = """
    select asked.hash, asked.org from unnest($1::bytea[], $2::text[]) as asked (hash, org) where exists (
        select from tokens t where t.hash = asked.hash and t.expires > now()
    ) or exists (
        select from browser_sessions s
        left join tokens t on t.id = s.token
        left join memberships m on m.user_id = s.user_id and m.org = asked.org
        where s.hash = asked.hash and s.expires > now() and (t.expires > now() or m.user_id is not null)
    )
"""


@dataclass
class Session:
    """The requests that one token or browser session has under way in an organization.

    ``over``: it has ended, or its user is not in the organization any more.
    """

    requests: int = 0
    over: bool = False


class Sessions:
    """The long requests of one process. Their tokens and browser sessions are looked up together, however many there are."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: dict[tuple[bytes, str], Session] = {}

    @contextmanager
    def hold(self, identity: Identity) -> Iterator[Session]:
        """A block for one long request, which has to look at ``over`` now and then."""
        key = identity.credential, identity.org
        session = self._held.setdefault(key, Session())
        session.requests += 1
        try:
            yield session
        finally:
            session.requests -= 1
            if not session.requests and self._held.get(key) is session:
                del self._held[key]

    async def run(self) -> None:
        """Look for what has come to its end until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except DatabaseDown as error:
                # Nobody is cut off for that.
                await structlog.get_logger().awarning("tokens of streams not looked up", error=repr(error))

    async def look(self) -> None:
        """Find the sessions that are over.

        Raises:
            DatabaseDown: nothing is known.
        """
        held = dict(self._held)
        if not held:
            return
        async with self._database.connection() as connection:
            rows = await connection.fetch(_GOOD, [credential for credential, _ in held], [org for _, org in held])
        for key in held.keys() - {(row["hash"], row["org"]) for row in rows}:
            held[key].over = True
            # Should the same token be bootstrapped again, it begins anew.
            self._held.pop(key, None)
