"""A film of ten minutes and clips beside it on a single slot, and what each clip waits for: ``make lanes``.

Prints for each clip the seconds between the request of its part and the begin of its encode, and how many parts of the film were
encoded in that time; exits non-zero where a clip waited for more than one.
"""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from nats.aio.client import Client as NatsClient
from pydantic import SecretStr

from shared.bus.connection import connect
from shared.bus.joblog import JobLog
from shared.events import Completed, Event, PartRequested, PartTranscoded
from shared.logs import configure_logs
from stack.client import Client
from tests.support.clips import made
from tests.support.jobs import long_clip, short_clip
from tests.support.observe import eventually
from tests.support.ports import free_port_base
from tests.support.sources import source_server
from tests.support.stack import RunningStack, running_stack

CLIPS = 6
_REPEATS = "14"
"""Of the clip of 42 s that the film is made of: 10.5 minutes."""
_HAS_BEGUN = 3
"""Parts of the film that are done when the clips come."""


def encoded(events: Sequence[Event]) -> list[tuple[datetime, datetime]]:
    """Begin and end of the encode of each part."""
    return [(one.at - timedelta(seconds=one.seconds), one.at) for one in events if isinstance(one, PartTranscoded)]


def waited(clip: Sequence[Event], film: Sequence[Event]) -> tuple[float, int]:
    """Seconds that the first part of a clip waited, and how many parts of a film were encoded in that time."""
    requested = next(one.at for one in clip if isinstance(one, PartRequested))
    begun, _ = min(encoded(clip))
    parts = sum(end > requested and begin < begun for begin, end in encoded(film))
    return (begun - requested).total_seconds(), parts


class Scene:
    """A film and clips on one stack."""

    def __init__(self, stack: RunningStack, nats: NatsClient) -> None:
        self._org = stack.env["ORG_ID"]
        self._log = JobLog(nats)

    async def events(self, job: str) -> list[Event]:
        """All events of a job."""
        return [one.event for one in await self._log.read(self._org, job)]

    async def has_transcoded(self, job: str, parts: int) -> None:
        """Wait until so many parts of a job are."""

        async def enough() -> bool:
            return len(encoded(await self.events(job))) >= parts

        await eventually(enough, f"{parts} parts of {job}", seconds=600, every=0.5)

    async def has_completed(self, job: str) -> None:
        """Wait for the end of a job."""

        async def completed() -> bool:
            return any(isinstance(one, Completed) for one in await self.events(job))

        await eventually(completed, f"the end of {job}", seconds=600, every=0.5)


async def run(stack: RunningStack) -> bool:
    """Post all of it, print what was measured, and say whether it is as it should be."""
    film_file = made("film-of-clips.mp4", "-stream_loop", _REPEATS, "-i", str(long_clip()), "-c", "copy")
    nats = await connect(SecretStr(stack.env["NATS_URL"]), "lanes")
    scene = Scene(stack, nats)
    async with source_server() as source, Client(stack.env) as client:

        async def post(name: str, file: Path) -> str:
            body = {
                "input_url": source.host(f"{name}.mp4", await asyncio.to_thread(file.read_bytes)),
                "output_path": client.location(f"lanes/{name}/", with_keys=True),
                "resolutions": ["240p"],
                "profile": "fast",
            }
            return str((await client.post_job(body))["id"])

        film = await post("film", film_file)
        await scene.has_transcoded(film, _HAS_BEGUN)
        clips = [await post(f"clip-{number}", short_clip()) for number in range(CLIPS)]
        for clip in clips:
            await scene.has_completed(clip)
        beside = await scene.events(film)
        results = [waited(await scene.events(clip), beside) for clip in clips]
        still = not any(isinstance(one, Completed) for one in beside)
    await nats.close()
    for number, (seconds, parts) in enumerate(results):
        print(f"clip {number}: waited {seconds:5.1f} s, for {parts} of the film's parts")
    print(f"the film: {len(encoded(beside))} parts encoded when the last clip was completed")
    return still and all(parts <= 1 for _, parts in results)


async def main() -> int:
    """Run it on a stack of its own."""
    configure_logs("lanes", "error")
    with tempfile.TemporaryDirectory(prefix="millrace-lanes-") as folder:
        settings = {"MILLRACE_TRANSCODER_SLOTS": "1"}
        with running_stack(Path(folder), free_port_base(), transcoders=1, env=settings) as stack:
            return 0 if await run(stack) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
