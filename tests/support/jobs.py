"""Sends jobs to a running stack and follows them."""

import asyncio
import json
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
from pydantic import SecretStr

from services.api.drm.contents import purpose
from shared.encryption.keys import ContentKey
from shared.sealing import Sealer
from shared.settings import decode_keys
from stack.client import Client
from stack.credentials import load_or_create
from stack.lifecycle import bootstrap
from tests.support.clips import made
from tests.support.stack import RunningStack
from tests.support.stream import Stream, download, read_stream

LONG_SECONDS = 42
LONG_RESOLUTIONS = ("240p", "360p", "480p")
_LONG_RATE = "30000/1001"


def long_clip() -> Path:
    """42 s of 854×480 at 29.97 frames a second with stereo sound: seven segments, so several parts."""
    return made(
        "long.mp4",
        *("-f", "lavfi", "-i", f"testsrc2=size=854x480:rate={_LONG_RATE}:duration={LONG_SECONDS}"),
        *("-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={LONG_SECONDS}"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-g", "90", "-c:a", "aac", "-ac", "2", "-shortest"),
        *("-movflags", "+faststart"),
    )


def short_clip() -> Path:
    """4 s of 320×240 at 25 frames a second with sound."""
    return made(
        "short.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=4"),
        *("-f", "lavfi", "-i", "sine=frequency=880:sample_rate=44100:duration=4"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-shortest", "-movflags", "+faststart"),
    )


@dataclass(frozen=True)
class Outcome:
    """A finished job, its stream as a player sees it, and each rendition joined into one file, by folder name."""

    job: dict[str, Any]
    stream: Stream
    files: dict[str, Path]


async def follow(client: Client, body: dict[str, Any]) -> dict[str, Any]:
    """Post a job and follow it to its end; the job as GET shows it then."""
    return await client.run(body)


async def complete(stack: RunningStack, body: dict[str, Any], folder: Path) -> Outcome:
    """Post a job that has to complete, and download all of its output over HTTP."""
    async with Client(stack.env) as client, aiohttp.ClientSession() as http:
        job = await follow(client, body)
        return await outcome_of(client, http, job, folder)


async def outcome_of(client: Client, http: aiohttp.ClientSession, job: dict[str, Any], folder: Path) -> Outcome:
    """All of the output of a job that has to be completed, over HTTP."""
    assert job["status"] == "Completed", job
    stream = await read_stream(http, client.playback_url(job["outputs"]["master"]))
    files = {}
    for variant in (*stream.variants, *stream.audio):
        file = await download(http, variant.media, folder)
        files[file.stem] = file
    return Outcome(job, stream, files)


async def stored_key(stack: RunningStack, content_id: str) -> ContentKey:
    """The one key of a content, opened as the api does."""
    org = stack.env["ORG_ID"]
    connection = await asyncpg.connect(stack.env["DATABASE_URL"])
    try:
        sealed = await connection.fetchval(
            "select keys from drm_contents where org = $1 and content_id = $2", org, content_id
        )
    finally:
        await connection.close()
    sealer = Sealer(decode_keys(SecretStr(load_or_create(stack.layout.state).seal_key)))
    [key] = json.loads(sealer.open(sealed, purpose(org, content_id)))
    return ContentKey.from_json(key)


class Api:
    """The REST calls that the stack's own client has no use for."""

    def __init__(self, env: dict[str, str]) -> None:
        self._base = f"{env['API_URL']}/api/v1/{env['ORG_ID']}"
        self._headers = {"Authorization": f"Token {env['API_TOKEN']}"}

    async def call(self, method: str, path: str, json: Any = None) -> tuple[int, Any]:
        """Status and body (parsed, None if empty) of a call below the organization's address."""
        async with (
            aiohttp.ClientSession(headers=self._headers) as http,
            http.request(method, f"{self._base}/{path}", json=json) as response,
        ):
            text = await response.text()
            return response.status, await response.json() if text else None

    async def cancel(self, job: str) -> tuple[int, Any]:
        """Cancel a job."""
        return await self.call("DELETE", f"transcoding_jobs/{job}/")


async def another_organization(stack: RunningStack, name: str) -> dict[str, str]:
    """The stack's environment for a client of another organization, which is made by the admin command."""
    mine = load_or_create(stack.layout.state)
    other = replace(mine, api_username=name, api_token=secrets.token_hex(32))
    org = await asyncio.to_thread(bootstrap, stack.layout, other, name)
    return stack.env | {"ORG_ID": org, "API_TOKEN": other.api_token, "API_USERNAME": name}
