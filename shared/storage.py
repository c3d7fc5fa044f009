"""S3: a client for a customer's bucket, and what its errors mean."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal

import aioboto3
from aiobotocore.config import AioConfig
from aiohttp import ClientError as HttpClientError
from botocore import UNSIGNED
from botocore.exceptions import BotoCoreError, ClientError

from shared.addresses import ForbiddenAddress, refuse_literal
from shared.errors import MillraceError, PermanentError, TransientError
from shared.locations import S3Location
from shared.network import GuardedResolver

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
    "other",
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
    "ThrottlingException": "busy",
}


@asynccontextmanager
async def s3_client(
    location: S3Location, *, allow_private: bool, read_timeout: float = 60, attempts: int = 5
) -> "AsyncIterator[S3Client]":
    """A client for the service that the location is on.

    AWS gets virtual-hosted addresses; a service named by ``endpoint`` gets path style, which all of them understand.
    Checksums are sent only where the call requires one, because several services refuse the newer trailers.

    Args:
        attempts: at one call, with growing delays, where the service is busy or out of reach.

    Raises:
        ForbiddenAddress: the endpoint is written as an inner address (one that resolves to it fails in the call).
    """
    if location.endpoint:
        refuse_literal(location.endpoint, allow_private=allow_private)
    config = AioConfig(
        # Without credentials of the customer's the call goes unsigned: never with some that this machine happens to have.
        signature_version="s3v4" if location.access_key else UNSIGNED,
        s3={"addressing_style": "path" if location.endpoint else "auto"},
        retries={"total_max_attempts": attempts, "mode": "standard"},
        connect_timeout=10,
        read_timeout=read_timeout,
        max_pool_connections=32,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        connector_args={"resolver": GuardedResolver(allow_private=allow_private)},
    )
    session = aioboto3.Session(
        aws_access_key_id=location.access_key,
        aws_secret_access_key=location.secret_key.get_secret_value() if location.secret_key else None,
        region_name=location.region or "us-east-1",
    )
    async with session.client("s3", endpoint_url=location.endpoint, config=config) as client:
        yield client


def problem_of(error: BaseException) -> Problem:
    """What an error of a call means."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ForbiddenAddress):
            return "forbidden_address"
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in _BY_CODE:
            return _BY_CODE[code]
        if status in (301, 307, 400) and code in ("301", "307", "400", "BadRequest"):
            return "wrong_region"
        # HEAD has no body, so only the status tells.
        return {403: "denied", 404: "missing_key", 401: "credentials", 429: "busy"}.get(
            status, "busy" if status >= 500 else "other"
        )  # type: ignore[return-value]
    return "unreachable"


def output_error(error: BaseException) -> MillraceError:
    """The job's error for a failed call on the output bucket."""
    detail = str(error)[:500]
    match problem_of(error):
        case "missing_bucket":
            return PermanentError("output_bucket_missing", detail)
        case "credentials" | "wrong_region":
            return PermanentError("output_credentials_invalid", detail)
        case "denied":
            return PermanentError("output_write_denied", detail)
        case "forbidden_address":
            return PermanentError("output_unreachable", "the endpoint is on a private or loopback address")
        case _:
            return TransientError("output_unreachable", detail)
