"""Films of many hours through the whole stack. They take a quarter of an hour each, so `make corpus` runs them, not `make test`."""

import os
from pathlib import Path
from typing import Any

import pytest

from shared.events import Completed, Fetched, PartTranscoded
from stack.client import Client
from tests.support.bus import until
from tests.support.clips import made
from tests.support.jobs import follow
from tests.support.observe import job_events
from tests.support.sources import source_server
from tests.support.stack import RunningStack

HOUR = 3600
SERVER_TAKES = 1_000_000

pytestmark = [
    pytest.mark.skipif(os.environ.get("CORPUS") != "all", reason="takes long; make corpus runs it"),
    pytest.mark.timeout(3 * HOUR),
]


def still(hours: int) -> Path:
    """A grey picture once a second and a tone, which cost next to nothing to decode."""
    seconds = hours * HOUR
    return made(
        "still.mkv",
        *("-f", "lavfi", "-i", f"color=gray:size=256x144:rate=1:duration={seconds}"),
        *("-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=8000:duration={seconds}"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-g", "6", "-c:a", "flac"),
    )


def uncuttable(hours: int) -> Path:
    """A raw H.264 stream: without time stamps there is nothing to seek to."""
    return made(
        "raw.h264",
        *("-f", "lavfi", "-i", f"color=gray:size=128x72:rate=25:duration={hours * HOUR}"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-g", "250", "-f", "h264"),
    )


async def complete(stack: RunningStack, file: Path, name: str) -> tuple[dict[str, Any], list[Any]]:
    """Have a film transcoded; the completed job and its events."""
    async with source_server() as source, Client(stack.env) as client:
        address = source.host(file.name, file.read_bytes())
        body = {"input_url": address, "output_path": client.location(f"long/{name}/"), "resolutions": ["144p", "240p"]}
        job = await follow(client, body)
    assert job["status"] == "Completed", job

    async def cleaned() -> bool:
        return not stack.workspace_files(job["id"])

    # Thousands of files take a while to remove.
    await until(cleaned, seconds=600, what="files of the job in the work space")
    return job, await job_events(stack.env["NATS_URL"], stack.env["ORG_ID"], job["id"])


async def test_twelve_hours(stack: RunningStack) -> None:
    job, events = await complete(stack, still(12), "twelve")
    assert job["video_duration"] == 12 * HOUR
    fetched = next(event for event in events if isinstance(event, Fetched))
    assert len(fetched.plan.video) > 100
    assert {event.part for event in events if isinstance(event, PartTranscoded)} == set(fetched.plan.release_order)
    end = next(event for event in events if isinstance(event, Completed))
    # One rendition, since nothing is scaled up, and the audio.
    assert end.outputs.segments == 2 * 12 * HOUR // 6
    assert end.outputs.compliance
    assert end.outputs.compliance.ok, end.outputs.compliance.violations
    assert max(len(event.model_dump_json()) for event in events) < SERVER_TAKES / 2


async def test_three_hours_that_cannot_be_cut(stack: RunningStack) -> None:
    job, events = await complete(stack, uncuttable(3), "uncuttable")
    assert job["video_duration"] == 3 * HOUR
    assert "single_part" in {warning["code"] for warning in job["warnings"]}
    [part] = [event for event in events if isinstance(event, PartTranscoded)]
    assert part.renditions[0].segments == 3 * HOUR // 6
    assert len(part.model_dump_json()) < 2000
