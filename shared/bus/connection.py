"""Connections to NATS that never give up."""

import asyncio
from typing import Any

import nats
import structlog
from faststream.nats import NatsBroker
from nats.aio.client import Client
from nats.errors import NoServersError
from pydantic import SecretStr

# Forever, since the default of 60 attempts leaves a client that spins without ever coming back.
_OPTIONS: dict[str, Any] = {
    "max_reconnect_attempts": -1,
    "reconnect_time_wait": 0.5,
    "connect_timeout": 5,
    "ping_interval": 10,
    "max_outstanding_pings": 3,
    "allow_reconnect": True,
}


def _callbacks(name: str) -> dict[str, Any]:
    log = structlog.get_logger().bind(connection=name)

    async def disconnected() -> None:
        await log.awarning("bus disconnected")

    async def reconnected() -> None:
        await log.ainfo("bus reconnected")

    async def error(problem: Exception) -> None:
        await log.awarning("bus error", error=repr(problem))

    return {"disconnected_cb": disconnected, "reconnected_cb": reconnected, "error_cb": error}


async def connect(url: SecretStr, name: str, **options: Any) -> Client:
    """A connection, as soon as there is a server: an unreachable one is waited for. ``options`` as of ``nats.connect``."""
    while True:
        try:
            return await nats.connect(url.get_secret_value(), name=name, **_OPTIONS, **_callbacks(name), **options)
        except (NoServersError, OSError, TimeoutError) as problem:
            await structlog.get_logger().awarning("no bus yet", error=str(problem))
            await asyncio.sleep(0.5)


def make_broker(url: SecretStr, name: str, **options: Any) -> NatsBroker:
    """A FastStream broker with the same manners; it connects when it is started."""
    return NatsBroker(
        url.get_secret_value(),
        name=name,
        logger=None,
        apply_types=True,
        graceful_timeout=5.0,
        **_OPTIONS,
        **_callbacks(name),
        **options,
    )
