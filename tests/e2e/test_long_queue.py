"""Ten thousand jobs of one organization on the whole stack, and one of another behind them."""

import asyncio
import os
import time
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import TypeVar

import nats
import pytest
from nats.aio.msg import Msg

from stack.client import Client
from tests.support.jobs import Api, another_organization, long_clip
from tests.support.observe import eventually
from tests.support.ports import free_port_base
from tests.support.sources import source_server
from tests.support.stack import RunningStack, running_stack

pytestmark = [
    pytest.mark.skipif(os.environ.get("CORPUS") != "all", reason="takes minutes; make corpus runs it"),
    pytest.mark.timeout(1800),
]

COUNT, THOUSAND = 10_000, 1_000
AT_ONCE = 20
T = TypeVar("T")


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[RunningStack]:
    """A stack of its own, which may be left with all of the jobs."""
    with running_stack(tmp_path, free_port_base()) as running:
        yield running


async def timed(what: str, work: Awaitable[T]) -> T:
    begun = time.perf_counter()
    result = await work
    print(f"{1000 * (time.perf_counter() - begun):8.1f} ms  {what}")
    return result


async def test_one_behind_ten_thousand(own_stack: RunningStack) -> None:
    """It starts before a second part of the others' is done. What the calls took is printed."""
    stack, clip = own_stack, long_clip()
    crowd, single = await another_organization(stack, "crowd"), await another_organization(stack, "single")
    bus = await nats.connect(stack.env["NATS_URL"])
    heard: list[str] = []

    async def hear(message: Msg) -> None:
        heard.append(message.subject.removeprefix("feed.jobs."))

    async with source_server() as source, Client(crowd) as big, Client(single) as small:
        address = source.host(clip.name, clip.read_bytes())
        gate = asyncio.Semaphore(AT_ONCE)

        async def post(client: Client, name: str) -> str:
            body = {"output_path": client.location(f"queue/{name}/", with_keys=True), "resolutions": ["480p"]}
            async with gate:
                return str((await client.post_job(body | {"input_url": address}))["id"])

        await timed("an empty list", Api(crowd).call("GET", "transcoding_jobs/"))
        jobs: list[str] = []
        for begin in range(0, COUNT, THOUSAND):
            posts = [post(big, str(number)) for number in range(begin, begin + THOUSAND)]
            jobs += await timed(f"{THOUSAND} jobs posted behind {begin}", asyncio.gather(*posts))
        await bus.subscribe("feed.jobs.>", cb=hear)

        async def encoding() -> bool:
            return sum(".part_transcoded." in each for each in heard) > 2

        await eventually(encoding, "parts of the crowd", seconds=300)
        last = await timed("the last of them", big.job(jobs[-1]))
        assert last["queue_position"] == 1001
        _, page = await timed("a page of them", Api(crowd).call("GET", "transcoding_jobs/?status=queued&page_size=100"))
        assert page["count"] > COUNT - 100
        job = await timed("one more posted", post(small, "single"))
        created, started = (f"{single['ORG_ID']}.{job}.{event}" for event in ("created", "started"))

        async def has_started() -> bool:
            return started in heard

        await timed("until it started", eventually(has_started, "the single job", seconds=120, every=0.02))
        between = heard[heard.index(created) : heard.index(started)]
        assert sum(".part_transcoded." in each for each in between) <= 1, between
    await bus.close()
