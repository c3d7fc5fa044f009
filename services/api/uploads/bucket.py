"""What is asked of an organization's storage for an upload, and what its errors mean to who asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from services.api.accounts.storage_errors import refusal_of
from shared.locations import S3Location
from shared.s3_clients import S3Clients
from shared.storage import STORAGE_ERRORS, problem_of

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

_GONE = ("NoSuchUpload", "NoSuchKey", "404", "NotFound")
# Putting hundreds of parts together takes S3 minutes, and then it answers in between with blanks.
_READ_SECONDS = 120.0
# What storages call what nobody has named.
_USUAL_TYPE = "binary/octet-stream"


class Bucket:
    """An object of an organization's storage.

    Args:
        location: of the object, with credentials.
    """

    def __init__(self, client: "S3Client", location: S3Location) -> None:
        self._client = client
        self._location = location

    async def begin(self, content_type: str | None) -> str:
        """Begin an upload in parts; what the storage calls it."""
        begun = await self._client.create_multipart_upload(
            Bucket=self._location.bucket, Key=self._location.key, ContentType=content_type or _USUAL_TYPE
        )
        return begun["UploadId"]

    async def parts(self, upload: str) -> dict[int, tuple[int, str]] | None:
        """Size and entity tag of each part that has come, by number; None where there is no such upload (any more)."""
        found: dict[int, tuple[int, str]] = {}
        pages = self._client.get_paginator("list_parts").paginate(
            Bucket=self._location.bucket, Key=self._location.key, UploadId=upload
        )
        try:
            async for page in pages:
                found |= {part["PartNumber"]: (part["Size"], part["ETag"]) for part in page.get("Parts", ())}
        except STORAGE_ERRORS as error:
            if _is_gone(error):
                return None
            raise
        return found

    async def complete(self, upload: str, parts: dict[int, tuple[int, str]]) -> None:
        """Make the object of its parts."""
        listed = [{"PartNumber": number, "ETag": tag} for number, (_, tag) in sorted(parts.items())]
        await self._client.complete_multipart_upload(
            Bucket=self._location.bucket,
            Key=self._location.key,
            UploadId=upload,
            MultipartUpload={"Parts": listed},  # type: ignore[typeddict-item]
        )

    async def size(self) -> int | None:
        """Bytes of the object; None where there is none."""
        try:
            found = await self._client.head_object(Bucket=self._location.bucket, Key=self._location.key)
        except STORAGE_ERRORS as error:
            if problem_of(error) == "missing_key":
                return None
            raise
        return found["ContentLength"]

    async def remove(self, *, in_parts: bool) -> None:
        """Remove the object, and what has come of its parts. Nothing is left afterwards, whatever was there."""
        if in_parts:
            # By its key: of one that was begun and not written down, nobody knows the name.
            for upload in await self._begun():
                await self._abort(upload)
        await self._client.delete_object(Bucket=self._location.bucket, Key=self._location.key)

    async def _begun(self) -> list[str]:
        """What the storage calls the uploads in parts that were begun for this object."""
        try:
            found = await self._client.list_multipart_uploads(Bucket=self._location.bucket, Prefix=self._location.key)
        except STORAGE_ERRORS as error:
            # What rclone says of a bucket without any.
            if _is_gone(error):
                return []
            raise
        return [upload["UploadId"] for upload in found.get("Uploads", ()) if upload["Key"] == self._location.key]

    async def _abort(self, upload: str) -> None:
        try:
            await self._client.abort_multipart_upload(
                Bucket=self._location.bucket, Key=self._location.key, UploadId=upload
            )
        except STORAGE_ERRORS as error:
            if not _is_gone(error):
                raise


@asynccontextmanager
async def bucket_of(location: S3Location, *, clients: S3Clients) -> AsyncIterator[Bucket]:
    """The object at a location.

    Raises:
        StorageRefused, Unavailable: the storage does not do what was asked of it inside the block.
    """
    try:
        async with clients.of(location, read_timeout=_READ_SECONDS, attempts=3) as client:
            yield Bucket(client, location)
    except STORAGE_ERRORS as error:
        raise refusal_of(error, location) from error


def _is_gone(error: BaseException) -> bool:
    response = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code")) in _GONE
