"""The use case: an admitted job gets its source, its plan, and its first parts requested."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
from nats.aio.client import Client

from services.fetcher.download.download import SOURCE_FILE, STATE_FILE, Download, DownloadLimits, content_of
from services.fetcher.download.http_source import HttpSource, http_session
from services.fetcher.download.punctual import PunctualRemote
from services.fetcher.download.remote import Remote
from services.fetcher.download.s3_source import S3Source
from services.fetcher.inherit import Inherit
from services.fetcher.keys.keys import JobKeys, tracks_of
from services.fetcher.keys.services import KeyServices
from services.fetcher.metrics import STEP_SECONDS
from services.fetcher.output_check import check_output
from services.fetcher.plan.bounds import bounded, bounded_warnings
from services.fetcher.plan.plan import make_audio_plan, make_plan
from services.fetcher.plan.recipe import recipe_of
from services.fetcher.plan.spans import with_spans
from services.fetcher.probe.audio_probe import AudioProbe
from services.fetcher.probe.compressed_header import with_plain_header
from services.fetcher.probe.plausibility import check_plausible
from services.fetcher.probe.probe import Probe, remove_leftovers
from services.fetcher.probe.remux import Remux
from services.fetcher.probe.sniff import sniff
from shared.addresses import AddressPolicy
from shared.bus.fleet import FleetView, window_for
from shared.bus.headway import made_headway
from shared.bus.joblog import JobLog
from shared.bus.progress import ProgressReporter
from shared.bus.vault import JobAddresses, Vault
from shared.errors import PermanentError
from shared.events import Admitted, Created, Fetched, PartRequested, Started
from shared.locations import HttpLocation, S3Location, is_masked
from shared.media.plan import Plan
from shared.media.profile import AUDIO_ONLY
from shared.s3_clients import S3Clients
from shared.tracing.spans import span
from shared.workspace.space import WorkSpace

_DOWNLOAD_SHARE = 0.95
_HEADWAY = 0.01
"""Fraction of a source that has to come in one go for an outage of it to count as over."""


class Fetch:
    """Fetches the sources of admitted jobs. Called again for the same job, it goes on where it was.

    Args:
        window: parts of one job that may be requested and not yet uploaded at the most.
        stall_seconds: time without a byte after which a connection is opened anew.
        response_seconds: time that an answer has until its first byte of content.
    """

    def __init__(
        self,
        client: Client,
        log: JobLog,
        vault: Vault,
        space: WorkSpace,
        probe: Probe,
        remux: Remux,
        audio_probe: AudioProbe,
        limits: DownloadLimits,
        *,
        window: int,
        stall_seconds: float,
        response_seconds: float,
        policy: AddressPolicy,
        clients: S3Clients,
    ) -> None:
        self._client = client
        self._log = log
        self._fleet = FleetView(client)
        self._vault = vault
        self._space = space
        self._probe = probe
        self._remux = remux
        self._audio_probe = audio_probe
        self._limits = limits
        self._window = window
        self._stall_seconds = stall_seconds
        self._response_seconds = response_seconds
        self._policy = policy
        self._clients = clients
        self._inherit = Inherit(space, clients)
        self._keys = JobKeys(vault, KeyServices(policy, response_seconds))

    async def __call__(self, event: Admitted) -> None:
        """Do the work.

        Raises:
            JobEnded: the job is over. PermanentError, TransientError: why the job fails, or has to wait.
        """
        org, job = event.org, event.job
        await self._log.append(Started(org=org, job=job))
        fetched = await self._log.fact(org, job, Fetched)
        if fetched is None:
            fetched = await self._with_window(await self._fetch(org, job))
            fetched_now = await self._log.append(fetched)
            # A duplicate worker may have been first; then its plan is the one that counts.
            if isinstance(fetched_now.recorded.event, Fetched):
                fetched = fetched_now.recorded.event
        await self._inherit_parts(fetched)
        if fetched.source.file != SOURCE_FILE:
            # It was moved into another file; from here on only that one is read.
            for name in (STATE_FILE, SOURCE_FILE):
                await self._space.discard_source(org, job, name)
        await self._request_parts(event, fetched.plan)

    async def _fetch(self, org: str, job: str) -> Fetched:
        created = await self._created(org, job)
        addresses = await self._vault.get(org, job)
        if created.retry_of:
            await self._space.take_over(org, created.retry_of, job)
        async with self._space.arrival(org, job) as folder:
            await asyncio.to_thread(remove_leftovers, folder)
            sound = AUDIO_ONLY in created.resolutions
            with STEP_SECONDS.labels("download").time(), span("download"):
                file = await self._download(created, addresses, folder, sound=sound)
            # Before the probe, so that a job which waits for its keys is not probed again with each try.
            keys = await self._keys(created)
            with span("plan"):
                file = await asyncio.to_thread(with_plain_header, file)
                fetched = await (self._plan_audio(created, file) if sound else self._plan(created, file))
                keys = keys.only_for(tracks_of(fetched.plan)) if keys else None
                content = await asyncio.to_thread(content_of, folder, created.input_url)
                recipe = await asyncio.to_thread(recipe_of, content, fetched.source, fetched.plan, keys)
                fetched = fetched.model_copy(update={"recipe": recipe})
                fetched = fetched.encrypted(keys.protection) if keys else fetched
            await self._space.keep_source(org, job, folder / fetched.source.file)
        await structlog.get_logger().ainfo(
            "fetched",
            bytes=fetched.source.bytes,
            demuxer=fetched.source.demuxer,
            duration=fetched.source.duration,
            parts=len(fetched.plan.release_order),
        )
        return fetched

    async def _inherit_parts(self, fetched: Fetched) -> None:
        """Have the transcoder offered what a retry need not do again."""
        parts = await self._space.inherited(fetched.org, fetched.job)
        if parts is not None:
            addresses = await self._vault.get(fetched.org, fetched.job)
            await self._inherit(fetched, parts, addresses.output)

    async def _plan(self, created: Created, file: Path) -> Fetched:
        with STEP_SECONDS.labels("probe").time():
            probed = await self._remux(file, await self._probe(file), has_room=self._space.make_room)
        source, left_out = bounded(probed.source)
        with STEP_SECONDS.labels("plan").time():
            plan, warnings = await asyncio.to_thread(
                make_plan, source, probed.index, created.resolutions, created.profile, window=self._window
            )
        check_plausible(source, probed.index, probed.evidence, float(plan.duration))
        plan, source = await asyncio.to_thread(with_spans, plan, source, probed.places)
        warnings = bounded_warnings(probed.warnings + left_out + warnings)
        return Fetched(org=created.org, job=created.job, source=source, plan=plan, warnings=warnings)

    async def _plan_audio(self, created: Created, file: Path) -> Fetched:
        with STEP_SECONDS.labels("probe").time():
            probed = await self._audio_probe(file)
        source, left_out = bounded(probed.source)
        plan = make_audio_plan(source, created.profile, window=self._window)
        warnings = bounded_warnings(probed.warnings + left_out)
        return Fetched(org=created.org, job=created.job, source=source, plan=plan, warnings=warnings)

    async def _download(self, created: Created, addresses: JobAddresses, folder: Path, *, sound: bool) -> Path:
        """Bring the source here while the output's bucket is tried."""
        progress = ProgressReporter(self._client, created.org, created.job, "fetch")

        begun: float | None = None

        async def on_progress(fraction: float) -> None:
            nonlocal begun
            begun = fraction if begun is None else begun
            await progress.tell(_DOWNLOAD_SHARE * fraction)
            # A source that gives a few bytes and falls silent, again and again, gets no hour more for each of them.
            await made_headway("input", kept=fraction - begun >= _HEADWAY)

        async with self._remote(addresses.source) as remote:
            download = Download(
                PunctualRemote(remote, self._response_seconds),
                folder,
                self._limits,
                free_bytes=self._space.free_bytes,
                capacity_bytes=self._space.capacity_bytes,
                make_room=self._space.make_room,
                # What is of no use stops the download before it has cost anything.
                on_head=lambda head: _check_kind(head, sound=sound),
                on_progress=on_progress,
                only_tagged=is_masked(created.input_url),
            )
            checking = asyncio.create_task(self._check_output(addresses.output))
            downloading = asyncio.create_task(download.run())
            try:
                await asyncio.wait({checking, downloading}, return_when=asyncio.FIRST_EXCEPTION)
                if checking.done():
                    await checking
                    return await downloading
                # The download has failed; the little write ends by itself, and cleans up after itself.
                await asyncio.wait({checking})
                return await downloading
            finally:
                await _stop(checking, downloading)

    async def _check_output(self, location: S3Location) -> None:
        await check_output(location, self._clients)
        await made_headway("output", kept=True)

    @asynccontextmanager
    async def _remote(self, location: S3Location | HttpLocation) -> AsyncIterator[Remote]:
        if isinstance(location, HttpLocation):
            async with http_session(policy=self._policy, stall_seconds=self._stall_seconds) as session:
                yield HttpSource(session, location.url.get_secret_value())
            return
        async with self._clients.of(location, read_timeout=self._stall_seconds, attempts=1) as client:
            yield S3Source(client, location)

    async def _with_window(self, fetched: Fetched) -> Fetched:
        """With as many parts to be requested at once as the transcoders have use for now."""
        plan = fetched.plan
        first = window_for(await self._fleet.look(), under_way=0, most=plan.most_under_way)
        return fetched.model_copy(update={"plan": plan.model_copy(update={"window": first})})

    async def _request_parts(self, admitted: Admitted, plan: Plan) -> None:
        created = await self._created(admitted.org, admitted.job)
        for part in plan.release_order[: plan.window]:
            await self._log.append(PartRequested.planned(created, plan, part, weight=admitted.weight))

    async def _created(self, org: str, job: str) -> Created:
        created = await self._log.fact(org, job, Created)
        if created is None:
            raise PermanentError("internal_error", "the log has no beginning of this job")
        return created


def _check_kind(head: bytes, *, sound: bool) -> None:
    sniff(head, sound=sound)


async def _stop(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
    # Their errors are looked at here, or asyncio complains that nobody did.
    await asyncio.gather(*tasks, return_exceptions=True)
