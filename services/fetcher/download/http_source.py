"""Sources behind http and https."""

import re
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from services.fetcher.download.remote import Reply, SourceChanged, Trouble, TroubleKind, Version
from shared.addresses import AddressPolicy, ForbiddenAddress
from shared.errors import PermanentError
from shared.network import AddressGuard, guarded_connector, is_misaddressed
from shared.retry_after import seconds_until

MOST_REDIRECTS = 5
_CONNECT_SECONDS = 10.0
_BUFFER_BYTES = 1024 * 1024
_LINE_BYTES = 32 * 1024
_REDIRECTS = (301, 302, 303, 307, 308)
_BUSY = (408, 425, 429)
# What an address that was valid for a while says afterwards.
_GONE = (400, 401, 403, 404, 410)
_COMPRESSIONS = ("gzip", "x-gzip", "deflate", "br", "zstd", "compress")
# Written so already: taken as it is, since a signature covers every character of an address.
_ENCODED = re.compile(r"[!#-;=?-\[\]_a-z~]+")
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class HttpSource:
    """One address, asked for ranges of its content.

    Args:
        address: with user and password before the host, if the server wants them.
    """

    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self._session = session
        try:
            url = URL(address, encoded=_ENCODED.fullmatch(address) is not None)
            self._login = _basic(url.user, url.password or "") if url.user else {}
            self._first = url.with_user(None).with_fragment(None)
        except ValueError as error:
            raise PermanentError("input_unreachable", "the address cannot be read") from error
        self._last_hop: URL | None = None

    @asynccontextmanager
    async def read(
        self, start: int, end: int | None, expected: Version | None = None, *, plain: bool = False
    ) -> AsyncIterator[Reply]:
        """See :class:`services.fetcher.download.remote.Remote`."""
        headers = {} if plain else {"Range": f"bytes={start}-{'' if end is None else end - 1}"}
        response = await self._get(headers)
        if start == 0 and headers and (response.status == 416 or _hides_size(response)):
            # Ranges of this server are of no use: the size cannot be told, or it stumbles over them.
            response.close()
            response = await self._get({})
        try:
            if response.status == 416 and expected:
                raise SourceChanged
            _check_status(response)
            reply = _reply(response, start, end)
            if expected and (reply.version is None or not reply.version.same_as(expected)):
                raise SourceChanged
            yield reply
        finally:
            # Closed, not released: what is left of the body is of no use, and may be a whole film.
            response.close()

    async def _get(self, headers: dict[str, str]) -> aiohttp.ClientResponse:
        """The answer at the end of the redirects. They are not followed anew for each range, unless their end is refused."""
        if self._last_hop:
            response = await self._follow(self._last_hop, headers)
            if response.status not in _GONE:
                return response
            response.close()
            self._last_hop = None
        return await self._follow(self._first, headers)

    async def _follow(self, url: URL, headers: dict[str, str]) -> aiohttp.ClientResponse:
        for _ in range(MOST_REDIRECTS + 1):
            response = await self._ask(url, headers)
            if response.status not in _REDIRECTS:
                if url != self._first and response.ok:
                    self._last_hop = url
                return response
            location = response.headers.get("Location", "")
            response.close()
            url = _next_hop(url, location)
        raise Trouble("refused", f"more than {MOST_REDIRECTS} redirects")

    async def _ask(self, url: URL, headers: dict[str, str]) -> aiohttp.ClientResponse:
        # The password is for the host that it was given for.
        login = self._login if url.origin() == self._first.origin() else {}
        try:
            return await self._session.get(url, headers=headers | login, allow_redirects=False)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise _connection_error(error, url.host or "the host") from error


@asynccontextmanager
async def http_session(*, policy: AddressPolicy, stall_seconds: float) -> AsyncIterator[aiohttp.ClientSession]:
    """A session for one download: no proxies or netrc, nothing decompressed, inner addresses refused.

    Cookies live as long as the session: some servers set one with a redirect to the same address, and want it back.
    """
    connector = guarded_connector(AddressGuard(policy), limit=0, ttl_dns_cache=60)
    async with aiohttp.ClientSession(
        connector=connector,
        # Also from hosts that are numbers; and sent as they came, since a signature may be in them.
        cookie_jar=aiohttp.CookieJar(unsafe=True, quote_cookie=False),
        trust_env=False,
        auto_decompress=False,
        read_bufsize=_BUFFER_BYTES,
        # Signed addresses are long, and so are the headers that redirect to them.
        max_line_size=_LINE_BYTES,
        max_field_size=_LINE_BYTES,
        headers={"User-Agent": "Millrace", "Accept": "*/*", "Accept-Encoding": "identity"},
        timeout=aiohttp.ClientTimeout(
            total=None, connect=_CONNECT_SECONDS, sock_connect=_CONNECT_SECONDS, sock_read=stall_seconds
        ),
    ) as session:
        yield session


def _check_status(response: aiohttp.ClientResponse) -> None:
    """Refuse what brings no content."""
    if response.status in (200, 206):
        coding = response.headers.get("Content-Encoding", "").lower()
        if coding in _COMPRESSIONS:
            raise Trouble("refused", f"the server sends the file compressed ({coding}) although asked not to")
        return
    if response.status == 416 and response.headers.get("Content-Range", "").replace(" ", "") == "bytes*/0":
        raise PermanentError("input_empty")
    said = f"the server answered {response.status} {_plain(response.reason or '')}".strip()
    if response.status in _BUSY or response.status >= 500:
        raise Trouble("busy", said, retry_after=seconds_until(response.headers.get("Retry-After")))
    raise Trouble("refused", said)


def _hides_size(response: aiohttp.ClientResponse) -> bool:
    given = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    return response.status == 206 and (given is None or given[3] == "*")


def _reply(response: aiohttp.ClientResponse, start: int, end: int | None) -> Reply:
    etag, modified = response.headers.get("ETag"), response.headers.get("Last-Modified")
    length = response.content_length
    if response.status == 200:
        version = None if length is None else Version(length, etag, modified)
        return Reply(0, length, version, ranged=False, body=_pieces(response), close=response.close)
    given = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if not given or int(given[1]) != start or (end is not None and int(given[2]) >= end):
        raise Trouble("broken", "the server sent another range than it was asked for")
    version = None if given[3] == "*" else Version(int(given[3]), etag, modified)
    length = int(given[2]) + 1 - start
    return Reply(start, length, version, ranged=True, body=_pieces(response), close=response.close)


async def _pieces(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        # As they were received: to have them of one size would copy them.
        async for piece, _ in response.content.iter_chunks():
            if piece:
                yield piece
    except TimeoutError as error:
        raise Trouble("stalled", "the server sends nothing any more") from error
    except (aiohttp.ClientError, OSError) as error:
        raise Trouble("broken", "the connection broke off") from error


def _basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}


def _next_hop(url: URL, location: str) -> URL:
    try:
        hop = url.join(URL(location, encoded=_ENCODED.fullmatch(location) is not None)).with_fragment(None)
        if not location or hop.scheme not in ("http", "https") or not hop.host:
            raise ValueError(location)
        return hop.with_user(None)
    except ValueError as error:
        raise Trouble("refused", "the server redirects to something that is no http or https address") from error


def _connection_error(error: Exception, host: str) -> Exception:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ForbiddenAddress):
            return PermanentError("input_forbidden_address", f"{host} is on a private or loopback network")
        seen = seen.__cause__ or seen.__context__
    match error:
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
            return Trouble("refused", f"the certificate of {host} is not valid")
        case aiohttp.ClientConnectorDNSError():
            kind: TroubleKind = "misaddressed" if is_misaddressed(error) else "unconnected"
            return Trouble(kind, f"the name {host} cannot be resolved")
        case aiohttp.InvalidURL() | ValueError():
            return Trouble("refused", "the address cannot be read")
        case aiohttp.ClientSSLError():
            return Trouble("misaddressed", f"{host} does not speak TLS there")
        case aiohttp.ClientConnectorError():
            return Trouble("unconnected", f"no connection to {host}: {error.strerror or 'refused'}")
        case aiohttp.ConnectionTimeoutError():
            return Trouble("unconnected", f"{host} does not answer")
        case TimeoutError():
            return Trouble("stalled", f"{host} took the request but does not answer it")
        case aiohttp.ClientResponseError():
            return Trouble("refused", f"{host} does not speak HTTP there")
        case _:
            return Trouble("broken", f"{host} closed the connection")


def _plain(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:80]
