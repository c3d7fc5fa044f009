"""The objects below a prefix of the operator's own bucket."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.addresses import AddressPolicy
from shared.errors import Outage
from shared.locations import S3Location, object_key
from shared.parallel import in_parallel
from shared.storage import STORAGE_ERRORS, content_md5, problem_of, s3_client, without_secrets
from shared.workspace.metrics import moved

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

# Where the operator's own storage is, is nobody else's business to decide.
_ANYWHERE = AddressPolicy.parse("0.0.0.0/0,::/0")
# A request that makes no headway must end: nothing else would, since a peer that stops reading is no error to TCP.
_REQUEST_SECONDS, _SLOWEST_BYTES_PER_SECOND = 60.0, 100_000
_SILENT_SECONDS, _ATTEMPTS = 20.0, 3
# Of an upload in pieces; S3 takes 10,000 of them, each but the last of 5 MiB or more.
_LEAST_PIECE, _MOST_PIECES, _PIECES_AT_ONCE = 16 * 2**20, 9_000, 3
_RANGE, _RANGES_AT_ONCE = 8 * 2**20, 4
# As many as one call takes.
_KEYS_IN_CALL = 1000
_UNFINISHED_AGE = timedelta(days=1)


@dataclass(frozen=True)
class Found:
    """An object of a listing: its key below the prefix, its bytes, and when it was written."""

    key: str
    size: int
    written: datetime


class Objects:
    """Objects by key below the prefix.

    What goes wrong is an ``Outage`` (``workspace_unreachable``), whatever it is: the storage is the operator's, who can mend it
    while jobs wait. An object that is not there is a :class:`FileNotFoundError`.
    """

    def __init__(self, location: S3Location) -> None:
        self.location = location
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._opened: S3Client | None = None

    async def close(self) -> None:
        """Close connections."""
        self._opened = None
        await self._stack.aclose()

    async def put(self, key: str, body: bytes) -> None:
        """Write an object. All of it appears or nothing."""
        client = await self._client()
        with self._told(key):
            async with asyncio.timeout(_patience(len(body))):
                digest = await asyncio.to_thread(content_md5, body)
                await client.put_object(**self._of(key), Body=body, ContentMD5=digest)
        moved(key, "written", len(body))

    async def put_file(self, key: str, file: Path) -> None:
        """Write an object out of a file of any size."""
        size = (await asyncio.to_thread(file.stat)).st_size
        if size <= _LEAST_PIECE:
            await self.put(key, await asyncio.to_thread(file.read_bytes))
            return
        client = await self._client()
        piece = max(_LEAST_PIECE, -(-size // _MOST_PIECES))
        with self._told(key):
            async with asyncio.timeout(_REQUEST_SECONDS):
                upload = (await client.create_multipart_upload(**self._of(key)))["UploadId"]
            try:
                parts: Any = await in_parallel(
                    enumerate(range(0, size, piece), start=1),
                    lambda item: self._piece(client, key, upload, file, *item, piece),
                    limit=_PIECES_AT_ONCE,
                )
                async with asyncio.timeout(_patience(size)):
                    await client.complete_multipart_upload(
                        **self._of(key), UploadId=upload, MultipartUpload={"Parts": parts}
                    )
            except BaseException:
                # If this fails too, the sweep finds it.
                with suppress(*STORAGE_ERRORS):
                    async with asyncio.timeout(_REQUEST_SECONDS):
                        await client.abort_multipart_upload(**self._of(key), UploadId=upload)
                raise

    async def _piece(
        self, client: "S3Client", key: str, upload: str, file: Path, number: int, start: int, size: int
    ) -> dict[str, object]:
        body = await asyncio.to_thread(_read, file, start, size)
        async with asyncio.timeout(_patience(len(body))):
            digest = await asyncio.to_thread(content_md5, body)
            answer = await client.upload_part(
                **self._of(key), UploadId=upload, PartNumber=number, Body=body, ContentMD5=digest
            )
        moved(key, "written", len(body))
        return {"PartNumber": number, "ETag": answer["ETag"]}

    async def get(self, key: str) -> bytes:
        """Content of an object."""
        return await self._get(key, {}, _REQUEST_SECONDS * 10)

    async def get_range(self, key: str, begin: int, end: int) -> bytes:
        """Bytes of an object, from the first to before the last."""
        body = await self._get(key, {"Range": f"bytes={begin}-{end - 1}"}, _patience(end - begin))
        if len(body) != end - begin:
            raise Outage("workspace_unreachable", f"{len(body)} bytes of {key} came instead of {end - begin}")
        return body

    async def _get(self, key: str, options: dict[str, Any], seconds: float) -> bytes:
        client = await self._client()
        with self._told(key):
            async with asyncio.timeout(seconds):
                answer = await client.get_object(**self._of(key), **options)
                async with answer["Body"] as stream:
                    body = await stream.read()
        moved(key, "read", len(body))
        return body

    async def get_file(self, key: str, begin: int, end: int, file: Path) -> None:
        """Write bytes of an object to a new file, in several requests at a time."""
        descriptor = await asyncio.to_thread(_made, file, end - begin)
        try:
            starts = range(begin, end, _RANGE)
            await in_parallel(
                starts, lambda start: self._fill(key, descriptor, begin, start, end), limit=_RANGES_AT_ONCE
            )
        finally:
            await asyncio.to_thread(os.close, descriptor)

    async def _fill(self, key: str, descriptor: int, begin: int, start: int, end: int) -> None:
        body = await self.get_range(key, start, min(start + _RANGE, end))
        writing = asyncio.ensure_future(asyncio.to_thread(os.pwrite, descriptor, body, start - begin))
        try:
            await asyncio.shield(writing)
        finally:
            # A thread cannot be stopped, and the descriptor must not be closed under it.
            await asyncio.wait({writing})

    async def size(self, key: str) -> int | None:
        """Bytes of an object, None where there is none."""
        client = await self._client()
        try:
            with self._told(key):
                async with asyncio.timeout(_REQUEST_SECONDS):
                    return (await client.head_object(**self._of(key)))["ContentLength"]
        except FileNotFoundError:
            return None

    async def found(self, prefix: str) -> AsyncIterator[Found]:
        """Every object whose key begins so."""
        cut = len(self.key(""))
        async for page in self._pages(Prefix=self.key(prefix)):
            for item in page.get("Contents", []):
                yield Found(item["Key"][cut:], item["Size"], item["LastModified"])

    async def folders(self, prefix: str) -> list[str]:
        """What follows on a prefix, up to the next slash: of ``a/`` with ``a/b/c`` it is ``b``."""
        cut, found = len(self.key(prefix)), list[str]()
        async for page in self._pages(Prefix=self.key(prefix), Delimiter="/"):
            found += [item["Prefix"][cut:].rstrip("/") for item in page.get("CommonPrefixes", [])]
        return found

    async def _pages(self, **options: str) -> AsyncIterator[dict[str, Any]]:
        client = await self._client()
        pages: AsyncIterator[Any] = aiter(
            client.get_paginator("list_objects_v2").paginate(Bucket=self.location.bucket, **options)  # type: ignore[arg-type]
        )
        while True:
            with self._told("a listing"):
                async with asyncio.timeout(_REQUEST_SECONDS):
                    page = await anext(pages, None)
            if page is None:
                return
            yield page

    async def remove(self, prefix: str) -> None:
        """Remove every object whose key begins so."""
        keys: list[str] = []
        async for one in self.found(prefix):
            keys.append(one.key)
            if len(keys) == _KEYS_IN_CALL:
                await self._remove(keys)
                keys = []
        await self._remove(keys)

    async def _remove(self, keys: Sequence[str]) -> None:
        if not keys:
            return
        client = await self._client()
        with self._told("a removal"):
            async with asyncio.timeout(_REQUEST_SECONDS):
                answer = await client.delete_objects(
                    Bucket=self.location.bucket,
                    Delete={"Objects": [{"Key": self.key(key)} for key in keys], "Quiet": True},
                )
        refused = answer.get("Errors", [])
        if refused:
            raise Outage("workspace_unreachable", f"{len(refused)} objects could not be removed: {refused[0]}"[:300])

    async def check(self) -> None:
        """Raises: Outage: the bucket cannot be listed."""
        client = await self._client()
        with self._told("the bucket"):
            async with asyncio.timeout(_REQUEST_SECONDS):
                await client.list_objects_v2(Bucket=self.location.bucket, Prefix=self.key(""), MaxKeys=1)

    async def remove_unfinished(self) -> None:
        """Give up uploads in pieces that have not come to an end for a day, where the storage tells of such."""
        client = await self._client()
        oldest = datetime.now(UTC) - _UNFINISHED_AGE
        # What the storage says that knows none, or knows nothing of the kind.
        with suppress(ClientError):
            async with asyncio.timeout(_REQUEST_SECONDS):
                answer = await client.list_multipart_uploads(Bucket=self.location.bucket, Prefix=self.key(""))
            for upload in answer.get("Uploads", []):
                if upload["Initiated"] < oldest:
                    async with asyncio.timeout(_REQUEST_SECONDS):
                        await client.abort_multipart_upload(
                            Bucket=self.location.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                        )

    async def _client(self) -> "S3Client":
        async with self._opening:
            if self._opened is None:
                with self._told("the bucket"):
                    self._opened = await self._stack.enter_async_context(
                        s3_client(
                            self.location,
                            policy=_ANYWHERE,
                            read_timeout=_SILENT_SECONDS,
                            attempts=_ATTEMPTS,
                            own=True,
                        )
                    )
            return self._opened

    def key(self, key: str) -> str:
        """The whole key of an object in the bucket."""
        return object_key(self.location, key)

    def _of(self, key: str) -> Any:
        return {"Bucket": self.location.bucket, "Key": self.key(key)}

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turns errors of calls into those of the work space."""
        try:
            yield
        except FileNotFoundError:
            raise
        except STORAGE_ERRORS as error:
            if problem_of(error) == "missing_key":
                raise FileNotFoundError(2, "no such object", what) from error
            detail = without_secrets(f"{what}: {error!r}", self.location)[:500]
            raise Outage("workspace_unreachable", detail) from error


def _patience(size: int) -> float:
    return _REQUEST_SECONDS + size / _SLOWEST_BYTES_PER_SECOND


def _read(file: Path, start: int, size: int) -> bytes:
    with file.open("rb") as opened:
        opened.seek(start)
        return opened.read(size)


def _made(file: Path, size: int) -> int:
    """Descriptor of a new file that has its room."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(descriptor, size)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
