"""Connections to NATS that are there for as long as their process is."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import nats
import structlog
from faststream.nats import NatsBroker
from faststream.nats.security import NatsSecurity, NatsToken, NatsUserPassword
from nats.aio.client import Client
from nats.errors import NoServersError
from pydantic import SecretStr

from shared.bus.guard import ConnectionGuard, OnEnd
from shared.bus.permissions import inbox_prefix
from shared.bus.servers import Servers, parse_servers
from shared.bus.tls import NO_TLS, Tls, tls_problem

_OPTIONS: dict[str, Any] = {
    # Forever, since the default of 60 attempts leaves a client that spins without ever coming back.
    "max_reconnect_attempts": -1,
    "reconnect_time_wait": 0.5,
    "allow_reconnect": True,
    # A server that hangs is left after the third of these intervals, for another one of its cluster.
    "ping_interval": 2,
    "max_outstanding_pings": 2,
    # The first one tried may be the one that hangs.
    "connect_timeout": 3,
}
ATTEMPT_SECONDS = 15.0
"""How long the client may try. It waits for ever for the end of a connection whose TLS handshake has failed."""


async def connect(
    url: SecretStr, name: str, *, tls: Tls = NO_TLS, on_end: OnEnd | None = None, **options: Any
) -> Client:
    """A connection, as soon as there is a server: an unreachable one is waited for.

    Args:
        url: one address or several, as :func:`shared.bus.servers.parse_servers` takes them.
        tls: what TLS needs, if the servers want it.
        on_end: called with the reason when the connection has ended for good.
        options: further ones of ``nats.connect``.

    Raises:
        ValueError: the address is none, or a file of TLS cannot be read.
    """
    servers = parse_servers(url.get_secret_value())
    guard = ConnectionGuard(name, on_end)
    who = {"user": servers.user, "password": servers.password, "token": servers.token} | tls.options()
    inbox = inbox_prefix(servers.user)
    client = await _persistently(
        lambda: nats.connect(
            list(servers.urls), name=name, inbox_prefix=inbox, **who, **_OPTIONS, **guard.callbacks(), **options
        )
    )
    guard.connected()
    return client


def make_broker(
    url: SecretStr, name: str, *, tls: Tls = NO_TLS, on_end: OnEnd | None = None, **options: Any
) -> NatsBroker:
    """A FastStream broker with the same manners; it connects when it is started. Arguments as of :func:`connect`."""
    servers = parse_servers(url.get_secret_value())
    guard = ConnectionGuard(name, on_end)
    guard.connected()
    return NatsBroker(
        list(servers.urls),
        name=name,
        security=_security(servers, tls),
        inbox_prefix=inbox_prefix(servers.user),
        logger=None,
        apply_types=True,
        graceful_timeout=5.0,
        **_OPTIONS,
        **guard.callbacks(),
        **options,
    )


async def connect_broker(broker: NatsBroker) -> None:
    """Connect a broker before it is started, as soon as there is a server."""
    await _persistently(broker.connect)


async def _persistently(attempt: Callable[[], Awaitable[Client]]) -> Client:
    while True:
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                return await attempt()
        except (NoServersError, OSError, TimeoutError) as problem:
            said = tls_problem(problem) or str(problem) or "no answer"
            await structlog.get_logger().awarning("no bus yet", error=said)
            await asyncio.sleep(0.5)


def _security(servers: Servers, tls: Tls) -> NatsSecurity | None:
    given = tls.options()
    how = {"ssl_context": given["tls"], "tls_handshake_first": given["tls_handshake_first"]} if given else {}
    if servers.token is not None:
        return NatsToken(servers.token, **how)
    if servers.user is not None:
        return NatsUserPassword(servers.user, servers.password or "", **how)
    return NatsSecurity(**how) if how else None
