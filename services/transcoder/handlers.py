"""The bus edge of the transcoder."""

from contextlib import AsyncExitStack

from services.transcoder.choose import choose_encoder
from services.transcoder.command import Tools
from services.transcoder.encode import Encode
from services.transcoder.metrics import ENCODER
from services.transcoder.settings import TranscoderSettings
from services.transcoder.toolchain import toolchain
from shared.bus.slots import UNINTERRUPTED
from shared.bus.topology import TRANSCODER
from shared.cage.setup import set_up_cage
from shared.events import PartRequested
from shared.health import Check
from shared.media.tools import ffmpeg_path
from shared.process import ProcessLimits
from shared.worker import Bus
from shared.workspace.opening import local_folder, serve_workspace


async def register(bus: Bus, settings: TranscoderSettings, resources: AsyncExitStack) -> dict[str, Check]:
    """Build the use case and let it take work.

    Args:
        resources: takes what has to be closed at the end.
    """
    ffmpeg = ffmpeg_path(settings.ffmpeg)
    bus.facts["cage"] = await set_up_cage(settings.cage, [ffmpeg], local_folder(settings))
    tools = Tools(ffmpeg, await choose_encoder(ffmpeg, settings.encoder), await toolchain(ffmpeg))
    ENCODER.labels(tools.encoder).set(1)
    limits = ProcessLimits(
        stall_seconds=settings.stall_seconds,
        cpu_seconds=settings.cpu_seconds,
        memory_bytes=settings.memory_bytes,
        file_bytes=settings.file_bytes,
    )
    space = serve_workspace(bus, settings, resources)
    encode = Encode(bus.client, bus.log, space, tools, limits)

    async def on_part_requested(event: PartRequested) -> None:
        await encode(event)

    bus.take(TRANSCODER, settings.slots, on_part_requested, turns=UNINTERRUPTED)
    return {"workspace": space.check}
