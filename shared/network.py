"""The resolver of all clients that talk to customers' addresses."""

import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from shared.addresses import ForbiddenAddress
from shared.locations import is_forbidden_address


class GuardedResolver(AbstractResolver):
    """Resolves names and refuses the inner addresses among the answers.

    The connector connects to the very addresses that were checked, so a name that changes its answer in between gains
    nothing. Literal addresses never reach a resolver: see :func:`shared.addresses.refuse_literal`.
    """

    def __init__(self, *, allow_private: bool) -> None:
        self._inner = ThreadedResolver()
        self._allow_private = allow_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name.

        Raises:
            ForbiddenAddress: one of them is an inner one.
        """
        found = await self._inner.resolve(host, port, family)
        if not self._allow_private and any(is_forbidden_address(item["host"]) for item in found):
            raise ForbiddenAddress(f"{host} resolves to an inner address")
        return found

    async def close(self) -> None:
        """Nothing to close."""
        await self._inner.close()
