"""What a worker needs around it when it is tried as a process: bus, work space, storage."""

import asyncio
import os
from dataclasses import dataclass, field

from shared.bus.topology import provision
from shared.workspace import WorkSpace
from tests.support.s3 import S3Server
from tests.support.servers import NatsServer

LEASE_SECONDS = 3
PREFIX = "films/one"


@dataclass(frozen=True)
class WorkSite:
    """Bus, work space and storage, and the key that seals credentials."""

    nats: NatsServer
    space: WorkSpace
    s3: S3Server
    key: bytes = field(default_factory=lambda: os.urandom(32))

    def prepare(self) -> None:
        """Provision the bus."""

        async def provisioned() -> None:
            client = await self.nats.connect()
            await provision(client.jetstream(), lease_seconds=LEASE_SECONDS)
            await client.close()

        asyncio.run(provisioned())
