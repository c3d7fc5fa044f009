"""Which addresses we may talk to on a customer's word: public ones, and what the operator's allow-list names. Pure."""

import ipaddress
import re
import socket
from dataclasses import dataclass, field
from typing import Any, Self

from yarl import URL

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


def _networks(*texts: str) -> tuple[IpNetwork, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


# Written out, because `is_global` differs from one Python to the next. IANA's special-purpose registry for IPv4, multicast,
# what is reserved, and the address at which Azure's platform answers its guests.
_INNER_V4 = _networks(
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
)
# The only block that IANA gives unicast addresses out of, and what is special in it: protocol assignments with Teredo and
# ORCHID, documentation, 6to4.
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_SPECIAL_V6 = _networks("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
# Translators between the families (RFC 6052): these are the IPv4 addresses inside them. An IPv6-only host reaches all of
# IPv4 by the second.
_EMBEDDING_V6 = _networks("::ffff:0:0/96", "64:ff9b::/96")

# Ports that no web server or storage listens on, but mail, databases, shells and other services that would take what a
# request says for commands: the list of https://fetch.spec.whatwg.org/#port-blocking, and servers of the data centre.
_BLOCKED_PORTS = frozenset(
    (
        *(0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104),
        *(109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526),
        *(
            530,
            531,
            532,
            540,
            548,
            554,
            556,
            563,
            587,
            601,
            636,
            989,
            990,
            993,
            995,
            1719,
            1720,
            1723,
            2049,
            3659,
            4045,
        ),
        *(4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080),
        # SMB, SQL Server, Oracle, Docker, etcd, MySQL, RDP, NATS, PostgreSQL, AMQP, VNC, CouchDB, WinRM, Redis,
        *(445, 1433, 1434, 1521, 2375, 2376, 2379, 2380, 3306, 3389, 4222, 6222, 8222, 5432, 5433, 5671, 5672, 5900),
        *(5901, 5984, 5985, 5986, 6379, 6380),
        # Cassandra, Kafka, ZooKeeper, Elasticsearch, kubelet, memcached, MongoDB, RethinkDB, submission.
        *(7000, 7001, 9042, 9160, 9092, 2181, 9200, 9300, 10250, 11211, 27017, 27018, 27019, 28015, 2525),
    )
)


class ForbiddenAddress(OSError):
    """The name or address leads where a customer's word must not lead us: to an inner address, or another service's port."""


@dataclass(frozen=True)
class AddressPolicy:
    """Public addresses, and what the operator allows beyond them. The default allows nothing more.

    Args:
        networks: whose addresses may be talked to at any port.
        hosts: names, in lower case, that may resolve to anything and be talked to at any port.
    """

    networks: tuple[IpNetwork, ...] = ()
    hosts: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an allow-list: networks, addresses and host names, separated by commas or spaces.

        Raises:
            ValueError: one of them is none of that; the message names it.
        """
        networks, hosts = [], set()
        for entry in text.replace(",", " ").split():
            try:
                networks.append(ipaddress.ip_network(entry))
            except ValueError:
                name = _plain_name(entry)
                if not _HOST_NAME.fullmatch(name) or re.fullmatch(r"[0-9.]+", name):
                    raise ValueError(
                        f"“{entry}” is no network (10.0.0.0/8, without bits after the prefix), address or host name"
                    ) from None
                hosts.add(name)
        return cls(tuple(networks), frozenset(hosts))

    def allows_host(self, host: str) -> bool:
        """Whether the operator allows a host by its name."""
        return _plain_name(host) in self.hosts

    def check_address(self, address: str, port: int | None) -> None:
        """Check what a connection is about to be opened to.

        Raises:
            ForbiddenAddress: it is an inner address, or a port that is not talked to.
        """
        # With a zone (fe80::1%eth0) it is an address of this machine's own links.
        if "%" in address:
            raise ForbiddenAddress(f"{address} is an inner address")
        ip = ipaddress.ip_address(address)
        if any(ip in network for network in self.networks):
            return
        if _is_inner(ip):
            raise ForbiddenAddress(f"{address} is an inner address")
        _check_port(port)

    def check_url(self, url: str) -> None:
        """Check as much of an address as can be told without resolving names.

        Raises:
            ForbiddenAddress: see :meth:`check_address`; or the address cannot be understood.
        """
        try:
            # As the connector will see it; a second parser could be told another host (``[::1%25lo]``).
            parts = URL(url)
            host, port = parts.host or "", parts.port
        except ValueError as error:
            raise ForbiddenAddress("this is not a well-formed address") from error
        if self.allows_host(host):
            return
        if "%" in host:
            raise ForbiddenAddress(f"{host} is an inner address")
        name = _plain_name(host)
        if name == "localhost" or name.endswith(".localhost"):
            name = "127.0.0.1"
        try:
            # getaddrinfo also reads 127.1, 0x7f000001 and 2130706433, which a connector would.
            literal: list[Any] = socket.getaddrinfo(name, None, flags=socket.AI_NUMERICHOST)
        except (socket.gaierror, UnicodeError):
            _check_port(port)
        else:
            for found in literal:
                self.check_address(str(found[4][0]), port)


def _check_port(port: int | None) -> None:
    if port in _BLOCKED_PORTS:
        raise ForbiddenAddress(f"port {port} is not one of a web server or storage")


def _plain_name(host: str) -> str:
    return host.lower().rstrip(".")


def _is_inner(ip: IpAddress) -> bool:
    if isinstance(ip, ipaddress.IPv6Address):
        if not any(ip in network for network in _EMBEDDING_V6):
            return ip not in _GLOBAL_V6 or any(ip in network for network in _SPECIAL_V6)
        ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return any(ip in network for network in _INNER_V4)
