"""Who calls and whom: the client's address, perhaps behind trusted proxies, and the names of this server. Pure."""

import re
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from shared.ids import ORG_PATTERN

Network = IPv4Network | IPv6Network
# A customer of a provider is given at least so much of IPv6, and can call from any address in it.
_IPV6_CUSTOMER = 64
_ORIGIN = re.compile(r"https?://[^\s/@?#,]+")


def parse_networks(text: str) -> tuple[Network, ...]:
    """Addresses and networks, comma separated.

    Raises:
        ValueError: one of them is neither.
    """
    return tuple(ip_network(piece.strip()) for piece in text.split(",") if piece.strip())


def parse_hosts(text: str) -> tuple[str, ...]:
    """Host names, comma separated.

    Raises:
        ValueError: one of them is more than a name with a port.
    """
    hosts = tuple(host.strip() for host in text.split(",") if host.strip())
    for host in hosts:
        if any(character in host for character in "/@?# *"):
            raise ValueError(f"{host} is not a host name such as video.example.com or video.example.com:8080")
    return hosts


def parse_origins(text: str) -> tuple[str, ...]:
    """Origins of pages, comma separated, such as ``https://video.example.com``; ``*`` is any.

    Raises:
        ValueError: one of them is more than a scheme, a host and a port.
    """
    origins = tuple(origin.strip() for origin in text.split(",") if origin.strip())
    for origin in origins:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ValueError(f"{origin} is not an origin such as https://video.example.com")
    return origins


def parse_codes(text: str) -> tuple[str, ...]:
    """Codes of organizations, comma separated.

    Raises:
        ValueError: one of them is none.
    """
    codes = tuple(code.strip() for code in text.split(",") if code.strip())
    for code in codes:
        if not re.match(ORG_PATTERN, code):
            raise ValueError(f"{code} is not the code of an organization, 6 lower-case letters and digits")
    return codes


def check_template(url: str, places: Sequence[str]) -> None:
    """Raises: ValueError: this is no http or https address, or it leaves open the server's name or what is no place."""
    parts = urlsplit(url)
    bare = url
    for place in places:
        bare = bare.replace(place, "")
    known = parts.scheme in ("http", "https") and parts.hostname and "{" not in parts.netloc + bare
    if not known or parts.port == 0 or parts.fragment:
        raise ValueError(f"must be an http or https address, below whose server {', '.join(places)} may stand")


def client_address(peer: str, forwarded: Sequence[str], proxies: Sequence[Network]) -> str:
    """The address that a request is counted for, of IPv6 the network of one customer.

    Args:
        peer: who is connected. forwarded: the ``X-Forwarded-For`` headers in their order.
        proxies: who may say on whose behalf they call; what others say is worth nothing.
    """
    hops = [hop.strip() for header in forwarded for hop in header.split(",")]
    client = peer
    while hops and is_within(client, proxies):
        client = hops.pop()
    address = _parse(client)
    if address is None:
        # Whatever a proxy has put there, or the path of a socket.
        return client[:100]
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _IPV6_CUSTOMER), strict=False))
    return str(address)


def is_within(text: str, networks: Sequence[Network]) -> bool:
    """Whether a text is an address in one of the networks."""
    address = _parse(text)
    return address is not None and any(address in network for network in networks)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    with suppress(ValueError):
        # Some proxies write a port behind the address, and brackets around one of IPv6.
        host = text.partition("]")[0].removeprefix("[") if text.startswith("[") else text
        host = host.partition(":")[0] if host.count(":") == 1 else host
        address = ip_address(host.partition("%")[0])
        return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
    return None
