"""The bus edge of the uploader."""

from contextlib import AsyncExitStack

from services.uploader.bucket.buckets import Buckets
from services.uploader.cleanup import CleanUp
from services.uploader.early import EarlyPlayback
from services.uploader.finish import Finish
from services.uploader.release import Release
from services.uploader.settings import UploaderSettings
from services.uploader.upload import Upload
from services.uploader.withdraw import Withdraw
from shared.bus.fleet import FleetView
from shared.bus.slots import INTERRUPTED
from shared.bus.topology import JANITOR, UPLOADER
from shared.bus.vault import Vault
from shared.events import Cancelled, Completed, Failed, PartTranscoded
from shared.health import Check
from shared.s3_clients import S3Clients
from shared.storage import warm_up
from shared.worker import Bus
from shared.workspace.opening import serve_workspace

# Removing a folder takes little time, and many jobs may end at once.
_JANITOR_SLOTS = 2


async def register(bus: Bus, settings: UploaderSettings, resources: AsyncExitStack) -> dict[str, Check]:
    """Build the use cases and let them take work.

    Args:
        resources: takes what has to be closed at the end.
    """
    await warm_up()
    space = serve_workspace(bus, settings, resources)
    vault = Vault(bus.client, settings.sealer)
    clients = S3Clients(settings.address_policy)
    resources.push_async_callback(clients.close)
    buckets = Buckets(vault, clients, cache_control=settings.cache_control)
    resources.push_async_callback(buckets.close)
    finish = Finish(bus.log, buckets, space, parallel=settings.parallel_requests)
    release = Release(bus.log, FleetView(bus.client))
    early = EarlyPlayback(bus.log, buckets, space, finish, parallel=settings.parallel_requests)
    upload = Upload(bus.log, vault, buckets, space, release, finish, early, parallel=settings.parallel_requests)
    withdraw = Withdraw(bus.log, buckets, early)
    clean_up = CleanUp(
        bus.log,
        vault,
        space,
        withdraw,
        keep_seconds=settings.keep_for_retry_seconds,
        keep_free=settings.keep_free_bytes,
    )
    sweeping = bus.lifeline.keep(clean_up.sweep_forever(settings.sweep_seconds), "sweep")
    resources.callback(sweeping.cancel)

    async def on_part_transcoded(event: PartTranscoded) -> None:
        await upload(event)

    async def on_end(event: Completed | Failed | Cancelled) -> None:
        await clean_up(event)

    bus.take(UPLOADER, settings.slots, on_part_transcoded, turns=INTERRUPTED)
    bus.take(JANITOR, _JANITOR_SLOTS, on_end)
    return {"workspace": space.check}
