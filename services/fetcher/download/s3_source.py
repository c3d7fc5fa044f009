"""Sources in a bucket of an S3 service."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from services.fetcher.download.remote import Reply, SourceChanged, Trouble, TroubleKind, Version
from shared.errors import PermanentError
from shared.locations import S3Location
from shared.network import is_misaddressed
from shared.storage import STORAGE_ERRORS, Problem, problem_of, retry_after, words_of

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_REFUSALS: dict[Problem, str] = {
    "missing_key": "there is no object of that name in the bucket",
    "missing_bucket": "the bucket does not exist",
    "credentials": "the storage refused the credentials: check access_key and secret_key",
    "denied": "the credentials may not read the object, or it does not exist",
    "wrong_region": "the bucket is in another region: check region and endpoint",
}
# The public sentence speaks of a URL, and somebody who looks for a mistake there does not find it.
_MISSING: dict[Problem, tuple[str, str]] = {
    "missing_key": (
        "The specified input does not exist or cannot be accessed: there is no object of that name in the bucket.",
        "Check the path behind the bucket in input_path, capitals included, and that the upload is finished.",
    ),
    "missing_bucket": (
        "The specified input does not exist or cannot be accessed: the bucket does not exist.",
        "Check the bucket in input_path, and its endpoint.",
    ),
}


class S3Source:
    """One object, asked for ranges of its content."""

    def __init__(self, client: "S3Client", location: S3Location) -> None:
        self._client = client
        self._location = location

    @asynccontextmanager
    async def read(
        self, start: int, end: int | None, expected: Version | None = None, *, plain: bool = False
    ) -> AsyncIterator[Reply]:
        """See :class:`services.fetcher.download.remote.Remote`."""
        request: dict[str, Any] = {"Bucket": self._location.bucket, "Key": self._location.key}
        if not plain:
            request["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
        if expected and expected.etag:
            request["IfMatch"] = expected.etag
        try:
            response = await self._client.get_object(**request)
        except STORAGE_ERRORS as error:
            raise _translated(error, self._location) from error
        body = response["Body"]
        try:
            reply = _reply(response, start)
            if expected and (reply.version is None or not reply.version.same_as(expected)):
                raise SourceChanged
            yield reply
        finally:
            body.close()


def _reply(response: Any, start: int) -> Reply:
    body = response["Body"]
    length = int(response["ContentLength"])
    modified = response.get("LastModified")
    marks = (response.get("ETag"), modified.isoformat() if modified else None)
    given = _CONTENT_RANGE.fullmatch(response.get("ContentRange") or "")
    if given and int(given[1]) == start:
        return Reply(start, length, Version(int(given[3]), *marks), ranged=True, body=_pieces(body), close=body.close)
    return Reply(0, length, Version(length, *marks), ranged=False, body=_pieces(body), close=body.close)


async def _pieces(body: Any) -> AsyncIterator[bytes]:
    try:
        # As they were received, from the answer that the SDK's reader wraps, which would copy them.
        async for piece, _ in body.content.iter_chunks():
            if piece:
                yield piece
    except (ReadTimeoutError, TimeoutError) as error:
        raise Trouble("stalled", "the storage sends nothing any more") from error
    except STORAGE_ERRORS as error:
        raise Trouble("broken", "the connection to the storage broke off") from error


def _translated(error: Exception, location: S3Location) -> Exception:
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if status == 412:
            return SourceChanged()
        if status == 416:
            return PermanentError("input_empty")
    problem = problem_of(error)
    if problem == "forbidden_address":
        return PermanentError("input_forbidden_address", "the endpoint is on a private or loopback network")
    if problem in _REFUSALS:
        cause, remedy = _MISSING.get(problem, (None, None))
        return Trouble("refused", _REFUSALS[problem], cause=cause, remedy=remedy)
    if problem == "busy":
        return Trouble("busy", "the storage is busy", retry_after=retry_after(error))
    if isinstance(error, ReadTimeoutError) and not isinstance(error, ConnectTimeoutError):
        return Trouble("stalled", "the storage took the request but does not answer it")
    if problem == "unreachable":
        kind: TroubleKind = "misaddressed" if is_misaddressed(error) else "unconnected"
        detail = f"the storage cannot be reached ({type(error).__name__})"
        return Trouble(kind, detail, remedy="Check the endpoint and region of input_path.")
    return Trouble("refused", f"the storage refused the request: {words_of(error, location)}")
