"""A storage that is gone for twenty minutes while twenty jobs write to it."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from stack.client import Client
from tests.support.faults import Fault, FaultyProxy
from tests.support.jobs import long_clip
from tests.support.observe import eventually
from tests.support.ports import free_port_base
from tests.support.sources import source_server
from tests.support.stack import RunningStack, running_stack

pytestmark = [
    pytest.mark.skipif(os.environ.get("CORPUS") != "all", reason="takes minutes; make corpus runs it"),
    pytest.mark.timeout(5400),
]

COUNT, OUTAGE_SECONDS = 20, 1200


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[RunningStack]:
    """A stack of its own, which nobody else waits for."""
    with running_stack(tmp_path, free_port_base()) as running:
        yield running


async def test_every_job_survives_twenty_minutes_without_its_storage(own_stack: RunningStack) -> None:
    """Those under way say what they wait for; when the storage is back, all complete, and nothing was done twice."""
    out = False

    async def trouble(_number: int, _request: web.Request) -> Fault | None:
        return "refused" if out else None

    clip, env = long_clip(), own_stack.env
    async with (
        source_server() as source,
        FaultyProxy(env["S3_ENDPOINT"], trouble) as proxy,
        Client(env | {"S3_ENDPOINT": proxy.endpoint}) as client,
    ):
        address = source.host(clip.name, clip.read_bytes())
        jobs = []
        for number in range(COUNT):
            output = client.location(f"outage/{number}/", with_keys=True)
            body = {"input_url": address, "output_path": output, "resolutions": ["240p", "360p"]}
            jobs.append(str((await client.post_job(body))["id"]))

        async def states() -> list[dict[str, Any]]:
            return [await client.job(job) for job in jobs]

        async def some_completed() -> bool:
            return bool(sum(state["status"] == "Completed" for state in await states()) >= 3)

        async def some_wait() -> bool:
            return any(state["waiting"] for state in await states())

        async def all_completed() -> bool:
            found = await states()
            assert not [state for state in found if state["status"] == "Error"]
            return all(state["status"] == "Completed" for state in found)

        await eventually(some_completed, "the first jobs", seconds=600, every=0.5)
        out = True
        print(f"{await eventually(some_wait, 'a job that waits', seconds=60):.1f} s until a job said so")
        until = time.monotonic() + OUTAGE_SECONDS
        while time.monotonic() < until:
            found = await states()
            assert not [state for state in found if state["status"] == "Error"], "it is waited for"
            codes = {state["waiting"]["code"] for state in found if state["waiting"]}
            assert codes <= {"output_unreachable"}
            await asyncio.sleep(10)
        out = False
        print(f"{await eventually(all_completed, 'all jobs', seconds=1800, every=1):.0f} s until all were completed")
        assert not [state for state in await states() if state["waiting"]]
