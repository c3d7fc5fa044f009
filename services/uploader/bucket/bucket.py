"""The customer's bucket: objects below a job's output prefix."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from services.uploader.metrics import COPIED_BYTES, UPLOADED_BYTES, UPLOADED_OBJECTS
from shared.listing import list_folder, plain_tag
from shared.locations import S3Location, object_key
from shared.media.layout import content_type
from shared.storage import STORAGE_ERRORS, content_md5, output_error, problem_of

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

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
        self._headers = {"CacheControl": cache_control} if cache_control else {}
        self._copies = True
        self.location = location

    async def copy(self, path: str, origin: S3Location, size: int) -> str | None:
        """Have the storage itself copy an object of the work space to where :meth:`put` would write it.

        The customer's credentials have to allow it: with the operator's a customer could have written wherever those reach.

        Args:
            size: of the object.

        Returns:
            The entity tag as :meth:`put` does; None where it did not copy. After a refusal it is not asked again.
        """
        if not self._copies or origin.endpoint != self.location.endpoint:
            return None
        with self._told():
            async with asyncio.timeout(_REQUEST_SECONDS):
                try:
                    answer = await self._client.copy_object(
                        Bucket=self.location.bucket,
                        Key=self._key(path),
                        CopySource={"Bucket": origin.bucket, "Key": origin.key},
                        MetadataDirective="REPLACE",
                        ContentType=content_type(path),
                        **self._headers,  # type: ignore[arg-type]
                    )
                except ClientError as error:
                    problem = problem_of(error)
                    if problem == "busy":
                        raise
                    # An object that is not there says nothing of the others.
                    self._copies = problem == "missing_key"
                    return None
        COPIED_BYTES.inc(size)
        _count(size)
        return plain_tag(answer["CopyObjectResult"])

    async def put(self, path: str, body: bytes, *, changes: bool = False) -> str:
        """Write an object, over whatever is there, with the content type that its path implies. All of it appears or nothing.

        Args:
            changes: it will be written again, so that no cache may keep it.

        Returns the entity tag, empty where the storage tells none.
        """
        with self._told():
            async with asyncio.timeout(_REQUEST_SECONDS + len(body) / _SLOWEST_BYTES_PER_SECOND):
                answer = await self._client.put_object(
                    Bucket=self.location.bucket,
                    Key=self._key(path),
                    Body=body,
                    # Buckets with Object Lock take nothing without it.
                    ContentMD5=await asyncio.to_thread(content_md5, body),
                    ContentType=content_type(path),
                    **({"CacheControl": "no-cache"} if changes else self._headers),  # type: ignore[arg-type]
                )
        _count(len(body))
        return plain_tag(answer)

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

    async def remove(self, path: str) -> bool:
        """Remove an object, if there is one. False where the credentials may not."""
        with self._told():
            async with asyncio.timeout(_REQUEST_SECONDS):
                try:
                    await self._client.delete_object(Bucket=self.location.bucket, Key=self._key(path))
                except ClientError as error:
                    if problem_of(error) == "denied":
                        return False
                    raise
        return True

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
        with self._told():
            listed = await list_folder(self._client, self.location, folder, seconds=_REQUEST_SECONDS)
        return None if listed is None else {path: found.size for path, found in listed.items()}

    def _key(self, path: str) -> str:
        return object_key(self.location, path)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turns errors of calls into those of the job."""
        try:
            yield
        except STORAGE_ERRORS as error:
            raise output_error(error, self.location) from error


def _count(size: int) -> None:
    UPLOADED_OBJECTS.inc()
    UPLOADED_BYTES.inc(size)
