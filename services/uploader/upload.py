"""The use case: bring a transcoded part to the bucket, have further ones encoded, and finish the job after the last one."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

import structlog

from services.uploader.bucket.bucket import Bucket
from services.uploader.bucket.buckets import Buckets
from services.uploader.early import EarlyPlayback
from services.uploader.encryption import Encryption, encryption_of
from services.uploader.finish import Finish
from services.uploader.record import record_of
from services.uploader.release import Release
from services.uploader.results import WrongFile, made_part, read_record
from shared.bus.headway import made_headway
from shared.bus.joblog import JobLog
from shared.bus.subjects import job_subject
from shared.bus.vault import Vault
from shared.encryption.objects import size_in_bucket
from shared.errors import PermanentError
from shared.events import Created, Fetched, PartTranscoded, PartUploaded
from shared.media.plan import Plan
from shared.media.result import PartRecord
from shared.parallel import in_parallel
from shared.workspace.space import MadePart, WorkSpace


@dataclass(frozen=True)
class UploadObject:
    """What is uploaded of a part: its path in the part and below the output prefix, and its size as the transcoder told it.

    In the bucket it may have another size, where it is encrypted.
    """

    path: str
    size: int


class Upload:
    """Uploads parts.

    Args:
        vault: has the keys of jobs whose output is encrypted.
        parallel: requests at the same time, for each part.
    """

    def __init__(
        self,
        log: JobLog,
        vault: Vault,
        buckets: Buckets,
        space: WorkSpace,
        release: Release,
        finish: Finish,
        early: EarlyPlayback,
        *,
        parallel: int,
    ) -> None:
        self._log = log
        self._vault = vault
        self._buckets = buckets
        self._space = space
        self._release = release
        self._finish = finish
        self._early = early
        self._parallel = parallel

    async def __call__(self, event: PartTranscoded) -> None:
        """Upload the part, unless that has been done; request those that may begin now, or finish the job if it was the last."""
        org, job, part = event.org, event.job, event.part
        if await self._log.end_of(org, job):
            return
        fetched = await self._log.fact(org, job, Fetched)
        if fetched is None:
            raise PermanentError("internal_error", f"part {part} transcoded before the source was fetched")
        uploaded = await self._recorded(event) or await self._upload(event, fetched)
        # Only now: had the files gone before the fact was recorded, a crash in between would have lost them.
        await self._space.empty_part(org, job, part)
        number = await self._number(uploaded)
        await self._release(fetched, uploaded=number)
        if uploaded.edge:
            await self._early(fetched, part)
        # The one who uploaded the last part finishes the job, and only he: his message stays unsettled until that is done,
        # so it is redelivered if he dies, and nobody else needs to try.
        elif number >= len(fetched.plan.release_order):
            await self._finish(org, job)

    async def _number(self, uploaded: PartUploaded) -> int:
        """Number of a part among those uploaded.

        They are numbered as they are appended, so that this costs the same for the first part as for the nine hundredth.
        """
        if uploaded.uploaded is None:
            # Of version 0.1, which did not count: whoever finds all of them uploaded goes on.
            return len(record_of(await self._log.read(uploaded.org, uploaded.job)).uploaded)
        return uploaded.uploaded

    async def _encryption(self, fetched: Fetched) -> Encryption | None:
        """How the job's objects are encrypted; None where they are not."""
        if fetched.protection is None:
            return None
        return encryption_of(fetched.plan, fetched.protection, await self._vault.keys(fetched.org, fetched.job))

    async def _upload(self, event: PartTranscoded, fetched: Fetched) -> PartUploaded:
        org, job, part = event.org, event.job, event.part
        try:
            record, made = await read_record(self._space, event), made_part(event)
            objects = await asyncio.to_thread(objects_of, record)
            there = await self._space.uploaded(made)
            missing = [item for item in objects if item.path not in there]
            encryption = await self._encryption(fetched)
            async with self._buckets.of(org, job) as bucket:
                await in_parallel(missing, lambda item: self._put(bucket, made, item, encryption), limit=self._parallel)
            await self._keep_tiles(made, record)
        except (FileNotFoundError, WrongFile) as error:
            # A duplicate worker that took this part over may have been faster: then the files are gone because they are
            # uploaded.
            recorded = await self._recorded(event)
            if recorded is None:
                raise WrongFile(f"{error.filename} is missing" if isinstance(error, OSError) else str(error)) from error
            return recorded
        total = sum(size_in_bucket(item.path, item.size, fetched.protection) for item in objects)
        uploaded = PartUploaded(org=org, job=job, part=part, objects=len(objects), bytes=total)
        await structlog.get_logger().ainfo("part uploaded", objects=len(objects), bytes=total)
        return await self._append_numbered(uploaded, fetched.plan)

    async def _put(self, bucket: Bucket, made: MadePart, item: UploadObject, encryption: Encryption | None) -> None:
        tag = await self._write(bucket, made, item, encryption)
        # A full disk must not stop what is about to make room.
        with suppress(OSError):
            await self._space.note_uploaded(made, item.path, tag)
        await made_headway("output", kept=True)

    async def _write(self, bucket: Bucket, made: MadePart, item: UploadObject, encryption: Encryption | None) -> str:
        """Have an object in the bucket; its entity tag."""
        if encryption and encryption.applies_to(item.path):
            body = await self._content(made, item.path, item.size)
            return await bucket.put(item.path, await encryption.encrypted(item.path, body))
        origin = self._space.address(made, item.path)
        tag = await bucket.copy(item.path, origin, item.size) if origin else None
        return await bucket.put(item.path, await self._content(made, item.path, item.size)) if tag is None else tag

    async def _append_numbered(self, event: PartUploaded, plan: Plan) -> PartUploaded:
        """Append the fact with its number among the job's uploaded parts. Returns the one that stands in the log."""
        created = await self._log.fact(event.org, event.job, Created)
        # Sound alone is one part, or a few: there is nothing to grow.
        is_early = created is not None and created.early_playback and bool(plan.video)

        async def numbered() -> PartUploaded:
            told = await self._early.with_part(event, plan) if is_early else event
            last = await self._log.last(job_subject(event.org, event.job, f"{PartUploaded.subject}.*"))
            if last is None:
                return told.model_copy(update={"uploaded": 1})
            before = last.event.uploaded if isinstance(last.event, PartUploaded) else None
            if before is None:
                before = len(record_of(await self._log.read(event.org, event.job)).uploaded)
            return told.model_copy(update={"uploaded": before + 1})

        found = (await self._log.append(event, refine=numbered)).recorded.event
        return found if isinstance(found, PartUploaded) else event

    async def _keep_tiles(self, made: MadePart, record: PartRecord) -> None:
        """Copy a part's tiles to where they outlive the part. A second time changes nothing."""
        tiles = {
            still.number: await self._content(made, still.path, still.size)
            for still in record.stills
            if still.kind == "tile"
        }
        await self._space.keep_tiles(made.org, made.job, tiles)

    async def _content(self, made: MadePart, path: str, size: int) -> bytes:
        """What is in a file, if it has as many bytes as the transcoder said."""
        body = await self._space.read(made, path)
        if len(body) != size:
            raise WrongFile(f"{path} has {len(body)} bytes instead of {size}")
        return body

    async def _recorded(self, event: PartTranscoded) -> PartUploaded | None:
        found = await self._log.last(job_subject(event.org, event.job, f"{PartUploaded.subject}.{event.part}"))
        return found.event if found and isinstance(found.event, PartUploaded) else None


def objects_of(record: PartRecord) -> list[UploadObject]:
    """Everything of a part that goes to the bucket with it, in the order of :attr:`PartRecord.objects`."""
    return [UploadObject(path, size) for path, size in record.objects.items()]
