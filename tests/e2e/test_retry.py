"""A job that failed, run again when its cause is gone."""

import aiohttp

from stack.client import Client
from tests.support.jobs import Api, follow, short_clip
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
