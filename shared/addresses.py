"""Which addresses we may talk to on a customer's word: never inner ones, unless the operator allows it. Pure."""

import socket
from typing import Any

from yarl import URL

from shared.locations import is_forbidden_address


class ForbiddenAddress(OSError):
    """The name or address leads to a private, loopback or otherwise inner address."""


def refuse_literal(url: str, *, allow_private: bool) -> None:
    """Check an address whose host is written as a number.

    Raises:
        ForbiddenAddress: it is an inner one, or cannot be understood.
    """
    if allow_private:
        return
    try:
        host = _connected_host(url)
    except ValueError as error:
        raise ForbiddenAddress("this is not a well-formed address") from error
    if "%" in host:
        raise ForbiddenAddress(f"{host} is an address of this server's own network")
    try:
        # getaddrinfo also reads 127.1, 0x7f000001 and 2130706433, which a connector would.
        literal: list[Any] = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except (socket.gaierror, UnicodeError):
        return
    if any(is_forbidden_address(item[4][0]) for item in literal):
        raise ForbiddenAddress(f"{host} is an inner address")


def _connected_host(url: str) -> str:
    """The host as aiohttp's connector will see it; a second parser could be told another one (``[::1%25lo]``)."""
    return URL(url).host or ""
