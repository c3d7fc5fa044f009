"""S3: a client for a customer's bucket, and what its errors mean."""

import asyncio
import hashlib
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import aioboto3
import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession
from aiohttp import ClientError as HttpClientError
from botocore import UNSIGNED
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointProviderError,
    ParamValidationError,
    ValidationError,
)
from botocore.handlers import add_expect_header
from botocore.httpsession import create_urllib3_context, get_cert_path
from yarl import URL

from shared.addresses import AddressPolicy, ForbiddenAddress
from shared.errors import MillraceError, Outage, PermanentError
from shared.garbage import discarded
from shared.http_dates import clocks_differ
from shared.locations import S3Location
from shared.network import AddressGuard, guarded_connector, is_misaddressed
from shared.path_style import VirtualHostsOnDemand
from shared.retry_after import seconds_until

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

Problem = Literal[
    "missing_key",
    "missing_bucket",
    "credentials",
    "denied",
    "wrong_region",
    "unreachable",
    "forbidden_address",
    "busy",
    "refused",
]
STORAGE_ERRORS = (ClientError, BotoCoreError, HttpClientError, OSError, TimeoutError)
"""What calls of a client may raise; :func:`problem_of` tells them apart."""

_BY_CODE: dict[str, Problem] = {
    "NoSuchKey": "missing_key",
    "NoSuchBucket": "missing_bucket",
    "InvalidAccessKeyId": "credentials",
    "SignatureDoesNotMatch": "credentials",
    "InvalidToken": "credentials",
    "ExpiredToken": "credentials",
    "AuthorizationHeaderMalformed": "wrong_region",
    "PermanentRedirect": "wrong_region",
    "IllegalLocationConstraintException": "wrong_region",
    "AccessDenied": "denied",
    "AllAccessDisabled": "denied",
    "SlowDown": "busy",
    "ServiceUnavailable": "busy",
    "InternalError": "busy",
    "RequestTimeout": "busy",
    # Something was lost on the way.
    "BadDigest": "busy",
    "IncompleteBody": "busy",
    "Throttling": "busy",
    "TooManyRequests": "busy",
    "ThrottlingException": "busy",
}
_BY_STATUS: dict[int, Problem] = {401: "credentials", 403: "denied", 404: "missing_key"}
# Nothing was sent, because a bucket, key or region is none.
_NONSENSE = (ParamValidationError, ValidationError, EndpointProviderError)
_MOST_WORDS = 300
# Waited for a host that there is not: as long as for other trouble that is tried a few times.
_MISADDRESSED_SECONDS = 120.0
# Of an answer that nobody has taken yet: with the 64 KiB of the default a connection is stopped and started for each piece.
_BUFFER_BYTES = 1024 * 1024


# What a client for S3 is built from. A session keeps what it has loaded.
_MODELS = (("s3", "service-2"), ("s3", "endpoint-rule-set-1"))
_STYLES = {None: None, True: "path", False: "virtual"}
_DATA = ("endpoints", "partitions", "sdk-default-configuration", "_retry")


@cache
def _tls_context(verify: bool | str) -> ssl.SSLContext:
    """What all connections verify their peers with; reading the authorities' certificates takes 0.05 s.

    Args:
        verify: as botocore has it, True or the path of a file with certificates.
    """
    context: ssl.SSLContext = create_urllib3_context()
    context.load_verify_locations(get_cert_path(verify))  # type: ignore[arg-type] # the stubs forget paths
    return context


class _NoRedirects:
    """A session that hands out redirects as they are: what answers one is not the storage that the customer named."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def request(self, method: str, url: URL, **arguments: Any) -> aiohttp.ClientResponse:
        return await self._session.request(method, url, allow_redirects=False, read_bufsize=_BUFFER_BYTES, **arguments)


class _HttpSession(AIOHTTPSession):
    """aiobotocore's own, but for three things.

    Connections pass the guard, redirects are not followed, and the certificates are not read again for every client.
    """

    def _create_connector(self, proxy_url: str | None) -> aiohttp.TCPConnector:
        own: Any = self
        assert proxy_url is None, "a proxy would lead past the guard"  # noqa: S101
        guard: AddressGuard = own._connector_args["resolver"]
        return guarded_connector(guard, limit=own._max_pool_connections, ssl=_tls_context(own._verify))

    async def _get_session(self, proxy_url: str | None) -> _NoRedirects:
        return _NoRedirects(await super()._get_session(proxy_url))  # type: ignore[misc]


@cache
def _session() -> aioboto3.Session:
    """The session that all clients of the process come from: it holds no credentials, and every model that they need.

    Making a client from a fresh session would stop the event loop for 0.2 s.
    """
    # What a first client would import while the event loop waits.
    import_module("aioboto3.s3.inject")
    core = AioSession()
    _tls_context(core.get_config_variable("ca_bundle") or True)
    loader = core.get_component("data_loader")
    for service, kind in _MODELS:
        loader.load_service_model(service, kind)
    for name in _DATA:
        loader.load_data(name)
    return aioboto3.Session(botocore_session=core)


async def warm_up() -> None:
    """Load what clients are made of, which takes a second, before a service says that it is ready."""
    await asyncio.to_thread(_session)


@asynccontextmanager
async def s3_client(
    location: S3Location, *, policy: AddressPolicy, read_timeout: float = 60, attempts: int = 5, own: bool = False
) -> "AsyncIterator[S3Client]":
    """A client for the service that the location is on.

    AWS gets virtual-hosted addresses; a service named by ``endpoint`` gets path style, until it says that it takes the
    other only. The location's ``path_style`` decides otherwise. Checksums are sent only where the call requires one,
    because several services refuse the newer trailers; who writes to a bucket sends a ``Content-MD5``.

    Args:
        policy: where the service may be; a call that leads elsewhere fails with :class:`ForbiddenAddress`.
        attempts: at one call, with growing delays, where the service is busy or out of reach.
        own: the storage is the operator's: without credentials in the location those of this machine are used, as boto finds
            them (environment, files, role of the host or container).
    """
    config = AioConfig(
        # Without credentials of the customer's the call goes unsigned: never with some that this machine happens to have.
        signature_version="s3v4" if location.access_key or own else UNSIGNED,
        s3={"addressing_style": _STYLES[location.path_style] or ("path" if location.endpoint else "auto")},
        retries={"total_max_attempts": attempts, "mode": "standard"},
        connect_timeout=10,
        read_timeout=read_timeout,
        max_pool_connections=128,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        http_session_cls=_HttpSession,
        # Never those of the environment: a proxy would resolve names where no guard is.
        proxies={},
        connector_args={"resolver": AddressGuard(policy)},
    )
    # A thread, because the first call reads megabytes of service models where nobody warmed up.
    session = await asyncio.to_thread(_session)
    try:
        async with session.client(
            "s3",
            region_name=location.region or "us-east-1",
            endpoint_url=location.endpoint,
            aws_access_key_id=location.access_key,
            aws_secret_access_key=location.secret_key.get_secret_value() if location.secret_key else None,
            config=config,
        ) as client:
            client.meta.events.register("before-call.s3", _mark_redirected)
            # The HTTP client below would wait for a leave to send the body for as long as for an answer. Proxies of HTTP/1.0
            # give none, and some servers that refuse a request read its body first. Bodies are small, so no leave is asked for.
            client.meta.events.unregister("before-call.s3", add_expect_header)
            if location.endpoint and location.path_style is None:
                VirtualHostsOnDemand(client).install()
            yield client
    finally:
        discarded()


def _mark_redirected(params: dict[str, Any], **_: Any) -> None:
    """Have the SDK take a call for one that was redirected, so that an answer of another region is not followed but an error."""
    params["context"]["s3_redirect"]["redirected"] = True


def content_md5(body: bytes) -> str:
    """The value of ``Content-MD5`` for a body."""
    return b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def problem_of(error: BaseException) -> Problem:
    """What an error of a call means."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ForbiddenAddress):
            return "forbidden_address"
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, ClientError):
        status, code, message = _answer(error)
        if status in (400, 401, 403) and _of_another_time(error, code, message):
            return "busy"
        if code in _BY_CODE:
            return _BY_CODE[code]
        # HEAD has no body, so only the status tells.
        if 300 <= status < 400 or (status == 400 and error.operation_name.startswith("Head")):
            return "wrong_region"
        told = code not in ("", str(status), "Forbidden", "NotFound", "Unauthorized")
        if status in (408, 409, 425, 429) or status >= 500:
            return "busy"
        if status == 404 and error.operation_name in ("PutObject", "ListObjectsV2"):
            return "refused"
        return "refused" if told else _BY_STATUS.get(status, "refused")
    return "refused" if isinstance(error, _NONSENSE) else "unreachable"


def _of_another_time(error: ClientError, code: str, message: str) -> bool:
    """Refused because it was signed at another time than the storage's. Somebody has set a clock, and will set it right.

    HEAD has no words for it, but all answers have a date; it may be right again since, and so the words count as well.
    """
    said = code == "RequestTimeTooSkewed" or "difference between the request time and" in message
    return said or clocks_differ(_headers(error).get("date", ""))


def words_of(error: BaseException, location: S3Location) -> str:
    """What the service said, in one short line without the location's credentials; "" where it said nothing."""
    if isinstance(error, ClientError):
        status, code, message = _answer(error)
        said = " ".join(dict.fromkeys(piece for piece in (str(status), code, message) if piece))
    else:
        said = str(error)
    return "".join(character for character in without_secrets(said, location) if character.isprintable())[:_MOST_WORDS]


def without_secrets(text: str, location: S3Location) -> str:
    """A text with the location's credentials masked, since a service may put them into its answers."""
    if location.access_key:
        text = text.replace(location.access_key, "<access_key>")
    return text.replace(location.secret_key.get_secret_value(), "<secret_key>") if location.secret_key else text


def output_error(error: BaseException, location: S3Location) -> MillraceError:
    """The job's error for a failed call on the output bucket."""
    detail = without_secrets(str(error) or type(error).__name__, location)[:500]
    match problem_of(error):
        case "missing_bucket":
            return PermanentError("output_bucket_missing", detail)
        case "credentials" | "wrong_region":
            return PermanentError("output_credentials_invalid", detail)
        case "denied":
            return PermanentError("output_write_denied", detail)
        case "forbidden_address":
            return PermanentError("output_unreachable", "the endpoint is on a private or loopback address")
        case "refused" | "missing_key":
            said = words_of(error, location)
            cause = f"The storage of output_path refused a request: {said.rstrip('.')}." if said else None
            return PermanentError("output_refused", detail, cause=cause)
        case "unreachable" if is_misaddressed(error):
            # Nobody is down there: what is wrong is the address. That gets a few tries, and no hour; who watches sees them.
            return Outage("output_unreachable", detail, longest=_MISADDRESSED_SECONDS)
        case _:
            return Outage("output_unreachable", detail, retry_after=retry_after(error))


def retry_after(error: BaseException) -> float | None:
    """Seconds after which a storage that is busy wants to be asked again, None if it does not say."""
    if not isinstance(error, ClientError):
        return None
    headers = _headers(error)
    return seconds_until(headers.get("retry-after"))


def _headers(error: ClientError) -> Mapping[str, str]:
    headers: Mapping[str, str] = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return headers


def _answer(error: ClientError) -> tuple[int, str, str]:
    """Status, code and message of an answer; the code is the status where there was no body."""
    said = error.response.get("Error", {})
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return status, str(said.get("Code", "")), str(said.get("Message", ""))
