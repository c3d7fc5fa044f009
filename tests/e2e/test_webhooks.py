"""Webhooks of a whole job: in order, signed, and true."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from stack.client import Client
from tests.support.jobs import Api, short_clip
from tests.support.observe import eventually
from tests.support.receiver import Reply, WebhookPayload, WebhookReceiver
from tests.support.sources import source_server
from tests.support.stack import RunningStack
from tests.support.stream import read_stream


@asynccontextmanager
async def hook_to(stack: RunningStack, url: str) -> AsyncIterator[dict[str, str]]:
    """A registered webhook, removed at the end."""
    status, hook = await Api(stack.env).call("POST", "webhooks/", {"url": url})
    assert status == 201, hook
    try:
        yield hook
    finally:
        assert (await Api(stack.env).call("DELETE", f"webhooks/{hook['id']}/"))[0] == 204


async def test_each_status_arrives_once_in_order_signed_and_true(stack: RunningStack) -> None:
    clip = short_clip()
    async with (
        WebhookReceiver() as receiver,
        source_server() as source,
        Client(stack.env) as client,
        hook_to(stack, f"{receiver.url}/hook") as hook,
        aiohttp.ClientSession() as http,
    ):
        metadata = '{"n": 1.10, "z": "ü", "a": null}'
        body = {
            "input_url": source.host(clip.name, clip.read_bytes()),
            "output_path": client.location("hooks/order/"),
            "resolutions": ["144p", "240p"],
        }
        job = await _post_raw(stack, json.dumps(body)[:-1] + ', "client_metadata": ' + metadata + "}")
        completed = (await receiver.wait_for(1, seconds=90, where=lambda payload: payload.status == "completed"))[0]
        # At once, every object that the master playlist leads to is there.
        stream = await read_stream(http, client.playback_url(completed.job["outputs"]["master"]))
        for variant in (*stream.variants, *stream.audio, *stream.iframes):
            for url in {variant.media.init_segment, *(url for url, _ in variant.media.segments)}:
                async with http.get(url) as response:
                    assert response.status == 200, url
        assert receiver.told(job) == ["queued", "transcoding", "completed"]
        for payload in receiver.payloads:
            assert payload.headers["x-streams-token"] == hook["secret_token"]
            assert payload.headers["x-streams-event"] == f"transcoding_job.{payload.status}"
            assert payload.is_signed_with(_key(hook["secret_token"]))
            assert metadata.encode() in payload.body
        assert completed.job == await client.job(job) | {"status": "completed"}


async def test_a_receiver_that_fails_twice_gets_the_third(stack: RunningStack) -> None:
    clip = short_clip()

    def decide(payload: WebhookPayload) -> Reply:
        failed = len([former for former in receiver.payloads if former.message_id == payload.message_id])
        return Reply(503 if payload.status == "completed" and failed < 2 else 200)

    async with (
        WebhookReceiver(decide) as receiver,
        source_server() as source,
        Client(stack.env) as client,
        hook_to(stack, f"{receiver.url}/flaky") as hook,
    ):
        body = {
            "input_url": source.host(clip.name, clip.read_bytes()),
            "output_path": client.location("hooks/flaky/"),
            "resolutions": ["144p"],
        }
        job = (await client.post_job(body))["id"]
        letters = await receiver.wait_for(3, seconds=90, where=lambda payload: payload.status == "completed")
        assert len({payload.message_id for payload in letters}) == 1
        assert receiver.told(job) == ["queued", "transcoding", "completed", "completed", "completed"]

        async def listed() -> list[tuple[int, str]]:
            _, page = await Api(stack.env).call("GET", f"webhooks/{hook['id']}/deliveries/")
            rows = [row for row in page["results"] if row["job"] == job and row["status"] == "completed"]
            return sorted((row["attempt"], row["outcome"]) for row in rows)

        async def all_listed() -> bool:
            return await listed() == [(1, "failed"), (2, "failed"), (3, "delivered")]

        await eventually(all_listed, "three deliveries are listed")
        _, page = await Api(stack.env).call("GET", f"webhooks/{hook['id']}/deliveries/")
        status, _ = await Api(stack.env).call(
            "POST", f"webhooks/{hook['id']}/deliveries/{page['results'][0]['id']}/redeliver/"
        )
        assert status == 202
        await receiver.wait_for(6, seconds=15)


async def _post_raw(stack: RunningStack, body: str) -> str:
    env = stack.env
    headers = {"Authorization": f"Token {env['API_TOKEN']}", "Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.post(f"{env['API_URL']}/api/v1/{env['ORG_ID']}/transcoding_jobs/", data=body.encode()) as response,
    ):
        assert response.status == 201, await response.text()
        return str((await response.json())["id"])


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
