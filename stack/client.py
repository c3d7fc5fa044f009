"""A client of a running stack: posts a job, follows its events, puts files into the bucket."""

import asyncio
import json
import mimetypes
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode

import aiohttp
from pydantic import SecretStr

from shared.addresses import AddressPolicy
from shared.locations import S3Location
from shared.storage import s3_client
from stack.layout import StackError
from stack.services import LOOPBACK

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

FINISHED = ("completed", "error", "cancelled")
Json = dict[str, Any]


class Client:
    """Speaks to the stack that the given ``<state>/env`` describes."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        organization = f"{env['API_URL']}/api/v1/{env['ORG_ID']}"
        self._jobs, self._webhooks = f"{organization}/transcoding_jobs/", f"{organization}/webhooks/"
        self._bus_users = f"{organization}/bus_users/"
        headers = {"Authorization": f"Token {env['API_TOKEN']}"}
        # Of the connection alone: `connect` would also count the wait for one of the client's own, of which there are a hundred.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        self._http = aiohttp.ClientSession(headers=headers, timeout=timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def post_job(self, body: Json) -> Json:
        """Create a job.

        Raises:
            StackError: the api refused it; with its reasons.
        """
        async with self._http.post(self._jobs, json=body) as response:
            answer = await response.text()
            if response.status != 201:
                raise StackError(f"The job was refused with status {response.status}: {answer}")
            return dict(json.loads(answer))

    async def job(self, job_id: str) -> Json:
        """The job as it is now."""
        async with self._http.get(f"{self._jobs}{job_id}/") as response:
            response.raise_for_status()
            return dict(await response.json())

    async def cancel(self, job_id: str) -> Json:
        """Cancel a job; what the api answers."""
        async with self._http.delete(f"{self._jobs}{job_id}/") as response:
            response.raise_for_status()
            return dict(await response.json())

    async def add_webhook(self, url: str) -> Json:
        """Register a webhook."""
        async with self._http.post(self._webhooks, json={"url": url}) as response:
            response.raise_for_status()
            return dict(await response.json())

    async def add_bus_user(self, name: str) -> Json:
        """Make a bus user; its password is among what is answered."""
        async with self._http.post(self._bus_users, json={"name": name}) as response:
            response.raise_for_status()
            return dict(await response.json())

    async def remove_bus_user(self, user_id: str) -> None:
        """Revoke a bus user."""
        async with self._http.delete(f"{self._bus_users}{user_id}/") as response:
            response.raise_for_status()

    async def remove_webhook(self, hook_id: str) -> None:
        """Remove a webhook."""
        async with self._http.delete(f"{self._webhooks}{hook_id}/") as response:
            response.raise_for_status()

    async def follow(self, job_id: str) -> AsyncIterator[Json]:
        """States of the job as the api tells them, until one that is final. A cut connection is taken up again."""
        while True:
            try:
                async for state in self._events(job_id):
                    yield state
                    if state["status"].lower() in FINISHED:
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.5)

    async def run(self, body: Json) -> Json:
        """The job that a body asks for, once it has ended.

        Raises:
            StackError: it was refused.
        """
        job = await self.post_job(body)
        async for _ in self.follow(job["id"]):
            pass
        return await self.job(job["id"])

    async def _events(self, job_id: str) -> AsyncIterator[Json]:
        quiet = aiohttp.ClientTimeout(total=None, sock_read=60)
        async with self._http.get(f"{self._jobs}{job_id}/events/", timeout=quiet) as response:
            response.raise_for_status()
            event = ""
            async for raw in response.content:
                name, _, value = raw.decode().rstrip("\r\n").partition(":")
                if name == "event":
                    event = value.strip()
                elif name == "data" and event == "job":
                    yield json.loads(value)

    @asynccontextmanager
    async def bucket(self) -> "AsyncIterator[S3Client]":
        """An S3 client for the stack's bucket."""
        env = self._env
        location = S3Location(
            bucket=env["S3_BUCKET"],
            key="",
            access_key=env["S3_ACCESS_KEY"],
            secret_key=SecretStr(env["S3_SECRET_KEY"]),
            region=env["S3_REGION"],
            endpoint=env["S3_ENDPOINT"],
        )
        async with s3_client(location, policy=AddressPolicy.parse(LOOPBACK)) as client:
            yield client

    async def upload(self, path: Path, key: str) -> None:
        """Put a file into the bucket."""
        async with self.bucket() as bucket:
            await bucket.upload_file(str(path), self._env["S3_BUCKET"], key)

    async def upload_folder(self, folder: Path, prefix: str, *, at_once: int = 8) -> int:
        """Put all files of a folder into the bucket, several at a time; how many bytes they have."""
        files = _files(folder)
        turns = asyncio.Semaphore(at_once)
        async with self.bucket() as bucket:

            async def put(path: Path) -> int:
                async with turns:
                    data = await asyncio.to_thread(path.read_bytes)
                    key = f"{prefix}/{path.relative_to(folder).as_posix()}"
                    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
                    await bucket.put_object(Bucket=self._env["S3_BUCKET"], Key=key, Body=data, ContentType=kind)
                    return len(data)

            return sum(await asyncio.gather(*(put(path) for path in files)))

    async def download_folder(self, prefix: str, folder: Path, *, at_once: int = 8) -> None:
        """Get everything below a prefix, several objects at a time."""
        turns = asyncio.Semaphore(at_once)
        async with self.bucket() as bucket:

            async def get(key: str) -> None:
                path = folder / key.removeprefix(f"{prefix}/")
                path.parent.mkdir(parents=True, exist_ok=True)
                async with turns:
                    await bucket.download_file(self._env["S3_BUCKET"], key, str(path))

            pages = bucket.get_paginator("list_objects_v2").paginate(Bucket=self._env["S3_BUCKET"], Prefix=f"{prefix}/")
            keys = [found["Key"] async for page in pages for found in page.get("Contents", ())]
            await asyncio.gather(*map(get, keys))

    def location(self, key: str, *, with_keys: bool = False) -> str:
        """``s3://…`` of something in the stack's bucket; without keys the organization's configured storage applies."""
        env = self._env
        address = f"s3://{env['S3_BUCKET']}/{key}"
        if not with_keys:
            return address
        access = {"access_key": env["S3_ACCESS_KEY"], "secret_key": env["S3_SECRET_KEY"]}
        return f"{address}?" + urlencode(access | {"region": env["S3_REGION"], "endpoint": env["S3_ENDPOINT"]})

    def console_url(self, job_id: str) -> str:
        """Where the console shows a job."""
        return f"{self._env['API_URL']}/console/{self._env['ORG_ID']}/jobs/{job_id}"

    def playback_url(self, location: str) -> str:
        """Address under which a player finds an ``s3://`` location of the stack's bucket."""
        return f"{self._env['PLAYBACK_URL']}/{location.removeprefix('s3://').partition('?')[0]}"


def require_completed(job: Json) -> None:
    """Go on only with a job that was completed.

    Raises:
        StackError: it has ended otherwise.
    """
    if job["status"].lower() != "completed":
        raise StackError(f"The job ended as {job['status']}: {job['error_message']}")


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]
