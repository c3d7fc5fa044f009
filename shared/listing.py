"""What lies in a folder of a bucket."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.locations import S3Location, object_key
from shared.storage import problem_of

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import ListObjectsV2OutputTypeDef


@dataclass(frozen=True)
class Listed:
    """An object as a listing shows it: bytes, and entity tag, as :func:`plain_tag` has it."""

    size: int
    tag: str


def plain_tag(answer: Mapping[str, Any]) -> str:
    """The entity tag in an answer about an object, empty where there is none.

    Without its quotes: some storages leave them out where they list, and not where they answer for a single object.
    """
    return str(answer.get("ETag", "")).strip('"')


async def list_folder(
    client: "S3Client", location: S3Location, folder: str, *, seconds: float
) -> dict[str, Listed] | None:
    """Every object in a folder below a prefix, by path; None where the storage does not let us list.

    Args:
        folder: below the prefix, such as ``480p``; paths are below the prefix too.
        seconds: that each page of the listing may take.

    Raises:
        TimeoutError, and others of :data:`shared.storage.STORAGE_ERRORS`.
    """
    found: dict[str, Listed] = {}
    cut = len(object_key(location, ""))
    try:
        paginator = client.get_paginator("list_objects_v2")
        pages = aiter(paginator.paginate(Bucket=location.bucket, Prefix=object_key(location, f"{folder}/")))
        while page := await _next(pages, seconds):
            for item in page.get("Contents", []):
                found[item["Key"][cut:]] = Listed(item["Size"], plain_tag(item))
    except ClientError as error:
        # Credentials that may write and read need not be allowed to list.
        if problem_of(error) in ("denied", "refused"):
            return None
        raise
    return found


async def _next(
    pages: "AsyncIterator[ListObjectsV2OutputTypeDef]", seconds: float
) -> "ListObjectsV2OutputTypeDef | None":
    """The next page of a listing, None after the last one."""
    async with asyncio.timeout(seconds):
        return await anext(pages, None)
