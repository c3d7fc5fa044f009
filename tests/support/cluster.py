"""Three NATS servers that make a cluster, for what a single one cannot show: copies of streams."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from nats.aio.client import Client

from tests.support.bus import until
from tests.support.servers import NatsServer, free_port


class ClusterNode(NatsServer):
    """One of them. It calls itself healthy as soon as it answers, which is before there is a leader."""

    def __init__(self, name: str, port: int, routes: list[int]) -> None:
        super().__init__()
        self._name = name
        self._cluster_port = port
        self._routes = routes

    def argv(self) -> list[str]:
        """The command line."""
        routes = ",".join(f"nats://127.0.0.1:{port}" for port in self._routes)
        cluster = [
            "--cluster_name",
            "millrace",
            "--cluster",
            f"nats://127.0.0.1:{self._cluster_port}",
            "--routes",
            routes,
        ]
        return [*super().argv(), "--server_name", self._name, *cluster]


@asynccontextmanager
async def nats_cluster() -> AsyncIterator[Client]:
    """A connection to a cluster of three that has a leader."""
    ports = [free_port() for _ in range(3)]
    nodes = [ClusterNode(f"n{number}", port, ports) for number, port in enumerate(ports)]
    async with AsyncExitStack() as stack:
        # None of them answers as healthy before it has met the others.
        await asyncio.gather(*(stack.enter_async_context(node) for node in nodes))
        client = await nodes[0].connect()
        stack.push_async_callback(client.close)

        async def has_leader() -> bool:
            try:
                await client.jetstream().account_info()
            except Exception:
                return False
            return True

        await until(has_leader, seconds=30)
        yield client
