"""The HTTP request to a webhook's address."""

import asyncio
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

import aiohttp

from services.notifier.payload import WebhookPayload
from services.notifier.response_head import Secrets, response_head, secrets_in
from services.notifier.signature import sign_with_all
from shared.addresses import AddressPolicy, ForbiddenAddress
from shared.deliveries import ResponseHead
from shared.network import AddressGuard, guarded_connector
from shared.tracing.spans import span, trace_headers

# Policies and traces in the headers of an answer may be long. At most 32 MiB are read of them.
_HEADER_BYTES = 128 * 1024
_MOST_HEADERS = 256
# How long the body of an answer is waited for: the status has said what counts, and the slot is for others.
_BODY_SECONDS = 1.0


@dataclass(frozen=True)
class Answer:
    """What came of a request: a status, or else an error as a sentence that names no secret.

    ``silent`` marks one that used up its time, ``uncertain`` one that the receiver may have accepted all the same.
    ``seconds`` are those up to the answer's headers.
    """

    status: int | None = None
    retry_after: str | None = None
    error: str | None = None
    seconds: float = 0.0
    silent: bool = False
    uncertain: bool = False
    head: ResponseHead | None = None


class Receiver:
    """Posts payloads. Use it as an async context manager.

    Neither proxies from the environment nor redirects nor cookies are followed, since each of them would lead past the
    check of the address. Every request has a connection of its own: one that was kept open may be closed by the other
    side at that very moment, which would look like a failed delivery.

    Args:
        timeout: seconds for the whole of a request, from resolving the name to the answer's headers.
        policy: where addresses may lead.
    """

    def __init__(self, *, timeout: float, policy: AddressPolicy) -> None:
        self._timeout = timeout
        self._policy = policy
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=guarded_connector(AddressGuard(self._policy), limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            max_line_size=_HEADER_BYTES,
            max_field_size=_HEADER_BYTES,
            max_headers=_MOST_HEADERS,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()

    async def post(self, url: str, secret_tokens: Sequence[str], payload: WebhookPayload) -> Answer:
        """Make one request. Never raises for what the other side does; of the answer's body only the beginning is read.

        Args:
            secret_tokens: that sign it, the newest first.
        """
        with span("POST", "client", {"http.request.method": "POST"}) as trying:
            answer = await self._post(url, secret_tokens, payload)
            if answer.status is not None:
                trying.attributes["http.response.status_code"] = answer.status
            if answer.error:
                trying.error = str(answer.status or ("timeout" if answer.silent else "connection"))
        return answer

    async def _post(self, url: str, secret_tokens: Sequence[str], payload: WebhookPayload) -> Answer:
        assert self._session is not None, "use it as a context manager"  # noqa: S101
        begin = time.monotonic()
        try:
            headers = _headers(secret_tokens, payload) | trace_headers()
            request = self._session.post(url, data=payload.body, headers=headers, allow_redirects=False)
            # The client's own time-out does not cover a slow resolver.
            async with asyncio.timeout(self._timeout) as limit, request as response:
                # The outcome is certain from here on, and the client's own time-out covers the rest.
                limit.reschedule(None)
                status = response.status
                answer = Answer(status, response.headers.get("Retry-After"), _verdict(status), time.monotonic() - begin)
                return replace(answer, head=await _head(response, Secrets([*secret_tokens, *secrets_in(url)])))
        except TimeoutError:
            answer = Answer(error=f"No answer within {self._timeout:g} seconds.", silent=True, uncertain=True)
        except (
            aiohttp.ClientConnectorError,
            aiohttp.InvalidURL,
            aiohttp.NonHttpUrlClientError,
            ForbiddenAddress,
        ) as error:
            answer = Answer(error=explain(error))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            answer = Answer(error=explain(error), uncertain=True)
        return replace(answer, seconds=time.monotonic() - begin)


def explain(error: Exception) -> str:
    """A sentence about why a request failed. The address stays out of it: it may hold a secret."""
    reason = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    for kind, sentence in (
        (
            ForbiddenAddress,
            "The address is private, loopback or otherwise not public; this server does not send there.",
        ),
        (aiohttp.ClientConnectorDNSError, "The host's name cannot be resolved."),
        ((aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError), "The address is malformed."),
        (aiohttp.ClientConnectorCertificateError, "The host's TLS certificate is not valid."),
        ((ssl.SSLError, aiohttp.ClientSSLError), "No secure connection could be made: the TLS handshake failed."),
        (ConnectionRefusedError, "The connection was refused."),
        ((ConnectionResetError, aiohttp.ServerDisconnectedError), "The connection was closed before an answer came."),
        (aiohttp.ClientResponseError, "The answer is not valid HTTP."),
        (ValueError, "The address or the secret token cannot be sent in an HTTP request."),
    ):
        if isinstance(reason, kind) or isinstance(error, kind):
            return sentence
    return "No connection could be made."


async def _head(response: aiohttp.ClientResponse, secrets: Secrets) -> ResponseHead:
    """What is kept of an answer. A body that breaks off or does not come changes nothing about the outcome."""
    read, whole = bytearray(), False
    with suppress(TimeoutError, aiohttp.ClientError, OSError, ValueError):
        async with asyncio.timeout(_BODY_SECONDS):
            while not whole and len(read) < secrets.window:
                chunk = await response.content.read(secrets.window - len(read))
                read += chunk
                whole = not chunk
    return response_head(list(response.headers.items()), bytes(read), secrets, whole=whole)


def _headers(secret_tokens: Sequence[str], payload: WebhookPayload) -> dict[str, str]:
    timestamp = int(time.time())
    return {
        "Content-Type": "application/json",
        # The beginning of an answer that is compressed says nothing.
        "Accept-Encoding": "identity",
        "User-Agent": "Millrace",
        "x-streams-token": secret_tokens[0],
        "x-streams-event": payload.event,
        "webhook-id": payload.message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign_with_all(secret_tokens, payload.message_id, timestamp, payload.body),
    }


def _verdict(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return f"The answer was {status}; redirects are not followed."
    return f"The answer was {status}."
