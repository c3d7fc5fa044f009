"""A stack whose NATS is a cluster that speaks TLS alone: a job runs, and a bus user follows it."""

import asyncio
import json
import ssl
from pathlib import Path

import nats
from nats.aio.msg import Msg

from stack.client import Client
from stack.credentials import load_or_create
from stack.probes import nats_writes
from tests.support.jobs import short_clip
from tests.support.observe import eventually
from tests.support.stack import running_stack


async def test_a_job_over_tls(tmp_path: Path) -> None:
    async with running_stack(tmp_path, nats=3, nats_tls=True) as stack, Client(stack.env) as client:
        user = await client.add_bus_user("follower")
        context = ssl.create_default_context(cafile=stack.env["NATS_CA"])
        bus = await nats.connect(
            stack.env["BUS_URL"].split(","),
            user=user["username"],
            password=user["password"],
            inbox_prefix=user["inbox_prefix"],
            tls=context,
            allow_reconnect=False,
        )
        heard: list[str] = []

        async def hear(message: Msg) -> None:
            heard.append(json.loads(message.data)["type"])

        await bus.subscribe(f"feed.jobs.{stack.env['ORG_ID']}.>", cb=hear)
        await bus.flush()
        await client.upload(short_clip(), "tls/in.mp4")
        body = {"input_path": client.location("tls/in.mp4"), "output_path": client.location("tls/out/")}
        await client.post_job({**body, "resolutions": ["144p"]})
        await eventually(lambda: heard[-1:] == ["completed"], "the job is completed", seconds=120)
        assert heard[0] == "created"
        # Whichever of the servers it is connected to.
        await client.remove_bus_user(user["id"])
        await eventually(lambda: bus.is_closed, "a revoked user is disconnected")
        port, password = stack.layout.ports["nats-1"], load_or_create(stack.state_dir).nats_password
        assert await asyncio.to_thread(nats_writes, port, password, stack.layout.nats_ca)
        assert not await asyncio.to_thread(nats_writes, port, password)
