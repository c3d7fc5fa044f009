"""Jobs that failed or were cancelled, run again."""

import aiohttp

from stack.client import Client
from tests.support.jobs import Api, follow, long_clip, short_clip
from tests.support.sources import source_server
from tests.support.stack import RunningStack
from tests.support.stream import read_stream


async def test_a_source_that_came_late(stack: RunningStack) -> None:
    clip, api = short_clip(), Api(stack.env)
    async with source_server() as source, Client(stack.env) as client, aiohttp.ClientSession() as http:
        output = client.location("retry/late/", with_keys=True)
        metadata = {"lesson": 7}
        failed = await follow(
            client,
            {
                "input_url": source.url(clip.name),
                "output_path": output,
                "resolutions": ["144p"],
                "client_metadata": metadata,
            },
        )
        assert failed["error_code"] == "input_unreachable"
        source.host(clip.name, clip.read_bytes())
        path = f"transcoding_jobs/{failed['id']}/retry/"
        status, refused = await api.call("POST", path)
        assert (status, list(refused)) == (400, ["output_path"])
        status, job = await api.call("POST", path, {"output_path": output})
        assert status == 201, job
        async for state in client.follow(job["id"]):
            job = state
        assert (job["status"], job["retry_of"], job["client_metadata"]) == ("completed", failed["id"], metadata)
        stream = await read_stream(http, client.playback_url(job["outputs"]["master"]))
        assert [variant.media.segments for variant in stream.variants]
        assert (await client.job(failed["id"]))["retried_by"] == job["id"]
        assert (await api.call("POST", f"transcoding_jobs/{job['id']}/retry/", {"output_path": output}))[0] == 409


async def test_at_once_after_a_cancel_in_the_middle(stack: RunningStack) -> None:
    """What the first one was still doing when it was cancelled spoils nothing of the second one, at the same place."""
    clip, api = long_clip(), Api(stack.env)
    async with source_server() as source, Client(stack.env) as client, aiohttp.ClientSession() as http:
        output = client.location("retry/cancelled/", with_keys=True)
        address = source.host(clip.name, clip.read_bytes())
        first = await client.post_job({"input_url": address, "output_path": output, "resolutions": ["144p", "240p"]})
        async for state in client.follow(first["id"]):
            if state["progress"] >= 30:
                break
        assert (await api.cancel(first["id"]))[0] == 200
        status, job = await api.call(
            "POST", f"transcoding_jobs/{first['id']}/retry/", {"output_path": output, "resolutions": ["144p"]}
        )
        assert (status, job["resolutions"]) == (201, ["144p"]), job
        async for state in client.follow(job["id"]):
            job = state
        assert job["status"] == "completed", job
        stream = await read_stream(http, client.playback_url(job["outputs"]["master"]))
        (variant,) = stream.variants
        async with http.get(variant.media.segments[-1][0]) as response:
            assert response.status == 200
        assert (await client.job(first["id"]))["status"] == "Cancelled"
