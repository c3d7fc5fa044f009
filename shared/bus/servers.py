"""Where NATS is: one server, or those of a cluster, and what a process proves itself to them with."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

_PORT = 4222
_WEB_SOCKETS = ("ws", "wss")
_SCHEMES = ("nats", "tls", *_WEB_SOCKETS)


@dataclass(frozen=True)
class Servers:
    """The servers of one bus.

    The credentials stand beside the addresses, because a client learns of further servers from those that it knows, and has
    to show its credentials there as well.

    Attributes:
        urls: ``scheme://host:port`` of each, without credentials.
        user, password: None where the bus wants none.
        token: in their place, where it wants one.
    """

    urls: tuple[str, ...]
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)


def parse_servers(text: str) -> Servers:
    """Addresses as a setting has them: separated by commas, each with user and password or with a token if need be.

    Characters with a meaning in addresses are percent-encoded in credentials. Addresses without credentials get those of the
    others.

    Raises:
        ValueError: what is wrong, without a word of the addresses, which may have passwords in them.
    """
    texts = [item.strip() for item in text.split(",")]
    addresses = [_split(item, _place(number, len(texts))) for number, item in enumerate(texts, 1)]
    if len({address.scheme in _WEB_SOCKETS for address in addresses}) > 1:
        raise ValueError(
            "addresses with nats:// or tls:// and such with ws:// or wss:// cannot stand beside each other"
        )
    user, password, token = _credentials(addresses)
    return Servers(tuple(_bare(address) for address in addresses), user, password, token)


def _place(number: int, count: int) -> str:
    return "the address" if count == 1 else f"address {number} of {count}"


def _split(text: str, place: str) -> SplitResult:
    if not text:
        raise ValueError(f"{place} is empty")
    try:
        address = urlsplit(text if "://" in text else f"nats://{text}")
        is_whole = bool(address.hostname) and address.port != 0
    except ValueError:
        # Its text may have the password in it.
        raise ValueError(f"{place} must be like nats://user:password@host:4222") from None
    if address.scheme not in _SCHEMES:
        raise ValueError(f"{place} must begin with nats://, tls://, ws:// or wss://")
    if not is_whole:
        raise ValueError(f"{place} must be like nats://user:password@host:4222")
    if address.path.strip("/") or address.query or address.fragment:
        raise ValueError(f"{place} must end after the port; in a password, write / ? # @ and , percent-encoded")
    return address


def _credentials(addresses: Iterable[SplitResult]) -> tuple[str | None, str | None, str | None]:
    """User, password and token."""
    found = {(address.username, address.password) for address in addresses if address.username is not None}
    if len(found) > 1:
        raise ValueError("the addresses have different credentials; all servers of a cluster take the same")
    for user, password in found:
        if password is None:
            return None, None, unquote(str(user))
        return unquote(str(user)), unquote(password), None
    return None, None, None


def _bare(address: SplitResult) -> str:
    host = f"[{address.hostname}]" if ":" in str(address.hostname) else address.hostname
    port = address.port or (None if address.scheme in _WEB_SOCKETS else _PORT)
    return f"{address.scheme}://{host}" + (f":{port}" if port else "")
