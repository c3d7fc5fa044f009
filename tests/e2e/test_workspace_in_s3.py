"""Workers on hosts of their own: three scratch folders and no shared one, and the stream is the one that a shared folder gives."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from shared.events import PartTranscoded
from stack.client import Client
from tests.support.bus import until
from tests.support.clips import made
from tests.support.jobs import follow, outcome_of, stored_key
from tests.support.observe import job_events
from tests.support.ports import free_port_base
from tests.support.stack import RunningStack, running_stack
from tests.support.stream import decode_complaints, frame_digests
from tests.support.walk import below

RATE = 8
RESOLUTIONS = ["144p", "240p"]
PREFIX = "workspace/film"
not_all = os.environ.get("CORPUS") != "all"


def film(seconds: int) -> Path:
    """Large for its length, so that a part reads a small piece of it."""
    noise = f"testsrc2=size=426x240:rate={RATE}:duration={seconds},noise=alls=40:allf=t"
    return made(
        f"large-{seconds}.mp4",
        *("-f", "lavfi", "-i", noise, "-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-qp", "16", "-g", str(2 * RATE), "-c:a", "aac", "-shortest"),
    )


async def begun(client: Client, seconds: int) -> dict[str, Any]:
    await client.upload(film(seconds), "sources/large.mp4")
    return {
        "input_path": client.location("sources/large.mp4"),
        "output_path": client.location(f"{PREFIX}/"),
        "resolutions": RESOLUTIONS,
    }


def output(stack: RunningStack) -> dict[str, bytes]:
    """Every object of the output, by its path."""
    root = stack.layout.objects / "millrace" / PREFIX
    return {str(path.relative_to(root)): path.read_bytes() for path in below(root) if path.is_file()}


@pytest.mark.parametrize(
    "seconds",
    [
        72,
        pytest.param(
            900,
            marks=[pytest.mark.skipif(not_all, reason="takes long; make corpus runs it"), pytest.mark.timeout(3600)],
        ),
    ],
)
async def test_three_hosts_one_of_which_dies_give_the_bytes_of_one_folder(
    stack: RunningStack, tmp_path: Path, seconds: int
) -> None:
    async with Client(stack.env) as client:
        job = await follow(client, await begun(client, seconds))
        assert job["status"] == "Completed", job
    with running_stack(tmp_path / "s3", free_port_base(), transcoders=3, workspace_in="s3") as hosts:
        async with Client(hosts.env) as client:
            following = asyncio.create_task(follow(client, await begun(client, seconds)))
            victim = await until(lambda: asyncio.to_thread(encoding, hosts), seconds=60, what="a part under way")
            former = await asyncio.to_thread(hosts.kill, victim, signal.SIGKILL)
            job = await following
        assert job["status"] == "Completed", job
        await asyncio.to_thread(hosts.wait_restarted, victim, former)
        events = await job_events(hosts.env["NATS_URL"], hosts.env["ORG_ID"], job["id"])
        parts = len([event for event in events if isinstance(event, PartTranscoded)])
        assert parts >= 7
        assert sum((await asyncio.to_thread(hosts.encodes_of, job["id"])).values()) > parts, "nothing was done twice"
        assert "more of the source" not in "".join(hosts.log(name) for name in hosts.layout.services)
        made_there = await asyncio.to_thread(output, hosts)
        assert made_there == await asyncio.to_thread(output, stack)
        await until(lambda: asyncio.to_thread(cleaned, hosts, job["id"]), seconds=60, what="nothing is left")
        await encrypted_by_several_hosts(hosts, seconds, job, tmp_path)
        assert not list(hosts.layout.workspace.iterdir()), "the shared folder was used"
        assert not hosts.refusals()


async def encrypted_by_several_hosts(hosts: RunningStack, seconds: int, clear: dict[str, Any], folder: Path) -> None:
    """The same film encrypted: what its key opens is what the clear one shows, whichever host has made which part."""
    for name in ("clear", "encrypted"):
        (folder / name).mkdir()
    async with Client(hosts.env) as client, aiohttp.ClientSession() as http:
        body = await begun(client, seconds) | {"output_path": client.location("workspace/encrypted/")}
        job = await follow(client, body | {"enable_drm": True})
        before = await outcome_of(client, http, clear, folder / "clear")
        after = await outcome_of(client, http, job, folder / "encrypted")
    events = await job_events(hosts.env["NATS_URL"], hosts.env["ORG_ID"], job["id"])
    makers = {event.attempt.worker for event in events if isinstance(event, PartTranscoded) and event.attempt}
    assert len(makers) >= 2
    key = (await stored_key(hosts, job["drm_content_id"])).key
    assert before.files.keys() == after.files.keys() >= set(RESOLUTIONS)
    for name, file in before.files.items():
        shown = await asyncio.to_thread(frame_digests, file)
        assert len(shown) > seconds
        assert await asyncio.to_thread(frame_digests, after.files[name], key=key) == shown
        assert decode_complaints(after.files[name], key=bytes(16)) != "", "it is not encrypted"


def encoding(hosts: RunningStack) -> str | None:
    """A transcoder that has begun with a part of the video, if there is any."""
    names = (name for name in hosts.layout.services if name.startswith("transcoder-"))
    return next((name for name in names if "/attempts/v0" in hosts.log(name)), None)


def cleaned(hosts: RunningStack, job: str) -> bool:
    return not hosts.workspace_files(job)
