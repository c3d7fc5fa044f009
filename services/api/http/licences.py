"""Licences of Widevine and FairPlay: asked of the operator's licence server, whose answer is passed on as it comes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import structlog
from aiohttp import web

from services.api.contract.drm_models import LICENCE_PLACES
from services.api.contract.errors import NotSetUp, Unavailable
from services.api.drm.asked import LicenceAsked

MISSING = (
    "This server has no licence server. Widevine and FairPlay licences need a contract with Google or Apple and a server that "
    "has their certificates; the operator names its address in MILLRACE_API_LICENCE_SERVER_URL."
)
_SECONDS = 10.0
_MOST_BYTES = 1024 * 1024
_MOST_CONNECTIONS = 64
_OCTETS = "application/octet-stream"


@dataclass(frozen=True)
class Licence:
    """What the licence server answered."""

    status: int
    content_type: str
    body: bytes


class LicenceServer:
    """The licence server. Only the operator says where it is: no client has a say in it, and no redirect is followed.

    Args:
        url: with any of :data:`LICENCE_PLACES` in it; None where there is none.
    """

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._session: aiohttp.ClientSession | None = None

    async def life(self, _: web.Application) -> AsyncIterator[None]:
        """For ``cleanup_ctx`` of the application."""
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_MOST_CONNECTIONS),
            timeout=aiohttp.ClientTimeout(total=_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as self._session:
            yield

    def require(self) -> None:
        """Raises: NotSetUp: there is none."""
        if self._url is None:
            raise NotSetUp(MISSING)

    async def ask(self, org: str, asked: LicenceAsked, body: bytes, content_type: str) -> Licence:
        """Pass a request on.

        Args:
            body: as the player has sent it.

        Raises:
            NotSetUp: there is no licence server. Unavailable: it cannot be reached, or fails.
        """
        self.require()
        if self._session is None or self._url is None:
            raise Unavailable("The server is still starting. Try again.")
        # An organization's code, hexadecimal digits and one of two words: none of them can lead elsewhere.
        url = self._url
        for place, value in zip(LICENCE_PLACES, (org, asked.content_id, asked.drm_type), strict=True):
            url = url.replace(place, value)
        headers = {
            "Content-Type": content_type or _OCTETS,
            "X-Millrace-Organization": org,
            "X-Millrace-Content-Id": asked.content_id,
            "X-Millrace-Drm-Type": asked.drm_type,
            "X-Millrace-Download": str(asked.download).lower(),
        }
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                answer = await _bounded(response)
                found = Licence(response.status, response.headers.get("Content-Type", _OCTETS), answer)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # Not in full: where what came was no HTTP, the errors of aiohttp quote it, and a key may stand in it.
            raise await _unavailable(str(error) if isinstance(error, OSError) else type(error).__name__) from None
        if found.status < 200 or 300 <= found.status < 400 or found.status >= 500:
            raise await _unavailable(f"status {found.status}")
        return found


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > _MOST_BYTES:
            raise aiohttp.ClientPayloadError(f"more than {_MOST_BYTES} bytes")
    return bytes(body)


async def _unavailable(reason: str) -> Unavailable:
    await structlog.get_logger().awarning("licence server failed", error=reason)
    return Unavailable("The licence server cannot be reached, or fails. Try again.")
