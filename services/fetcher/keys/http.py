"""Requests to key services. What they answer is small and comes soon, or it is no answer."""

import asyncio
from collections.abc import Mapping

import aiohttp
from yarl import URL

from shared.addresses import AddressPolicy, ForbiddenAddress
from shared.errors import Outage, PermanentError
from shared.network import AddressGuard, guarded_connector
from shared.retry_after import seconds_until

MOST_BYTES = 256 * 1024
_QUICK_TRIES = 3
"""Requests in a row, for a connection that broke by chance; after that the job waits without a slot."""

_FIRST_DELAY = 0.25
_BUSY = (408, 425, 429)


class KeyHttp:
    """Posts to key services.

    Args:
        policy: where one may be. seconds: time that an answer has until its last byte.
    """

    def __init__(self, policy: AddressPolicy, seconds: float) -> None:
        self._policy = policy
        self._seconds = seconds

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        """The body of a good answer.

        Raises:
            PermanentError: ``drm_key_refused``. Outage: ``drm_key_unavailable``.
        """
        connector = guarded_connector(AddressGuard(self._policy), limit=1)
        async with aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            # What is small only as long as it is compressed is no answer either.
            auto_decompress=False,
            headers={"User-Agent": "Millrace", "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(total=self._seconds),
        ) as session:
            for tries in range(1, _QUICK_TRIES + 1):
                try:
                    return await self._once(session, url, body, headers)
                except TimeoutError:
                    raise unavailable(f"{_host(url)} has not answered within {self._seconds:.0f} s") from None
                except (aiohttp.ClientError, OSError) as error:
                    if is_forbidden(error):
                        raise _forbidden(url) from None
                    if tries == _QUICK_TRIES:
                        raise unavailable(f"{_host(url)}: {_told(error)}, {tries} times in a row") from None
                    await asyncio.sleep(_FIRST_DELAY * tries)
        raise AssertionError

    async def _once(self, session: aiohttp.ClientSession, url: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        async with session.post(
            URL(url, encoded="%" in url), data=body, headers=headers, allow_redirects=False
        ) as response:
            if not 200 <= response.status < 300:
                raise _refusal(response, url)
            answer = b""
            async for piece in response.content.iter_any():
                answer += piece
                if len(answer) > MOST_BYTES:
                    raise unavailable(f"{_host(url)} answered more than {MOST_BYTES} bytes")
            return answer


def unavailable(detail: str, retry_after: float | None = None) -> Outage:
    """The service is out of order."""
    return Outage("drm_key_unavailable", detail, retry_after=retry_after)


def refused(detail: str, cause: str | None = None, remedy: str | None = None) -> PermanentError:
    """The service has refused, or gives something else than what it was asked for."""
    return PermanentError("drm_key_refused", detail, cause=cause, remedy=remedy)


def is_forbidden(error: BaseException) -> bool:
    """Whether it was the guard that kept us from connecting."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ForbiddenAddress):
            return True
        seen = getattr(seen, "os_error", None) or seen.__cause__ or seen.__context__
    return False


def _refusal(response: aiohttp.ClientResponse, url: str) -> Exception:
    # Without the reason, which is the service's own text as well.
    said = f"{_host(url)} answered {response.status}"
    if response.status in _BUSY or response.status >= 500:
        return unavailable(said, seconds_until(response.headers.get("Retry-After")))
    if response.status in (401, 403):
        cause = "The key service of the organization refused its credentials."
        return refused(said, cause, "Have the operator set them again.")
    if response.status < 400:
        said += "; the address has to be the one that it leads to"
    return refused(said)


def _forbidden(url: str) -> PermanentError:
    return refused(
        f"{_host(url)} is on a private or loopback network",
        "The key service of the organization is on a private or loopback address, where this server does not ask.",
        "The operator can allow it with MILLRACE_ALLOWED_HOSTS.",
    )


def _host(url: str) -> str:
    return URL(url).host or "the host"


def _told(error: Exception) -> str:
    """What may be told of an error, which the log and the customer get to see.

    Where what came was no HTTP, the errors of aiohttp quote it, and a key may stand in it.
    """
    text = str(error) if isinstance(error, OSError) else f"no whole answer of HTTP ({type(error).__name__})"
    return "".join(character for character in text if character.isprintable())[:200]
