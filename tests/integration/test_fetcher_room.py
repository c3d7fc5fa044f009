"""Downloads at the same time on a disk that has not enough room for all of them."""

import asyncio
import os
from pathlib import Path

import pytest

from services.fetcher.download.download import SOURCE_FILE, STATE_FILE, Download, DownloadLimits
from services.fetcher.download.http_source import HttpSource, http_session
from services.fetcher.download.patience import PatienceLimits
from shared.errors import Postponed
from shared.workspace.folder import WorkFolder
from tests.support.bus import until
from tests.support.policies import LOOPBACK
from tests.support.sources import SourceServer, source_server

MEGABYTE = 1024**2
LIMITS = DownloadLimits(
    max_bytes=100 * MEGABYTE,
    keep_free=0,
    chunk_bytes=256 * 1024,
    connections=4,
    patience=PatienceLimits(total=60, without_progress=30, bytes_per_second=0),
    checkpoint_seconds=0.05,
)


async def test_two_downloads_do_not_fill_the_disk_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is room for one of them; the other one gets none of it, neither before nor while the first one comes."""
    film = os.urandom(3 * MEGABYTE)
    space = WorkFolder(tmp_path.as_uri())
    folders = [space.source("org", job) for job in ("one", "two")]
    for folder in folders:
        folder.mkdir(parents=True)

    class Usage:
        free = property(
            lambda _: 4 * MEGABYTE - sum(file.stat().st_blocks * 512 for file in tmp_path.rglob(SOURCE_FILE))
        )

    monkeypatch.setattr("shared.workspace.folder.shutil.disk_usage", lambda _path: Usage())

    async def ignore(_fraction: float) -> None:
        return

    async def come(server: SourceServer, folder: Path) -> Path:
        async with http_session(policy=LOOPBACK, stall_seconds=5) as session:
            source = HttpSource(session, server.host(f"{folder.parent.name}.mp4", film, pause=0.02))
            download = Download(
                source,
                folder,
                LIMITS,
                free_bytes=space.free_bytes,
                capacity_bytes=space.capacity_bytes,
                on_head=lambda _: None,
                on_progress=ignore,
            )
            return await download.run()

    async with source_server() as server:
        first = asyncio.create_task(come(server, folders[0]))
        await until(lambda: _begun(folders[0]))
        with pytest.raises(Postponed):
            await come(server, folders[1])
        assert not (folders[1] / SOURCE_FILE).exists()
        assert (await first).read_bytes() == film


async def _begun(folder: Path) -> bool:
    return (folder / STATE_FILE).exists()
