"""Connections before they are requests: how many there may be, and how long one may take to say what it wants.

aiohttp waits for the head of a request as long as the client likes. So each connection passes through a guard here, which closes
it when its first head takes too long; the heads after that have to arrive within the time that an idle connection is kept.
"""

import asyncio
import json
import resource
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from aiohttp import web

from services.api.contract.errors import RETRY_SECONDS
from services.api.contract.peers import Network, client_address, is_within
from services.api.http.protocol import Protocol

KEEP_ALIVE_SECONDS = 75.0
"""How long a connection is kept after an answer, for a further request."""
_HEAD_ENDS = (b"\r\n\r\n", b"\n\n")
_LONGEST_END = 4
# Connections to the database and the bus, files of logs and libraries.
_OTHER_FILES = 256


@dataclass(frozen=True)
class ConnectionLimits:
    """What connections may do.

    Attributes:
        most: how many there may be. per_address: how many from one address, but for those of proxies.
        head_seconds: how long the first head may take. idle_seconds: how long it is kept after an answer.
    """

    most: int
    per_address: int
    head_seconds: float
    idle_seconds: float = KEEP_ALIVE_SECONDS
    proxies: Sequence[Network] = ()


@dataclass
class Connections:
    """The connections of one process. ``waiting``: those that have not sent a whole head yet, the oldest first."""

    limits: ConnectionLimits
    count: int = 0
    by_address: Counter[str] = field(default_factory=Counter)
    waiting: "OrderedDict[Guard, None]" = field(default_factory=OrderedDict)

    def admits(self, address: str) -> bool:
        """Whether there is room for one more, if need be in the place of one that has asked for nothing yet."""
        own = self.by_address[address] >= self.limits.per_address and not is_within(address, self.limits.proxies)
        if not own and self.count < self.limits.most:
            return True
        silent = next((guard for guard in self.waiting if not own or guard.address == address), None)
        if silent:
            silent.turn_away(503, "There are too many connections.")
        return silent is not None


class Guard(asyncio.Protocol):
    """Stands between a connection and its protocol."""

    def __init__(self, connections: Connections, inner: asyncio.Protocol) -> None:
        self.address = ""
        self._connections = connections
        self._inner = inner
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._tail = b""
        self._counted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let it in, or turn it away."""
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self.address = client_address(str(peer[0]) if peer else "", (), ())
        if not self._connections.admits(self.address):
            self.turn_away(503, "There are too many connections.")
            return
        self._counted = True
        self._connections.count += 1
        self._connections.by_address[self.address] += 1
        self._connections.waiting[self] = None
        seconds = self._connections.limits.head_seconds
        message = f"The head of the request did not arrive within {seconds:g} seconds."
        self._timer = asyncio.get_running_loop().call_later(seconds, self.turn_away, 408, message)
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no longer."""
        self._stop_waiting()
        if self._counted:
            self._release()
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass it on, looking for the end of the first head."""
        if self._transport is None:
            return
        if self._timer:
            seen = self._tail + data
            if any(end in seen for end in _HEAD_ENDS):
                self._stop_waiting()
            self._tail = seen[1 - _LONGEST_END :]
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self._inner.eof_received() if self._counted else None

    def pause_writing(self) -> None:
        """Pass it on."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._inner.resume_writing()

    def turn_away(self, status: int, message: str) -> None:
        """Answer with a refusal, whatever was asked for, and close."""
        self._stop_waiting()
        transport, self._transport = self._transport, None
        if transport is None or transport.is_closing():
            return
        transport.write(_answer(status, message))
        transport.close()

    def _stop_waiting(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self._connections.waiting.pop(self, None)

    def _release(self) -> None:
        self._connections.count -= 1
        self._connections.by_address[self.address] -= 1
        if not self._connections.by_address[self.address]:
            del self._connections.by_address[self.address]


class GuardedSite(web.TCPSite):
    """A site whose connections are guarded. ``reuse_port``: other processes listen there too."""

    def __init__(
        self, runner: web.BaseRunner, host: str, port: int, limits: ConnectionLimits, *, reuse_port: bool = False
    ) -> None:
        super().__init__(runner, host, port, reuse_port=reuse_port)
        self._shared = reuse_port
        self._address = (host, port)
        self.connections = Connections(limits)

    async def start(self) -> None:
        """Listen."""
        await web.BaseSite.start(self)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._new_guard, *self._address, backlog=self._backlog, reuse_port=self._shared
        )

    def _new_guard(self) -> Guard:
        # Not made by the server itself, which knows no other protocol than its own.
        protocol = Protocol(
            cast(web.Server, self._runner.server),
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]
            keepalive_timeout=self.connections.limits.idle_seconds,
            # We do that (services/api/http/body.py).
            auto_decompress=False,
        )
        return Guard(self.connections, protocol)


def allow_files(connections: int) -> None:
    """Let this process have as many files open as so many connections need, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _answer(status: int, message: str) -> bytes:
    reason = {408: "Request Timeout", 503: "Service Unavailable"}[status]
    body = json.dumps({"detail": message})
    head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
    retry = f"Retry-After: {RETRY_SECONDS}\r\n" if status == 503 else ""
    return f"{head}{retry}Connection: close\r\nServer: millrace\r\n\r\n{body}".encode()
