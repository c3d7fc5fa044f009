"""The bus edge of the fetcher."""

from contextlib import AsyncExitStack

from services.fetcher.download.download import DownloadLimits
from services.fetcher.download.patience import PatienceLimits
from services.fetcher.fetch import Fetch
from services.fetcher.metrics import watch_workspace
from services.fetcher.probe.audio_probe import AudioProbe
from services.fetcher.probe.probe import Probe, ProbeLimits
from services.fetcher.probe.remux import Remux
from services.fetcher.settings import FetcherSettings
from shared.bus.slots import INTERRUPTED
from shared.bus.topology import FETCHER
from shared.bus.vault import Vault
from shared.cage.setup import set_up_cage
from shared.events import Admitted
from shared.health import Check
from shared.media.tools import ffmpeg_path, ffprobe_path
from shared.s3_clients import S3Clients
from shared.storage import warm_up
from shared.worker import Bus
from shared.workspace.opening import local_folder, serve_workspace
from shared.workspace.space import WorkSpace


async def register(bus: Bus, settings: FetcherSettings, resources: AsyncExitStack) -> dict[str, Check]:
    """Build the use case and let it take work.

    Args:
        resources: takes what has to be closed at the end.
    """
    programs = [ffmpeg_path(settings.ffmpeg), ffprobe_path(settings.ffprobe)]
    bus.facts["cage"] = await set_up_cage(settings.cage, programs, local_folder(settings))
    await warm_up()
    space = serve_workspace(bus, settings, resources)
    clients = S3Clients(settings.address_policy)
    resources.push_async_callback(clients.close)
    fetch = make_fetch(settings, bus, space, clients)

    async def on_admitted(event: Admitted) -> None:
        await fetch(event)

    bus.take(FETCHER, settings.slots, on_admitted, turns=INTERRUPTED)
    bus.lifeline.keep(watch_workspace(space.free_bytes, settings.keep_free_bytes), "free space")
    return {"workspace": space.check}


def make_fetch(settings: FetcherSettings, bus: Bus, space: WorkSpace, clients: S3Clients) -> Fetch:
    """The use case with its adapters."""
    ffmpeg = ffmpeg_path(settings.ffmpeg)
    ffprobe = ffprobe_path(settings.ffprobe)
    probe_limits = ProbeLimits(
        seconds=settings.probe_seconds,
        memory_bytes=settings.probe_memory_bytes,
        max_duration=settings.max_duration_seconds,
        max_pixels=settings.max_pixels,
    )
    probe, audio_probe = Probe(ffprobe, ffmpeg, probe_limits), AudioProbe(ffprobe, ffmpeg, probe_limits)
    remux = Remux(ffmpeg, probe, seconds=settings.probe_seconds, memory_bytes=settings.probe_memory_bytes)
    patience = PatienceLimits(
        total=settings.download_seconds,
        without_progress=settings.patience_seconds,
        bytes_per_second=settings.min_bytes_per_second,
        first_contact=settings.first_contact_seconds,
    )
    limits = DownloadLimits(
        max_bytes=settings.max_bytes,
        keep_free=settings.keep_free_bytes,
        chunk_bytes=settings.chunk_bytes,
        connections=settings.connections,
        patience=patience,
    )
    return Fetch(
        bus.client,
        bus.log,
        Vault(bus.client, settings.sealer),
        space,
        probe,
        remux,
        audio_probe,
        limits,
        window=settings.part_window,
        stall_seconds=settings.stall_seconds,
        response_seconds=settings.response_seconds,
        policy=settings.address_policy,
        clients=clients,
    )
