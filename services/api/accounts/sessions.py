"""Long requests end when their token does. Short ones need none of this: their token was good when they began."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from services.api.accounts.accounts import Identity
from services.api.database.pool import Database, DatabaseDown

LOOK_SECONDS = 2.0


@dataclass
class Session:
    """The requests that one token has under way. ``over``: the token is revoked or has expired."""

    requests: int = 0
    over: bool = False


class Sessions:
    """The long requests of one process. All their tokens are looked up together, so it makes no difference how many there are."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._by_token: dict[bytes, Session] = {}

    @contextmanager
    def hold(self, identity: Identity) -> Iterator[Session]:
        """A block for one long request, which has to look at ``over`` now and then."""
        session = self._by_token.setdefault(identity.token_hash, Session())
        session.requests += 1
        try:
            yield session
        finally:
            session.requests -= 1
            if not session.requests and self._by_token.get(identity.token_hash) is session:
                del self._by_token[identity.token_hash]

    async def run(self) -> None:
        """Look for tokens that have come to their end until cancelled."""
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
        held = dict(self._by_token)
        if not held:
            return
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                "select hash from tokens where hash = any($1::bytea[]) and expires > now()", list(held)
            )
        for token in held.keys() - {row["hash"] for row in rows}:
            held[token].over = True
            # Should the same token be bootstrapped again, it begins anew.
            self._by_token.pop(token, None)
