"""The connector of all clients that talk to customers' addresses: sources, storages and webhooks pass the same gate."""

import socket
import ssl
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from shared.addresses import AddressPolicy, ForbiddenAddress

_NO_SUCH_NAME = (socket.EAI_NONAME, socket.EAI_NODATA)


class AddressGuard(AbstractResolver):
    """Checks the addresses of names when they are resolved, and every address when a socket is opened for it.

    A literal address never reaches a resolver, and a redirect may name one: so nothing is connected but by
    :meth:`open_socket`. The connector connects to the very addresses that were checked, so a name that changes its answer in
    between gains nothing.
    """

    def __init__(self, policy: AddressPolicy) -> None:
        self._inner: AbstractResolver = ThreadedResolver()
        self._policy = policy
        # What hosts that the operator allows by name have resolved to.
        self._by_name: set[str] = set()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name.

        Raises:
            ForbiddenAddress: one of them is forbidden.
        """
        found = await self._inner.resolve(host, port, family)
        if self._policy.allows_host(host):
            self._by_name |= {item["host"] for item in found}
            return found
        for item in found:
            try:
                self._policy.check_address(item["host"], port)
            except ForbiddenAddress as error:
                raise ForbiddenAddress(f"{host} leads to a forbidden address: {error}") from None
        return found

    def open_socket(self, found: tuple[Any, ...]) -> socket.socket:
        """A socket for what is about to be connected to, as ``getaddrinfo`` gives it.

        Raises:
            ForbiddenAddress: see :meth:`AddressPolicy.check_address`.
        """
        family, kind, protocol, _, (address, port, *_) = found
        if address not in self._by_name:
            self._policy.check_address(address, port)
        return socket.socket(family=family, type=kind, proto=protocol)

    async def close(self) -> None:
        """Nothing to close."""
        await self._inner.close()


def guarded_connector(guard: AddressGuard, **arguments: Any) -> aiohttp.TCPConnector:
    """A connector all of whose connections pass the guard.

    Args:
        arguments: further ones of :class:`aiohttp.TCPConnector`.
    """
    return aiohttp.TCPConnector(resolver=guard, socket_factory=guard.open_socket, **arguments)


def is_misaddressed(error: BaseException) -> bool:
    """Whether an error, or what caused it, says for certain that the address is wrong.

    There is no host of that name, or it cannot prove who it is, or does not speak TLS. A resolver that is down says nothing.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError | aiohttp.ClientSSLError):
            return True
        reason = getattr(seen, "os_error", seen)
        if isinstance(reason, socket.gaierror):
            return reason.errno in _NO_SUCH_NAME
        seen = seen.__cause__ or seen.__context__
    return False
