"""Which walls stand around a process, found out by trying."""

import os
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from shared.cage import cage
from shared.cage.cage import Cage, Touches

_TRIED, _MADE = "read", "made"


def tried(detected: Cage, folder: Path) -> Cage:
    """What of it stands around a process that works in the folder."""
    walls = detected.walls
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".cage-") as place:
            network = _try(replace(detected, mode="on"), Path(place))
            if network is None and "user" in walls:
                walls -= {"user"}
                network = _try(replace(detected, mode="on", walls=walls), Path(place))
    except OSError:
        # The work space is out of order, and nobody knows whether another user could work there.
        walls -= {"user"}
        with tempfile.TemporaryDirectory() as place:
            network = _try(replace(detected, mode="on", walls=walls), Path(place))
    if not network:
        walls -= {"network"}
    return Cage(detected.mode, walls, cage.lacking(walls))


def _try(tried: Cage, folder: Path) -> bool | None:
    """Whether a process that reads and writes in the folder has no network; None where it cannot do that, or not be started."""
    (folder / _TRIED).write_bytes(b"")
    (folder / _TRIED).chmod(0o600)
    (folder / _MADE).unlink(missing_ok=True)
    entrance = tried.around("/proc/self/exe", Touches(reads=(folder / _TRIED,), writes=(folder,)))

    def enter() -> None:
        status = 2
        with suppress(BaseException):
            away = entrance.enter(lambda: None)
            os.close(os.open(folder / _TRIED, os.O_RDONLY))
            os.close(os.open(folder / _MADE, os.O_WRONLY | os.O_CREAT, 0o600))
            status = 0 if away else 1
        # There is nothing to be executed.
        os._exit(status)

    try:
        status = subprocess.run(["/proc/self/exe"], preexec_fn=enter, check=False).returncode
    finally:
        entrance.close()
    return {0: True, 1: False}.get(status)
