"""What happens to a connection is logged, and where it cannot come back by itself, its process is told to end.

The client reconnects for ever, but not for certain: a server may refuse it, for a password that was changed, and on some ways
the task that reconnects ends without a word. Whoever pulls over such a connection then waits for ever. Only a new process
helps, with new settings or at least a new connection, and for that its supervisor or orchestrator has to see it end.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from shared.bus.tls import tls_problem
from shared.logs import Repetition
from shared.metrics import NATS_CONNECTED, NATS_DISCONNECTS

OnEnd = Callable[[str], Awaitable[None]]
"""Called with the reason when a connection has ended for good."""

REFUSED_SECONDS = 5
"""How long a server may refuse the credentials of a connection that it has taken before. Its cluster may be just being
told of others, server by server."""

SILENT_SECONDS = 30
"""How long a client without a connection may do nothing. It makes an attempt every few seconds, and reports each."""

# In all spellings: "Authorization Violation", "User Authentication Expired", "authentication error" …
_REFUSALS = ("authorization", "authentication")


class ConnectionGuard:
    """Guards one connection.

    Args:
        name: of the connection, for the log.
        on_end: None where the process ends by itself soon.
        tick: seconds between two looks at a lost connection.
    """

    def __init__(self, name: str, on_end: OnEnd | None = None, *, tick: float = 1.0) -> None:
        self._log = structlog.get_logger().bind(connection=name)
        self._name = name
        self._on_end = on_end
        self._tick = tick
        self._ever_connected = False
        self._repetition = Repetition()
        self._waiting: asyncio.Task[None] | None = None
        self._refused = False
        self._silent = 0

    def callbacks(self) -> Mapping[str, Any]:
        """To be given to the client."""
        return {
            "disconnected_cb": self._disconnected,
            "reconnected_cb": self._reconnected,
            "error_cb": self._error,
            "closed_cb": self._closed,
        }

    def connected(self) -> None:
        """The connection stands for the first time."""
        self._ever_connected = True
        NATS_CONNECTED.labels(self._name).set(1)
        NATS_DISCONNECTS.labels(self._name)

    async def _disconnected(self) -> None:
        NATS_CONNECTED.labels(self._name).set(0)
        NATS_DISCONNECTS.labels(self._name).inc()
        await self._log.awarning("bus disconnected")
        if self._on_end and self._waiting is None:
            self._silent, self._refused = 0, False
            self._waiting = asyncio.create_task(self._wait(self._on_end))

    async def _reconnected(self) -> None:
        self._stop_waiting()
        NATS_CONNECTED.labels(self._name).set(1)
        await self._log.ainfo("bus reconnected")

    async def _error(self, problem: Exception) -> None:
        text = tls_problem(problem) or repr(problem)
        self._silent = 0
        self._refused = self._refused or any(word in text.lower() for word in _REFUSALS)
        if not self._repetition.is_due(text):
            return
        if self._ever_connected:
            await self._log.awarning("bus error", error=text)
        else:
            await self._log.awarning("no bus yet", error=text)

    async def _closed(self) -> None:
        self._stop_waiting()
        NATS_CONNECTED.labels(self._name).set(0)
        if self._on_end:
            await self._on_end("the connection to the bus was closed")

    def _stop_waiting(self) -> None:
        if self._waiting:
            self._waiting.cancel()
        self._waiting = None

    async def _wait(self, on_end: OnEnd) -> None:
        """Wait for the connection to come back.

        Time is counted in ticks and not by the clock: a process that was stopped for a minute has not waited for one.
        """
        refused = 0
        while True:
            await asyncio.sleep(self._tick)
            self._silent += 1
            refused += self._refused
            if refused > REFUSED_SECONDS / self._tick:
                await on_end("the bus refuses the credentials")
            elif self._silent > SILENT_SECONDS / self._tick:
                await on_end("the client has ceased to reconnect to the bus")
            else:
                continue
            return
