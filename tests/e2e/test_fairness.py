"""One organization's heap of jobs does not keep another waiting."""

import asyncio
from datetime import datetime
from typing import Any

from shared.events import Completed, Failed, Started
from stack.client import Client
from tests.support.hangs import silent_server
from tests.support.jobs import Api, another_organization, short_clip
from tests.support.observe import eventually, job_events
from tests.support.sources import source_server
from tests.support.stack import RunningStack

BIG, SMALL = 190, 10


async def test_200_jobs_of_two_organizations(stack: RunningStack) -> None:
    clip = short_clip()
    other = await another_organization(stack, "small")
    async with source_server() as source, Client(stack.env) as big, Client(other) as small:

        async def post(client: Client, name: str) -> dict[str, Any]:
            location = client.location(f"fair/{name}/", with_keys=True)
            return await client.post_job(
                {
                    "input_url": source.host(clip.name, clip.read_bytes()),
                    "output_path": location,
                    "resolutions": ["144p"],
                }
            )

        posts = [post(big, f"big-{number}") for number in range(BIG)] + [
            post(small, f"small-{number}") for number in range(SMALL)
        ]
        jobs = await asyncio.gather(*posts)
        big_jobs, small_jobs = jobs[:BIG], jobs[BIG:]
        assert len({job["id"] for job in jobs}) == BIG + SMALL

        first_start = await _first(stack, other["ORG_ID"], [job["id"] for job in small_jobs], Started)
        finished = await _instants(stack, stack.env["ORG_ID"], [job["id"] for job in big_jobs], (Completed, Failed))
        assert len([instant for instant in finished if instant < first_start]) < 10
        # The heap is of no further use; cancelling it leaves the stack to the next test.
        for api, heap in ((Api(stack.env), big_jobs), (Api(other), small_jobs)):
            await asyncio.gather(*(api.cancel(job["id"]) for job in heap))


async def test_an_organization_whose_servers_hang_keeps_nobody_waiting(stack: RunningStack) -> None:
    clip = short_clip()
    other = await another_organization(stack, "patient")
    async with (
        silent_server() as silent,
        source_server() as source,
        Client(stack.env) as bad,
        Client(other) as good,
    ):
        slow = source.host("slow.mp4", clip.read_bytes() + bytes(2**22), pause=1)
        heap = []
        for number in range(4):
            job = {"input_url": slow, "output_path": bad.location(f"hung/{number}/", with_keys=True)}
            if number % 2:
                job["output_path"] = f"s3://bucket/{number}/?access_key=a&secret_key=b&endpoint={silent}"
            heap.append(await bad.post_job(job | {"resolutions": ["144p"]}))

        async def both_slots_are_taken() -> bool:
            return len(await _instants(stack, stack.env["ORG_ID"], [job["id"] for job in heap], (Started,))) >= 2

        await eventually(both_slots_are_taken, "downloads in all slots", every=0.5)
        job = await good.post_job(
            {
                "input_url": source.host(clip.name, clip.read_bytes()),
                "output_path": good.location("patient/", with_keys=True),
                "resolutions": ["144p"],
            }
        )
        await _first(stack, other["ORG_ID"], [job["id"]], Completed)
        assert not await _instants(stack, stack.env["ORG_ID"], [job["id"] for job in heap[::2]], (Completed,))
        await asyncio.gather(*(Api(stack.env).cancel(job["id"]) for job in heap))


async def _first(stack: RunningStack, org: str, jobs: list[str], kind: type) -> datetime:
    async def some() -> bool:
        return bool(await _instants(stack, org, jobs, (kind,)))

    await eventually(some, f"{kind.__name__} of {org}", seconds=120, every=0.5)
    return min(await _instants(stack, org, jobs, (kind,)))


async def _instants(stack: RunningStack, org: str, jobs: list[str], kinds: tuple[type, ...]) -> list[datetime]:
    found = []
    for job in jobs:
        found += [event.at for event in await job_events(stack.env["NATS_URL"], org, job) if isinstance(event, kinds)]
    return found
