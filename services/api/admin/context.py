"""What the operator's commands work with."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from nats.aio.client import Client

from services.api.accounts.directory import NotPossible
from services.api.accounts.organizations import Storages
from services.api.accounts.passwords import Passwords
from services.api.database.pool import Database, Pool
from services.api.settings import ApiSettings
from shared.bus.connection import connect

_CONNECT_SECONDS = 15.0


@dataclass(frozen=True)
class AdminContext:
    """What the commands work with."""

    settings: ApiSettings
    pool: "Pool"
    database: Database
    passwords: Passwords
    storages: Storages

    @asynccontextmanager
    async def bus(self) -> AsyncIterator[Client]:
        """A connection to NATS for the time of a block.

        Raises:
            NotPossible: it is out of reach.
        """
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                client = await connect(self.settings.nats_url, "api-admin", tls=self.settings.nats_tls)
        except TimeoutError:
            raise NotPossible("NATS is out of reach, or refuses the credentials") from None
        try:
            yield client
        finally:
            await client.close()
