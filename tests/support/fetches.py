"""Jobs for the fetcher: the test plays the api, on a real bus, with a source server and a bucket on a real S3 server."""

import asyncio
import base64
import secrets
from dataclasses import dataclass, field
from typing import TypeVar

from nats.aio.client import Client

from shared.bus.joblog import JobLog
from shared.bus.vault import JobAddresses, Vault
from shared.encryption.keys import KeySet
from shared.encryption.providers import KeyProvider
from shared.encryption.request import EncryptionRequest
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
    content_id: str = field(default_factory=lambda: secrets.token_hex(16))

    def __post_init__(self) -> None:
        self.log = JobLog(self.client)
        self.vault = Vault(self.client, Sealer([self.site.key]))

    async def create(
        self,
        input_url: str,
        output_path: str = "",
        resolutions: tuple[str, ...] = ("240p",),
        *,
        encryption: EncryptionRequest | None = None,
        provider: KeyProvider | None = None,
        keys: KeySet | None = None,
    ) -> None:
        """Everything that the api does before it admits a job; by default with a bucket of the job's own.

        Args:
            encryption: of the output, with keys of ``provider`` or those that the api knew already.
        """
        if not output_path:
            bucket = await asyncio.to_thread(self.site.s3.new_bucket)
            output_path = self.site.s3.address(bucket, f"{PREFIX}/")
        if keys:
            await self.vault.put_keys(self.org, self.id, keys)
        await self.vault.put(self.org, self.id, JobAddresses(input_url, output_path), provider)
        content = {"drm_content_id": self.content_id, "encryption": encryption} if encryption else {}
        shown = {"input_url": mask(input_url), "output_path": mask(output_path)}
        await self.log.append(
            Created(org=self.org, job=self.id, resolutions=resolutions, profile="fast", **shown, **content)
        )

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
