"""The customer's bucket: objects below a job's output prefix."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from services.uploader.metrics import UPLOADED_BYTES, UPLOADED_OBJECTS
from shared.locations import S3Location, object_key
from shared.media.layout import content_type
from shared.storage import STORAGE_ERRORS, content_md5, output_error, problem_of

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import ListObjectsV2OutputTypeDef

# A request that makes no headway must end: nothing else would, since a peer that stops reading is no error to TCP.
_REQUEST_SECONDS = 60.0
_SLOWEST_BYTES_PER_SECOND = 25_000


class Bucket:
    """The objects below one output prefix; all paths are relative to it.

    Every call raises the job's error for what goes wrong: ``PermanentError``, ``Outage`` or
    ``TransientError`` with an ``output_…`` code.

    Args:
        cache_control: of every object; none if empty.
    """

    def __init__(self, client: "S3Client", location: S3Location, *, cache_control: str = "") -> None:
        self._client = client
        self._cache_control = cache_control
        self.location = location

    async def put(self, path: str, body: bytes) -> None:
        """Write an object, over whatever is there, with the content type that its path implies. All of it appears or nothing."""
        options = {"CacheControl": self._cache_control} if self._cache_control else {}
        with self._told():
            async with asyncio.timeout(_REQUEST_SECONDS + len(body) / _SLOWEST_BYTES_PER_SECOND):
                await self._client.put_object(
                    Bucket=self.location.bucket,
                    Key=self._key(path),
                    Body=body,
                    # Buckets with Object Lock take nothing without it.
                    ContentMD5=await asyncio.to_thread(content_md5, body),
                    ContentType=content_type(path),
                    **options,  # type: ignore[arg-type]
                )
        UPLOADED_OBJECTS.inc()
        UPLOADED_BYTES.inc(len(body))

    async def read(self, path: str) -> bytes | None:
        """Content of an object, None where there is none."""
        with self._told():
            async with asyncio.timeout(_REQUEST_SECONDS):
                try:
                    answer = await self._client.get_object(Bucket=self.location.bucket, Key=self._key(path))
                    return await answer["Body"].read()
                except ClientError as error:
                    if problem_of(error) == "missing_key":
                        return None
                    raise

    async def size(self, path: str) -> int | None:
        """Bytes of an object, None where there is none."""
        with self._told():
            async with asyncio.timeout(_REQUEST_SECONDS):
                try:
                    answer = await self._client.head_object(Bucket=self.location.bucket, Key=self._key(path))
                except ClientError as error:
                    if problem_of(error) == "missing_key":
                        return None
                    raise
        return answer["ContentLength"]

    async def sizes(self, folder: str) -> dict[str, int] | None:
        """Path and bytes of every object in a folder; None where the storage does not let us list."""
        sizes: dict[str, int] = {}
        cut = len(self._key(""))
        with self._told():
            try:
                paginator = self._client.get_paginator("list_objects_v2")
                pages = aiter(paginator.paginate(Bucket=self.location.bucket, Prefix=self._key(f"{folder}/")))
                while page := await self._next(pages):
                    sizes |= {item["Key"][cut:]: item["Size"] for item in page.get("Contents", [])}
            except ClientError as error:
                # Credentials that may write and read need not be allowed to list.
                if problem_of(error) in ("denied", "refused"):
                    return None
                raise
        return sizes

    async def _next(self, pages: "AsyncIterator[ListObjectsV2OutputTypeDef]") -> "ListObjectsV2OutputTypeDef | None":
        """The next page of a listing, None after the last one."""
        async with asyncio.timeout(_REQUEST_SECONDS):
            return await anext(pages, None)

    def _key(self, path: str) -> str:
        return object_key(self.location, path)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turns errors of calls into those of the job."""
        try:
            yield
        except STORAGE_ERRORS as error:
            raise output_error(error, self.location) from error
