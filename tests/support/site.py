"""What a worker needs around it when it is tried as a process: bus, work space, storage."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from shared.bus.topology import provision
from shared.workspace.folder import WorkFolder
from tests.support.s3 import S3Server, s3_server
from tests.support.servers import NatsServer

LEASE_SECONDS = 3
PREFIX = "films/one"


@dataclass(frozen=True)
class WorkSite:
    """Bus, work space and storage, and the key that seals credentials."""

    nats: NatsServer
    space: WorkFolder
    s3: S3Server
    key: bytes = field(default_factory=lambda: os.urandom(32))

    @classmethod
    @contextmanager
    def opened(cls, nats: NatsServer, folder: Path) -> Iterator[Self]:
        """On a bus of the caller's, which is provisioned, with a work space in this folder and a storage of its own."""
        with s3_server() as s3:
            site = cls(nats, WorkFolder(folder.as_uri()), s3)
            site._provision()
            yield site

    def _provision(self) -> None:

        async def provisioned() -> None:
            client = await self.nats.connect()
            await provision(client.jetstream(), lease_seconds=LEASE_SECONDS)
            await client.close()

        asyncio.run(provisioned())
