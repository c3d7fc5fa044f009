"""From the settings to the work space."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from shared.locations import parse_s3
from shared.settings import CommonSettings
from shared.worker import Bus
from shared.workspace import metrics
from shared.workspace.objects import Objects
from shared.workspace.s3_space import S3Space
from shared.workspace.scratch import Scratch
from shared.workspace.shared_folder import SharedFolder
from shared.workspace.space import WorkSpace
from shared.workspace.sweeping import sweep_scratch_forever


def open_workspace(settings: CommonSettings) -> WorkSpace:
    """The work space that the settings name."""
    url = settings.workspace_url.get_secret_value()
    if not url.startswith("s3://"):
        return SharedFolder(url)
    return S3Space(Objects(parse_s3(url, is_prefix=True)), Scratch(settings.scratch, settings.scratch_bytes))


def local_folder(settings: CommonSettings) -> Path:
    """The folder of this host in which the files of the work lie that programs read and write."""
    url = settings.workspace_url.get_secret_value()
    return settings.scratch if url.startswith("s3://") else Path(urlsplit(url).path)


@asynccontextmanager
async def opened_workspace(settings: CommonSettings) -> AsyncIterator[WorkSpace]:
    """The same for a while."""
    space = open_workspace(settings)
    try:
        yield space
    finally:
        await space.close()


def serve_workspace(bus: Bus, settings: CommonSettings, resources: AsyncExitStack) -> WorkSpace:
    """The same for as long as a worker runs, with this host's scratch folder swept.

    Args:
        resources: takes what has to be closed at the end.
    """
    metrics.begin()
    space = open_workspace(settings)
    resources.push_async_callback(space.close)
    sweeping = bus.lifeline.keep(sweep_scratch_forever(space, bus.log), "scratch")
    resources.callback(sweeping.cancel)
    return space
