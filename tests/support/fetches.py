"""Jobs for the fetcher: the test plays the api, on a real bus, with a source server and a bucket on a real S3 server."""

import asyncio
import base64
from dataclasses import dataclass, field
from typing import TypeVar

from nats.aio.client import Client

from shared.bus.joblog import JobLog
from shared.bus.vault import JobAddresses, Vault
from shared.events import Admitted, Created, Event, Failed, PartRequested
from shared.ids import new_job_id, new_org_code
from shared.locations import mask
from shared.sealing import Sealer
from tests.support.bus import until
from tests.support.service import Service
from tests.support.site import PREFIX, WorkSite

E = TypeVar("E", bound=Event)


class FetchSite(WorkSite):
    """What a fetcher needs around it: bus, work space, storage."""

    def fetcher(self, **settings: object) -> Service:
        """A fetcher, not started yet."""
        given: dict[str, object] = {
            "nats_url": self.nats.url,
            "workspace_url": f"file://{self.space.root}",
            "seal_keys": base64.b64encode(self.key).decode(),
            "keep_free_bytes": 0,
            "patience_seconds": 5,
        }
        return Service("fetcher", **(given | settings))


@dataclass
class FetchJob:
    """A job that the test admits."""

    client: Client
    site: FetchSite
    org: str = field(default_factory=new_org_code)
    id: str = field(default_factory=new_job_id)

    def __post_init__(self) -> None:
        self.log = JobLog(self.client)
        self._vault = Vault(self.client, Sealer([self.site.key]))

    async def create(self, input_url: str, output_path: str = "", resolutions: tuple[str, ...] = ("240p",)) -> None:
        """Everything that the api does before it admits a job; by default with a bucket of the job's own."""
        if not output_path:
            bucket = await asyncio.to_thread(self.site.s3.new_bucket)
            output_path = self.site.s3.address(bucket, f"{PREFIX}/")
        await self._vault.put(self.org, self.id, JobAddresses(input_url, output_path))
        shown = {"input_url": mask(input_url), "output_path": mask(output_path)}
        await self.log.append(Created(org=self.org, job=self.id, resolutions=resolutions, profile="fast", **shown))

    async def admit(self, *, weight: float = 1.0) -> None:
        """Let it begin."""
        await self.log.append(Admitted(org=self.org, job=self.id, weight=weight))

    async def said(self, kind: type[E]) -> list[E]:
        """The job's events of a kind."""
        return [one.event for one in await self.log.read(self.org, self.id) if isinstance(one.event, kind)]

    async def has_said(self, kind: type[E], count: int = 1, seconds: float = 20) -> list[E]:
        """Wait until there are so many events of a kind; returns them. A job that fails meanwhile fails the test."""

        async def enough() -> list[E] | None:
            found = await self.said(kind)
            failed = [] if kind is Failed else await self.said(Failed)
            assert not failed, failed
            return found if len(found) >= count else None

        return await until(enough, seconds=seconds, what=f"{count} {kind.__name__}") or []

    async def requested(self) -> list[str]:
        """Names of the parts that were requested, in order."""
        return [event.part for event in await self.said(PartRequested)]

    async def failed(self, seconds: float = 20) -> Failed:
        """Wait for the job's failure."""
        return (await self.has_said(Failed, seconds=seconds))[0]
