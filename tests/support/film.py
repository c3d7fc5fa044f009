"""A real file sent through a whole stack, and what came of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.fetcher.download.download import SOURCE_FILE
from shared.events import Fetched
from stack.client import Client
from tests.support.jobs import follow
from tests.support.observe import job_events
from tests.support.sources import SourceServer
from tests.support.stack import RunningStack


@dataclass(frozen=True)
class Outcome:
    """A finished job, what the fetcher said of its source, and the folder of its output."""

    job: dict[str, Any]
    fetched: Fetched | None
    folder: Path

    @property
    def event(self) -> Fetched:
        """The source's facts and the plan of a job that got so far."""
        assert self.fetched
        return self.fetched

    @property
    def moved(self) -> bool:
        """The source was copied into a container with a clock of its own."""
        return self.event.source.file != SOURCE_FILE


async def send(
    stack: RunningStack, client: Client, server: SourceServer, key: str, file: Path, resolutions: list[str]
) -> Outcome:
    """Have a file transcoded below a prefix of the stack's bucket, and wait for the end."""
    body = {
        "input_url": server.host(f"{key}{file.suffix}", file.read_bytes()),
        "output_path": client.location(f"{key}/"),
        "resolutions": resolutions,
        "profile": "fast",
    }
    job = await follow(client, body)
    events = await job_events(stack.env["NATS_URL"], stack.env["ORG_ID"], job["id"])
    fetched = next((event for event in events if isinstance(event, Fetched)), None)
    return Outcome(job, fetched, stack.state_dir / "s3" / stack.env["S3_BUCKET"] / key)


def joined(folder: Path, track: str, into: Path) -> Path:
    """Initialization segment and media segments of a track of an output in one file."""
    file = into / f"{track.replace('/', '-')}.mp4"
    pieces = [folder / track / "init.mp4", *sorted((folder / track).glob("*.m4s"))]
    file.write_bytes(b"".join(piece.read_bytes() for piece in pieces))
    return file
