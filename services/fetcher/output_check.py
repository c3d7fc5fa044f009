"""A probe write to the output's bucket, so that wrong credentials fail a job in seconds and not after the encode."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, EndpointConnectionError

from shared.errors import PermanentError
from shared.locations import S3Location, object_key
from shared.s3_clients import S3Clients
from shared.storage import STORAGE_ERRORS, content_md5, output_error, problem_of

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

PROBE_NAME = ".millrace-probe"
PROBE_BODY = b"Millrace may write here.\n"
_SECONDS = 40.0
_CLEANUP_SECONDS = 3.0


async def check_output(location: S3Location, clients: S3Clients) -> None:
    """Write a small object under the prefix and remove it again.

    Raises:
        PermanentError, TransientError, Outage: an ``output_…`` code.
    """
    key = object_key(location, PROBE_NAME)
    try:
        async with (
            asyncio.timeout(_SECONDS),
            clients.of(location, read_timeout=15, attempts=2) as client,
        ):
            try:
                await client.put_object(
                    Bucket=location.bucket, Key=key, Body=PROBE_BODY, ContentMD5=content_md5(PROBE_BODY)
                )
            except (ClientError, EndpointConnectionError):
                raise
            except BaseException:
                # The answer was lost or not waited for, but the object may be there.
                await _remove(client, location.bucket, key)
                raise
            try:
                await _check_key(client, location.bucket, key)
            finally:
                await _remove(client, location.bucket, key)
    except STORAGE_ERRORS as error:
        raise output_error(error, location) from error


async def _check_key(client: "S3Client", bucket: str, key: str) -> None:
    """Is the object under its key? At the address of a single bucket the name of the bucket becomes a part of it.

    Reading would not tell: it goes astray just as the writing did. Whoever may not list the bucket is believed.

    Raises:
        PermanentError: ``output_refused``.
    """
    try:
        if await _lists(client, bucket, key) or not await _lists(client, bucket, f"{bucket}/{key}"):
            return
    except ClientError as error:
        # There, a listing is taken for the reading of an object.
        if problem_of(error) != "missing_key":
            return
    raise PermanentError(
        "output_refused",
        f"the object was written to {bucket}/{key} in the bucket",
        cause="The endpoint of output_path is the address of a single bucket.",
        remedy="Give the address of the storage service.",
    )


async def _lists(client: "S3Client", bucket: str, key: str) -> bool:
    found = await client.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
    return any(item["Key"] == key for item in found.get("Contents", []))


async def _remove(client: "S3Client", bucket: str, key: str) -> None:
    # Deleting is a right that a job does not need.
    with suppress(*STORAGE_ERRORS):
        async with asyncio.timeout(_CLEANUP_SECONDS):
            await client.delete_object(Bucket=bucket, Key=key)
