"""SIGKILL of anything in the middle of a job: the job completes, and what was finished is not done again."""

import json
import signal

import pytest

from shared.events import Completed, PartTranscoded
from stack.client import Client
from tests.support.jobs import long_clip
from tests.support.observe import eventually, job_events
from tests.support.sources import source_server
from tests.support.stack import RunningStack

# Those that die together have no part in each other's work, so each has to come through on its own.
VICTIMS = [("fetcher",), ("transcoder-1",), ("uploader", "notifier"), ("nats",), ("api", "postgres")]


@pytest.mark.parametrize("victims", VICTIMS, ids="-".join)
async def test_sigkill_in_the_middle_of_a_job(victims: tuple[str, ...], stack: RunningStack) -> None:
    clip = long_clip()
    org, bus = stack.env["ORG_ID"], stack.env["NATS_URL"]
    victim = " and ".join(victims)
    pause = 0.01 if victim == "fetcher" else 0.0
    async with source_server() as source, Client(stack.env) as client:
        body = {
            "input_url": source.host(clip.name, clip.read_bytes(), pause=pause),
            "output_path": client.location(f"faults/{victims[0]}/"),
            "resolutions": ["240p"],
        }
        job = str((await client.post_job(body))["id"])

        async def midway() -> bool:
            said = {event.token().partition(".")[0] for event in await job_events(bus, org, job)}
            return (
                ("started" in said and source.sent(clip.name) > 500_000)
                if victim == "fetcher"
                else "part_transcoded" in said
            )

        await eventually(midway, f"the job is midway for {victim}", seconds=90)
        said = await job_events(bus, org, job)
        for name in victims:
            stack.kill(name, signal.SIGKILL)
        assert not any(event.token().startswith("end.") for event in said), "it ended before anything was killed"
        before = {event.part: event for event in said if isinstance(event, PartTranscoded)}

        async def done() -> bool:
            try:
                events = await job_events(bus, org, job)
            except Exception:
                # The bus itself may be the victim.
                return False
            return any(event.token().startswith("end.") for event in events)

        await eventually(done, f"the job ends after {victim} was killed", seconds=150, every=0.5)
        events = await job_events(bus, org, job)
        assert isinstance(events[-1], Completed), events[-1]
        assert len([event for event in events if event.token().startswith("end.")]) == 1
        after = {event.part: event for event in events if isinstance(event, PartTranscoded)}
        assert all(after[part] == event for part, event in before.items())
        for part in before:
            assert _encodes(stack, job, part) == 1, f"{part} was encoded again"

        async def shown() -> bool:
            try:
                return bool((await client.job(job))["status"] == "Completed")
            except Exception:
                return False

        await eventually(shown, "the api shows it", seconds=60)
        if victim == "fetcher":
            # Ranges that had arrived are not fetched again: less than one and a half times the file went over the wire.
            assert source.sent(clip.name) < 1.5 * clip.stat().st_size


def _encodes(stack: RunningStack, job: str, part: str) -> int:
    """How often ffmpeg was started for a part, by the transcoder's log."""
    lines = (json.loads(line) for line in stack.log("transcoder-1").splitlines() if line.startswith("{"))
    return len(
        [
            line
            for line in lines
            if line.get("job") == job and line.get("work") == f"part_requested.{part}" and line["event"] == "ffmpeg"
        ]
    )
