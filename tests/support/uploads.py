"""Jobs for the uploader: the test plays api, fetcher and transcoder, on a real bus, with a bucket on a real S3 server."""

import asyncio
import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from nats.aio.client import Client

from shared.bus.joblog import JobLog
from shared.bus.vault import JobAddresses, Vault
from shared.encryption.keys import KeySet
from shared.errors import PermanentError
from shared.events import Created, Event, PartRequested, PartTranscoded, Recorded
from shared.ids import new_job_id, new_org_code
from shared.media.plan import Plan
from shared.sealing import Sealer
from tests.support.bus import until
from tests.support.encoded import leave_part, leave_record, make_fetched, make_plan, make_record, write_part
from tests.support.mapped import mapped_record, write_mapped_segments
from tests.support.service import Service
from tests.support.site import PREFIX, WorkSite

E = TypeVar("E", bound=Event)


class Site(WorkSite):
    """What an uploader needs around it: bus, work space, storage."""

    def uploader(self, **settings: object) -> Service:
        """An uploader, not started yet, which keeps nothing for retries unless that is set."""
        given: dict[str, object] = {
            "nats_url": self.nats.url,
            "workspace_url": f"file://{self.space.root}",
            "seal_keys": base64.b64encode(self.key).decode(),
            "sweep_seconds": 0.2,
            "keep_for_retry_seconds": 0,
        }
        return Service("uploader", **(given | settings))

    async def begin(
        self,
        client: Client,
        *,
        endpoint: str = "",
        plan: Plan | None = None,
        keys: KeySet | None = None,
        early: bool = False,
    ) -> "Job":
        """A job with a plan and a bucket of its own, whose output goes below ``films/one``.

        Args:
            endpoint: of a proxy before the storage.
            keys: that the output is encrypted with.
            early: with early playback.
        """
        bucket = await asyncio.to_thread(self.s3.new_bucket)
        plan = plan or make_plan(languages=("en", None), texts=("en",), stills=True)
        job = Job(client, self, plan, bucket, keys, early)
        await job.begin(self.s3.address(bucket, f"{PREFIX}/", endpoint=endpoint))
        return job


@dataclass
class Job:
    """A job whose parts are transcoded by the test."""

    client: Client
    site: Site
    plan: Plan
    bucket: str
    keys: KeySet | None = None
    early: bool = False
    org: str = field(default_factory=new_org_code)
    id: str = field(default_factory=new_job_id)

    def __post_init__(self) -> None:
        self.log = JobLog(self.client)
        self._vault = Vault(self.client, Sealer([self.site.key]))

    async def begin(self, output_path: str) -> None:
        """Everything until the plan stands."""
        await self._vault.put(self.org, self.id, JobAddresses("http://example.com/a.mp4", output_path))
        names = tuple(rung.resolution for rung in self.plan.rungs)
        self.created = Created(
            org=self.org, job=self.id, input_url="x", output_path="x", resolutions=names, early_playback=self.early
        )
        await self.log.append(self.created)
        if self.keys:
            await self._vault.put_keys(self.org, self.id, self.keys)
        protection = self.keys.protection if self.keys else None
        await self.log.append(make_fetched(self.org, self.id, self.plan, protection))

    async def request(self, *parts: str) -> None:
        """Request these parts, as the fetcher does with the first ones."""
        for part in parts:
            await self.log.append(PartRequested.planned(self.created, self.plan, part))

    async def transcode(self, *parts: str) -> None:
        """Leave these parts in the work space and say so; all of them if none is named."""
        for part in parts or self.plan.release_order:
            await self.log.append(await self.leave(part))

    async def leave(self, part: str) -> PartTranscoded:
        """Leave a part in the work space; returns what the transcoder would say."""
        place = (self.site.space, self.org, self.id, self.plan, part)
        if self.keys is None or self.keys.protection.scheme != "cbcs":
            return await asyncio.to_thread(leave_part, *place)
        plan, record = self.plan, mapped_record(self.plan, make_record(self.plan, part))

        def write(folder: Path) -> None:
            write_part(folder, plan, part, record)
            write_mapped_segments(folder, plan, record)

        return await asyncio.to_thread(leave_record, *place, record, write)

    async def events(self) -> list[Recorded]:
        """The log of the job."""
        return await self.log.read(self.org, self.id)

    async def said(self, kind: type[E]) -> list[E]:
        """Its events of a kind."""
        return [one.event for one in await self.events() if isinstance(one.event, kind)]

    async def has_said(self, kind: type[Event], count: int, seconds: float = 30) -> None:
        """Wait until there are so many events of a kind."""

        async def enough() -> bool:
            return len(await self.said(kind)) >= count

        await until(enough, seconds=seconds)

    async def end(self, seconds: float = 60) -> Event:
        """Wait for the end of the job."""
        return (await until(lambda: self.log.end_of(self.org, self.id), seconds=seconds, what="an end")).event

    async def cleaned(self, seconds: float = 30) -> None:
        """Wait until nothing of the job is left in the work space and its credentials are forgotten."""
        await until(self._is_clean, seconds=seconds)

    @property
    def folder(self) -> Path:
        """The job's place in the work space."""
        return self.site.space.job(self.org, self.id)

    @property
    def objects(self) -> dict[str, Path]:
        """What lies in the bucket below the output prefix, by path."""
        return {key.removeprefix(f"{PREFIX}/"): path for key, path in self.site.s3.files(self.bucket).items()}

    def key(self, path: str) -> str:
        """Path of a request for an object."""
        return f"/{self.bucket}/{PREFIX}/{path}"

    async def _is_clean(self) -> bool:
        try:
            await self._vault.get(self.org, self.id)
        except PermanentError:
            return not self.folder.exists()
        return False


def expected_objects(plan: Plan) -> set[str]:
    """Paths of everything that a completed job leaves in the bucket."""
    found = {"video.m3u8", "video.mpd", *(f"{rung.resolution}/iframes.m3u8" for rung in plan.rungs)}
    folders = [(rung.resolution, "video") for rung in plan.rungs] + [(part.folder, "audio") for part in plan.audio]
    for folder, kind in folders:
        found |= {f"{folder}/init.mp4", f"{folder}/{kind}.m3u8"}
        found |= {f"{folder}/dash_init.mp4"} if kind == "audio" else set()
        found |= {f"{folder}/{kind}_{number:05d}.m4s" for number in range(plan.segments)}
    if plan.stills:
        found |= {f"thumbnails/thumbnail_{number}.jpg" for number in plan.stills.thumbnails.numbers}
        found |= {"sprite/sprite_image.jpg", "sprite/sprite.vtt"}
    for part in plan.text:
        found |= {f"{part.folder}/text.m3u8", f"{part.folder}/text.vtt"}
        found |= {f"{part.folder}/text_{number:05d}.vtt" for number in range(plan.segments)}
    return found
