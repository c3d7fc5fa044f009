"""A probe write to the output's bucket, so that wrong credentials fail a job in seconds and not after the encode."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, EndpointConnectionError

from shared.locations import S3Location
from shared.storage import STORAGE_ERRORS, output_error, s3_client

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

PROBE_NAME = ".millrace-probe"
_SECONDS = 40.0
_CLEANUP_SECONDS = 3.0


async def check_output(location: S3Location, *, allow_private: bool) -> None:
    """Write a small object under the prefix and remove it again.

    Raises:
        PermanentError, TransientError: an ``output_…`` code.
    """
    key = f"{location.key}/{PROBE_NAME}" if location.key else PROBE_NAME
    try:
        async with (
            asyncio.timeout(_SECONDS),
            s3_client(location, allow_private=allow_private, read_timeout=15, attempts=2) as client,
        ):
            try:
                await client.put_object(Bucket=location.bucket, Key=key, Body=b"Millrace may write here.\n")
            except (ClientError, EndpointConnectionError):
                raise
            except BaseException:
                # The answer was lost or not waited for, but the object may be there.
                await _remove(client, location.bucket, key)
                raise
            await _remove(client, location.bucket, key)
    except STORAGE_ERRORS as error:
        raise output_error(error) from error


async def _remove(client: "S3Client", bucket: str, key: str) -> None:
    # Deleting is a right that a job does not need.
    with suppress(*STORAGE_ERRORS):
        async with asyncio.timeout(_CLEANUP_SECONDS):
            await client.delete_object(Bucket=bucket, Key=key)
