"""The bus edge of the uploader."""

import asyncio
from contextlib import AsyncExitStack

from faststream import AckPolicy

from services.uploader.bucket.buckets import Buckets
from services.uploader.cleanup import CleanUp
from services.uploader.finish import Finish
from services.uploader.settings import UploaderSettings
from services.uploader.upload import Upload
from shared.bus.topology import JANITOR, JOBS, UPLOADER
from shared.events import Cancelled, Completed, Failed, PartTranscoded
from shared.health import Check
from shared.worker import PULL, Bus, stream
from shared.workspace import WorkSpace

# Removing a folder takes little time, and many jobs may end at once.
_JANITORS = 2


async def register(bus: Bus, settings: UploaderSettings, resources: AsyncExitStack) -> dict[str, Check]:
    """Build the use cases and subscribe them: uploading once for each slot, and the janitor.

    Args:
        resources: takes what has to be closed at the end.
    """
    space = WorkSpace(settings.workspace_url)
    buckets = Buckets(bus.vault, allow_private=settings.allow_private_addresses, cache_control=settings.cache_control)
    resources.push_async_callback(buckets.close)
    finish = Finish(bus.log, buckets, space, parallel=settings.parallel_requests)
    upload = Upload(bus.log, buckets, space, finish, parallel=settings.parallel_requests)
    clean_up = CleanUp(bus.log, bus.vault, space)
    sweeping = asyncio.create_task(clean_up.sweep_forever(settings.sweep_seconds))
    resources.callback(sweeping.cancel)
    jobs = stream(JOBS)

    for _ in range(settings.slots):

        @bus.broker.subscriber(
            "jobs.*.*.part_transcoded.*", durable=UPLOADER, stream=jobs, pull_sub=PULL, ack_policy=AckPolicy.MANUAL
        )
        async def on_part_transcoded(event: PartTranscoded) -> None:
            await upload(event)

    for _ in range(_JANITORS):

        @bus.broker.subscriber(
            "jobs.*.*.end.*", durable=JANITOR, stream=jobs, pull_sub=PULL, ack_policy=AckPolicy.MANUAL
        )
        async def on_end(event: Completed | Failed | Cancelled) -> None:
            await clean_up(event)

    return {"workspace": space.check}
