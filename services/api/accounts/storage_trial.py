"""A trial of an organization's storage: an object is written, read and removed again."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.addresses import AddressPolicy
from shared.locations import S3Location, object_key
from shared.storage import STORAGE_ERRORS, Problem, content_md5, problem_of, s3_client, words_of

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

_SECONDS = 20.0
_BODY = b"Millrace has tried whether it can write here. This object can go."
_PERMISSIONS = {"write": "s3:PutObject", "read": "s3:GetObject", "delete": "s3:DeleteObject"}
_MEANINGS: dict[Problem, str] = {
    "missing_bucket": "There is no such bucket. Check its name, the region and the endpoint.",
    "missing_key": "What was just written is not there. Check that the endpoint is of a storage that reads what it has written.",
    "credentials": "The storage refuses the keys. Check access_key and secret_key.",
    "wrong_region": "The bucket is in another region. Set the region that it is in.",
    "unreachable": "The storage does not answer. Check the endpoint.",
    "forbidden_address": "The endpoint is a private or loopback address. Have the operator allow it with MILLRACE_ALLOWED_HOSTS.",
    "busy": "The storage is busy, or its clock is wrong. Try again later.",
}


@dataclass(frozen=True)
class Step:
    """One thing that was tried: ``write``, ``read`` or ``delete``. ``message`` says what went wrong, and what to do."""

    name: str
    message: str | None = None


async def try_storage(location: S3Location, policy: AddressPolicy) -> list[Step]:
    """Try what jobs do with a storage. What was written is removed, whether it could be read or not.

    Args:
        policy: where the storage may be.
    """
    key = object_key(location, f".millrace-trial-{secrets.token_hex(8)}")

    async def write(client: "S3Client") -> None:
        await client.put_object(Bucket=location.bucket, Key=key, Body=_BODY, ContentMD5=content_md5(_BODY))

    async def read(client: "S3Client") -> None:
        await client.head_object(Bucket=location.bucket, Key=key)

    async def delete(client: "S3Client") -> None:
        await client.delete_object(Bucket=location.bucket, Key=key)

    calls: tuple[tuple[str, Callable[[S3Client], Awaitable[None]]], ...]
    calls = (("write", write), ("read", read), ("delete", delete))
    steps: list[Step] = []
    for name, call in calls:
        try:
            async with (
                asyncio.timeout(_SECONDS),
                s3_client(location, policy=policy, read_timeout=_SECONDS, attempts=2) as client,
            ):
                await call(client)
        except STORAGE_ERRORS as error:
            steps.append(Step(name, _meaning(error, name, location)))
            if name == "write":
                break
        else:
            steps.append(Step(name))
    return steps


def _meaning(error: BaseException, step: str, location: S3Location) -> str:
    problem = problem_of(error)
    if problem == "denied":
        return f"The storage does not allow it. Give the key the permission {_PERMISSIONS[step]} for this bucket."
    if problem == "refused":
        said = words_of(error, location).rstrip(".")
        return f"The storage refuses it: {said}. Check the bucket's policy against what it says."
    return _MEANINGS[problem]
