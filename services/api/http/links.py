"""What links in answers begin with. A Host header is what the client says; it is repeated where it is known to be ours."""

from collections.abc import Sequence

from aiohttp import web

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Links:
    """Makes the addresses in answers.

    Args:
        public_url: what they begin with; without it, what the Host header says, if it names this server: an address that the
            client is connected to, a name of the loopback, or one of ``hosts``. Else they are relative.
        hosts: names, which match any port, or ``name:port``.
    """

    def __init__(self, public_url: str | None, hosts: Sequence[str] = ()) -> None:
        self._public_url = public_url
        self._hosts = frozenset(host.lower() for host in hosts) | _LOOPBACK

    def address(self, request: web.Request) -> str:
        """The address of what is asked for, without its query."""
        return self.begin(request) + request.rel_url.raw_path

    def begin(self, request: web.Request) -> str:
        """What addresses at this server begin with; empty where that is not known."""
        if self._public_url:
            return self._public_url
        host = request.headers.get("Host", "").lower()
        known = host in self._hosts or _name(host) in self._hosts or host in _connected_to(request)
        return f"{request.scheme}://{host}" if known else ""


def _name(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() and port.isascii() else host


def _connected_to(request: web.Request) -> tuple[str, ...]:
    sockname = request.get_extra_info("sockname")
    if not isinstance(sockname, tuple):
        return ()
    address, port = str(sockname[0]).partition("%")[0], sockname[1]
    host = f"[{address}]" if ":" in address else address
    return (f"{host}:{port}", host) if port == 80 else (f"{host}:{port}",)
