"""Who calls and whom: the client's address, perhaps behind trusted proxies, and the names of this server. Pure."""

from collections.abc import Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
# A customer of a provider is given at least so much of IPv6, and can call from any address in it.
_IPV6_CUSTOMER = 64


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
