"""Cancelling at every stage: the contract's answers, nothing left, nothing said after the end."""

import asyncio
from typing import Any

import pytest

from shared.events import Cancelled
from stack.client import Client
from tests.support.jobs import Api, follow, long_clip, short_clip
from tests.support.observe import eventually, files_of, job_events, processes_with
from tests.support.sources import source_server
from tests.support.stack import RunningStack


async def start_job(client: Client, source: str, name: str) -> str:
    body = {
        "input_url": source,
        "output_path": client.location(f"cancel/{name}/"),
        "resolutions": ["240p", "480p", "720p"],
    }
    return str((await client.post_job(body))["id"])


async def reach(client: Client, job: str, stage: str) -> None:
    async for state in client.follow(job):
        assert state["status"] in ("queued", "transcoding"), state
        if state["stage"] == stage:
            return


async def assert_over(stack: RunningStack, client: Client, job: str) -> None:
    """Five seconds after the cancel nothing of the job lives, lies about, or speaks."""
    await eventually(lambda: processes_with(f"/{job}/") == [], "no process of the job", seconds=5)
    await eventually(
        lambda: files_of(stack.layout.state, stack.env["ORG_ID"], job) == [], "no file of the job", seconds=8
    )
    events = await job_events(stack.env["NATS_URL"], stack.env["ORG_ID"], job)
    assert isinstance(events[-1], Cancelled)
    state = await client.job(job)
    assert state["status"] == "Cancelled" and state["end_time"] and state["outputs"] is None
    # A late worker would speak within a lease; its append is refused, so the log stays as it is.
    assert len(await job_events(stack.env["NATS_URL"], stack.env["ORG_ID"], job)) == len(events)


@pytest.mark.parametrize("stage", ["fetching", "transcoding", "uploading"])
async def test_cancel_while(stage: str, stack: RunningStack) -> None:
    clip = long_clip()
    pause = 0.5 if stage == "fetching" else 0.0
    async with source_server() as source, Client(stack.env) as client:
        job = await start_job(client, source.host(clip.name, clip.read_bytes(), pause=pause), stage)
        if stage == "uploading":
            await eventually(_some_part_uploaded(stack, job), "a part is uploaded", seconds=120)
        else:
            await reach(client, job, stage)
        assert await Api(stack.env).cancel(job) == (200, {"message": "Job cancelled successfully."})
        await assert_over(stack, client, job)
        assert await Api(stack.env).cancel(job) == (200, {"message": "Job is already cancelled."})


async def test_cancel_of_a_finished_job_changes_nothing(stack: RunningStack) -> None:
    clip = short_clip()
    async with source_server() as source, Client(stack.env) as client:
        body = {
            "input_url": source.host(clip.name, clip.read_bytes()),
            "output_path": client.location("cancel/done/"),
            "resolutions": ["144p"],
        }
        before = await follow(client, body)
        job = str(before["id"])
        assert before["status"] == "Completed"
        assert await Api(stack.env).cancel(job) == (200, {"message": "Job is already completed."})
        assert await client.job(job) == before


async def test_concurrent_cancels_are_one(stack: RunningStack) -> None:
    clip = long_clip()
    async with source_server() as source, Client(stack.env) as client:
        job = await start_job(client, source.host(clip.name, clip.read_bytes(), pause=0.5), "many")
        answers = await asyncio.gather(*(Api(stack.env).cancel(job) for _ in range(8)))
        assert {status for status, _ in answers} == {200}
        ends = [
            event
            for event in await job_events(stack.env["NATS_URL"], stack.env["ORG_ID"], job)
            if event.token().startswith("end.")
        ]
        assert len(ends) == 1


def _some_part_uploaded(stack: RunningStack, job: str) -> Any:
    async def uploaded() -> bool:
        events = await job_events(stack.env["NATS_URL"], stack.env["ORG_ID"], job)
        assert not any(event.token().startswith("end.") for event in events)
        return any(event.token().startswith("part_uploaded") for event in events)

    return uploaded
