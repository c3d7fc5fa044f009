"""A film that is played while it is made: hls.js begins with what there is, waits at the edge, and plays to the end."""

import asyncio
import signal
from pathlib import Path

import pytest

from checker.reading import read_presentation
from checker.rules import GROWING_RULES, apply_rules
from shared.events import Event, Playable, PlaybackExtended
from stack.client import Client
from tests.support.clips import made
from tests.support.observe import eventually, job_events
from tests.support.player import play, require_player
from tests.support.stack import RunningStack

SECONDS = 60


def film() -> Path:
    """Of ten segments, at a size that takes some seconds to encode."""
    return made(
        "growing.mp4",
        *("-f", "lavfi", "-i", f"testsrc2=size=854x480:rate=25:duration={SECONDS}"),
        *("-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={SECONDS}"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-c:a", "aac", "-ac", "2", "-shortest"),
    )


async def test_it_plays_on_from_the_growing_edge(stack: RunningStack, tmp_path: Path) -> None:
    require_player()
    screenshot = tmp_path / "hls.png"
    async with Client(stack.env) as client:
        await client.upload(film(), "early/film.mp4")
        job = await client.post_job(
            {
                "input_path": client.location("early/film.mp4"),
                "output_path": client.location("early/out/"),
                "resolutions": ["240p", "480p"],
                "early_playback": True,
            }
        )
        assert (job["early_playback"], job["playable_at"]) == (True, None)

        async for state in client.follow(job["id"]):
            if state["playable_at"]:
                break
        # What is encoded from here on waits for the player, so that it has to wait for that.
        stack.kill("transcoder-1", signal.SIGSTOP)
        try:
            shown = await client.job(job["id"])
            assert shown["status"] == "Transcoding", "it was made before anybody could look"
            assert shown["playable_at"]
            (told,) = [event for event in await events(stack, job["id"]) if isinstance(event, Playable)]
            url = client.playback_url(told.master)
            report = apply_rules(await read_presentation(url), GROWING_RULES)
            assert not report.violated
            playing = asyncio.create_task(play("hls", url, screenshot))
            await eventually(screenshot.exists, "some seconds were played", seconds=120)
        finally:
            stack.kill("transcoder-1", signal.SIGCONT)
        seen = await playing
        ended = await client.job(job["id"])
    assert ended["status"] == "Completed"
    assert ended["playable_at"] == shown["playable_at"]
    assert ended["outputs"]["master"] == told.master
    assert seen["fatal"] is None
    assert seen["ended"]
    assert seen["currentTime"] == pytest.approx(SECONDS, abs=0.2)
    assert seen["gaps"] == 0
    first, last = seen["listed"][0], seen["listed"][-1]
    assert first["live"]
    assert first["segments"] < 10
    assert (last["live"], last["segments"]) == (False, 10)
    lengths = [one["segments"] for one in seen["listed"]]
    assert lengths == sorted(lengths)
    said = await events(stack, job["id"])
    assert len([event for event in said if isinstance(event, Playable)]) == 1
    assert [event for event in said if isinstance(event, PlaybackExtended)]


async def events(stack: RunningStack, job: str) -> list[Event]:
    return await job_events(stack.env["NATS_URL"], stack.env["ORG_ID"], job)
