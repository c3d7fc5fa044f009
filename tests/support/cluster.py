"""Three NATS servers that make a cluster, for what a single one cannot show: copies of streams, and servers that die.

with nats_cluster() as cluster:
    cluster.url                                     # as a setting has it
    node = await cluster.leader(client, JOBS)
    node.kill(); node.start()
"""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from nats.aio.client import Client
from nats.errors import Error as NatsError
from pydantic import SecretStr

from shared.bus.connection import connect
from shared.bus.topology import provision
from stack.probes import http_ok
from tests.support.bus import until
from tests.support.ports import free_port
from tests.support.servers import NatsServer

PASSWORD = "pass/word"
"""Needs to be encoded in an address, as passwords of others may."""


class ClusterNode(NatsServer):
    """One of them. It has started as soon as it answers, which is before it has met the others."""

    def __init__(self, name: str, port: int, routes: list[int]) -> None:
        super().__init__()
        self.name = name
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
        return [*super().argv(), "--server_name", self.name, "--user", "millrace", "--pass", PASSWORD, *cluster]

    def ready(self) -> bool:
        return http_ok(self.http_port, "/healthz?js-enabled-only=true")

    def freeze(self) -> None:
        """Stop it without a word to anybody: its connections stay and nothing comes out of them."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)


@dataclass(frozen=True)
class Cluster:
    """All of them."""

    nodes: list[ClusterNode]

    @property
    def url(self) -> str:
        """All servers, with user and password in the first address only."""
        first, *others = (f"127.0.0.1:{node.port}" for node in self.nodes)
        return f"nats://millrace:{PASSWORD.replace('/', '%2F')}@{', '.join([first, *others])}"

    async def connect(self) -> Client:
        """A new connection, to whichever node; whoever asked closes it."""
        return await connect(SecretStr(self.url), "test")

    async def leader(self, client: Client, stream: str) -> ClusterNode:
        """The node that leads a stream, as soon as there is one."""

        async def found() -> ClusterNode | None:
            try:
                info = await client.jetstream(timeout=2).stream_info(stream)
            except (NatsError, TimeoutError):
                return None
            return next((node for node in self.nodes if info.cluster and info.cluster.leader == node.name), None)

        return await until(found, seconds=60, what=f"{stream} has a leader")

    def node_of(self, client: Client) -> ClusterNode:
        """The node that a client is connected to."""
        url = client.connected_url
        return next(node for node in self.nodes if url and node.port == url.port)


@contextmanager
def nats_cluster() -> Iterator[Cluster]:
    """A cluster of three, for a ``with`` block."""
    ports = [free_port() for _ in range(3)]
    nodes = [ClusterNode(f"n{number}", port, ports) for number, port in enumerate(ports)]
    with ExitStack() as stack:
        for node in nodes:
            stack.enter_context(node)
        yield Cluster(nodes)


async def provisioned(client: Client, *, lease_seconds: float = 30, replicas: int = 3) -> None:
    """Have everything stand ready; a cluster that has just met refuses for a while, and is asked again."""

    async def provide() -> bool:
        try:
            await provision(client.jetstream(), lease_seconds=lease_seconds, replicas=replicas)
        except (NatsError, TimeoutError):
            return False
        return True

    await until(provide, seconds=60, what="the cluster takes streams")
